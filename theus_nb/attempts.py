"""Time limits and further attempts: one run, several executions of its body.

A run keeps its place in the order and its inputs through all of them; only the last attempt
commits. What an attempt has changed in place stays changed.
"""

from __future__ import annotations

import asyncio
import contextvars
import inspect
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, Final

from theus_nb.access import begin, current
from theus_nb.errors import RunCancelledError, RunTimeoutError
from theus_nb.policy import Policy
from theus_nb.turns import Turns

if TYPE_CHECKING:
    from theus_nb._core import Access, Engine, Run
    from theus_nb.lanes import Call
    from theus_nb.process import Process
    from theus_nb.stopper import Stopper
    from theus_nb.timer import Alarm, Timer


Commit = Callable[["Run", "Access", object], Awaitable[None] | None]

_STOPPED: Final = (asyncio.CancelledError, RunCancelledError, TimeoutError)
"""With what a body ends that was stopped: what was raised in it, or by it when it looked."""


class Attempt:
    """What one attempt in a worker thread leaves for the next; the run carries it along."""

    __slots__ = ("alarm", "call", "context", "is_over", "number", "policy")

    def __init__(self, process: Process, call: Call | None) -> None:
        self.policy = process.policy or Policy()
        self.call = call
        self.number = 0
        # As they were before the first attempt; what one sets, the next does not see.
        self.context: contextvars.Context | None = None
        self.is_over = False
        self.alarm: Alarm | None = None


class Attempts:
    """Carries out the policies of one session's processes.

    Args:
        engine: Records attempts and takes runs back to where they wait.
        timer: For time limits and pauses.
        stopper: Stops bodies in threads whose time is up.
    """

    def __init__(self, engine: Engine, timer: Timer, stopper: Stopper) -> None:
        self._engine = engine
        self._timer = timer
        self._stopper = stopper
        self._turns: dict[str, Turns] = {}

    # -- turns ----------------------------------------------------------------------------------

    def arrive(self, run: Run) -> None:
        """A run has its inputs: let it go on, at once or when its turn comes."""
        policy = run.process.policy
        if policy is None or not policy.is_gated:
            run.proceed()
        else:
            self._turns_of(run).arrive(run, policy)

    def leave(self, run: Run) -> None:
        """A run of a process with limits has ended, or pauses."""
        if run.process.policy.is_gated:
            self._turns_of(run).leave(run)

    def _turns_of(self, run: Run) -> Turns:
        # By name, so that a definition executed again goes on counting.
        known = self._turns.get(run.name)
        return known or self._turns.setdefault(run.name, Turns(self._engine, self._timer))

    # -- in worker threads ----------------------------------------------------------------------

    def start(self, run: Run, attempt: Attempt) -> None:
        """Start the clock of an attempt, in the thread that makes it."""
        attempt.number += 1
        attempt.is_over = False
        if attempt.context is None:
            attempt.context = contextvars.copy_context()
        if attempt.policy.timeout is not None:
            attempt.alarm = self._timer.call_later(
                attempt.policy.timeout, lambda: self._expire(run, attempt)
            )

    def _expire(self, run: Run, attempt: Attempt) -> None:
        attempt.is_over = True
        run.request_stop()
        self._stopper.stop(run, self._timed_out(run, attempt.policy))

    def end(self, run: Run, attempt: Attempt) -> None:
        """Stop the clock: the body has ended, however."""
        if attempt.alarm is not None:
            attempt.alarm.cancel()
            attempt.alarm = None
        if attempt.is_over:
            self._stopper.forget(run)

    def check_time(self, attempt: Attempt) -> None:
        """Stop a body that has swallowed the exception which told it that its time was up."""
        if attempt.is_over:
            raise asyncio.CancelledError

    def explain(self, run: Run, attempt: Attempt, error: BaseException) -> BaseException:
        """Return what an attempt has failed with: a body may have been stopped for its time."""
        if attempt.is_over and isinstance(error, _STOPPED):
            raised = self._timed_out(run, attempt.policy)
            raised.__cause__ = error
            return raised
        return error

    def again(self, access: Access, attempt: Attempt, error: BaseException) -> bool:
        """Tell whether an attempt that has failed is followed by another one, and see to that.

        No thread is kept while the run pauses.
        """
        run = access.run
        if isinstance(error, asyncio.CancelledError | RunCancelledError):
            return False
        if not attempt.policy.retries_after(attempt.number, error):
            return False
        context = attempt.context and attempt.context.copy()
        if not self._engine.retry(run, attempt.number, error, attempt, context, access.parent):
            # Somebody asked for its end meanwhile: there is no further attempt.
            self._engine.cancelled(run)
            return True
        _drop_files(access)
        self.leave(run)
        self._timer.call_later(attempt.policy.pause(attempt.number), lambda: self.arrive(run))
        return True

    # -- on the loop ----------------------------------------------------------------------------

    async def on_loop(
        self, access: Access, args: tuple[Any, ...], kwargs: dict[str, Any], commit: Commit
    ) -> tuple[Access, Any]:
        """Execute a body on the loop and commit, as often as its policy says.

        Args:
            access: Access of the first attempt.
            args: What the body is given after its context.
            kwargs: Likewise.
            commit: Makes what it wrote visible; its time is not limited.

        Returns:
            The access of the attempt that succeeded, and the value.

        Cancellation: ends the present attempt, or the pause after it; there is no further one.
        """
        run, process, parent = access.run, access.process, access.parent
        policy: Policy = process.policy
        number = 1
        while True:
            try:
                async with asyncio.timeout(policy.timeout) as limit:
                    value = process.fn(access.context, *args, **kwargs)
                    if inspect.isawaitable(value):
                        value = await value
                _check_limit(limit)
                if not access.finish(value):
                    files = commit(run, access, value)
                    if files is not None:
                        await files
                    access.ended = True
            except Exception as error:  # noqa: BLE001 - raised again unless there is another attempt
                failure: Exception = error
                if limit.expired() and isinstance(error, TimeoutError):
                    failure = self._timed_out(run, policy)
                    failure.__cause__ = error
                access.ended = True
                if not policy.retries_after(number, failure) or not self._engine.retry(
                    run, number, failure
                ):
                    raise failure from failure.__cause__
                _drop_files(access)
            else:
                return access, value
            self.leave(run)
            await asyncio.sleep(policy.pause(number))
            await self._turn(run)
            number += 1
            access = begin(self._engine, run, parent)
            current.set(access)

    async def _turn(self, run: Run) -> None:
        gate: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        run.set_gate(gate)
        self.arrive(run)
        await gate
        failure = run.failure()
        if failure is not None:
            raise failure

    def _timed_out(self, run: Run, policy: Policy) -> RunTimeoutError:
        dropped = "what it wrote was dropped"
        if run.process.contract.is_open:
            dropped = "what it did to the notebook's variables stays"
        msg = (
            f"run {run.id} of {run.name!r} took longer than its timeout of {policy.timeout:g} s; "
            f"{dropped}. Give it more time (timeout=...), or less to do"
        )
        return RunTimeoutError(msg, process=run.name, run_id=run.id)


def _check_limit(limit: asyncio.Timeout) -> None:
    """Raise for a body that has swallowed the cancellation which told it that its time was up."""
    if limit.expired():
        raise TimeoutError


def _drop_files(access: Access) -> None:
    """Remove what an attempt has staged that has failed: the run may go on for long."""
    if access.staged is not None:
        access.staged.discard()
