"""The Rust core, as Python sees it.

Everything here is internal to theus_nb except `Run`, the handle that ``theus.start`` returns, and
`Context`, the first argument of every process. What bodies use is described in ``_core_body.pyi``,
what leads to event loops in ``_core_loops.pyi``, worker threads in ``_core_lanes.pyi``, the audit
log in ``_core_audit.pyi`` and ``_core_proof.pyi``.
The classes hold no policy: what to say, where to commit and when to give up is decided by the
Python modules that use them. All methods may be called from any thread unless they say so.
Times are nanoseconds since the session began.
"""

import asyncio
import contextvars
from collections.abc import Callable, Generator, Iterator
from typing import Any, final

from theus_nb._core_audit import AuditLog
from theus_nb._core_body import Access, Branch, Context
from theus_nb._core_feed import Feed
from theus_nb._core_io import DraftFile, FileWriter, SignalHub, StagedFile, Subscription, Ticket
from theus_nb._core_lanes import Lane, WorkQueue
from theus_nb._core_loops import Bridge, Waiter
from theus_nb._core_proof import verify_logs
from theus_nb._looking import Looking as _Looking
from theus_nb._waits import Waits as _Waits

__all__ = [
    "Access",
    "AuditLog",
    "Branch",
    "Bridge",
    "Context",
    "Definition",
    "DraftFile",
    "Engine",
    "Feed",
    "FileWriter",
    "Lane",
    "Run",
    "SignalHub",
    "StagedFile",
    "Subscription",
    "Ticket",
    "Waiter",
    "WorkQueue",
    "verify_logs",
]

@final
class Run:
    """One execution of a process: await it, gather it, cancel it, look at it.

    It is an asyncio future of the loop on which it was started, and may be awaited on any other
    loop as well. A failure that nobody looks at is reported to the loop's exception handler when
    the handle goes away.
    """

    _asyncio_future_blocking: bool
    @property
    def _loop(self) -> asyncio.AbstractEventLoop: ...
    @property
    def id(self) -> str:
        """Identifier, unique in the session: ``"r7"``."""
    @property
    def number(self) -> int:
        """The number in it; also the version of what the run writes."""
    @property
    def process(self) -> Any:
        """The process."""
    @property
    def name(self) -> str:
        """Name of the process."""
    @property
    def status(self) -> str:
        """Where it stands, or how it ended.

        ``waiting`` (for inputs), ``queued`` (for a worker), ``running``, ``finished``,
        ``failed``, ``cancelled`` or ``abandoned`` (given up while its thread goes on).
        """
    @property
    def ready(self) -> bool:
        """Whether all inputs are there."""
    @property
    def has_ended(self) -> bool:
        """Whether it has ended, even if its loop does not know yet (then ``done()`` is False)."""
    @property
    def lane(self) -> str:
        """``"loop"``, ``"cell"`` or ``"worker 2"``; empty before a worker has taken it."""
    @property
    def engine(self) -> Engine:
        """The engine it belongs to."""
    @property
    def bridge(self) -> Bridge:
        """Leads to the loop it belongs to."""
    @property
    def submitted_ns(self) -> int:
        """When it was submitted."""
    @property
    def started_ns(self) -> int | None:
        """When its body started."""
    @property
    def ended_ns(self) -> int | None:
        """When it ended."""
    @property
    def elapsed(self) -> float:
        """Seconds from start to end, or to now; 0.0 before the start."""
    @property
    def outputs(self) -> dict[str, Any]:
        """What it committed by path; or would have, after a `NotebookConflictError`."""
    @property
    def unseen(self) -> bool:
        """Whether it has failed and nobody has looked at how."""
    @property
    def cancel_requested(self) -> bool:
        """Whether somebody asked for its end."""
    @property
    def cancelled_by_asyncio(self) -> bool:
        """Whether that was asyncio (a cancelled task, a gather) and not its owner."""
    def leave(self) -> None:
        """Note that its cell has ended: `await` asks the hooks whether it ``only_waits``."""
    @property
    def awaiter_cancelled(self) -> bool:
        """Whether that was asyncio, or the end of the task that awaited it."""

    task: Any
    def keep_outputs(self, outputs: dict[str, object]) -> None:
        """Show what would have been written in `outputs`."""
    def proceed(self) -> None:
        """Let a run go on whose inputs are there and whose limits allow it."""
    def request_stop(self) -> None:
        """Have `cancel_requested` say true: its time is up, though nobody cancelled the run."""
    def told(self) -> None:
        """Note that the body knows in this thread that it is to stop, and leaves by itself."""
    def alert(self) -> None:
        """Call the watchers: the body is to stop."""
    def begin_commit(self) -> bool:
        """Let the run be neither cancelled nor given up from here on. False if it was."""
    def give_up(self) -> bool:
        """Let the run not begin to commit from here on. False if it has begun."""
    @property
    def committing(self) -> bool:
        """Whether it is becoming visible, and too late to be stopped."""
    def begin_wait(self) -> None:
        """Record that the process we are in, if any, waits for this run from here on.

        Raises:
            DeadlockError: It could never end.
        """
    def set_gate(self, gate: asyncio.Future[None]) -> bool:
        """Have a future opened when the inputs are there. False if they are, or never will be."""
    def failure(self) -> BaseException | None:
        """The exception it has ended with; None if it has not, or not so."""
    def watch(self, function: Callable[[], object]) -> None:
        """Have a function called when it becomes ready, is to stop, and when it ends.

        In the thread where that happens; at once if it has ended.
        """
    def take(self) -> Any:
        """Return the value, or raise the exception, of a run that has ended.

        Raises:
            RunPendingError: It has not.
        """
    def __await__(self) -> Generator[Any, None, Any]:
        """Wait for the end.

        Returns:
            What the function returned.

        Raises:
            RunCancelledError: The run was cancelled by its owner.
            DeadlockError: It waits for the process that awaits it.

        Cancellation: cancelling the awaiting task cancels the run; in another cell than the one
            that started it, the run goes on.
        """
    def __iter__(self) -> Iterator[Any]: ...
    def get_loop(self) -> asyncio.AbstractEventLoop:
        """The loop it belongs to."""
    def add_done_callback(
        self, callback: Callable[[Run], object], /, *, context: contextvars.Context | None = None
    ) -> None:
        """Have a function called on the loop when the run is done, in a context (this one)."""
    def remove_done_callback(self, callback: Callable[[Run], object]) -> int:
        """Forget a callback; return how many there were."""
    def cancel(self, reason: object = None, *, msg: object = None) -> bool:
        """Ask for the end of the run.

        A waiting or queued run ends at once. A coroutine is cancelled. In a thread
        ``CancelledError`` is raised; one that does not stop within the session's grace is given
        up: the run ends as abandoned, and what the thread goes on to write is dropped.

        Args:
            reason: Shown to whoever awaits the run.
            msg: asyncio's own argument; awaiters then get ``CancelledError``.

        Returns:
            False if the run had ended already.
        """
    def _make_cancelled_error(self) -> asyncio.CancelledError: ...
    def cancelled(self) -> bool:
        """Whether it was cancelled by asyncio; a run its owner cancelled has an exception."""
    def done(self) -> bool:
        """Whether it has ended and its loop knows."""
    def result(self) -> Any:
        """Return the value or raise the exception; never blocks.

        Raises:
            RunPendingError: It is not done.
        """
    def exception(self) -> BaseException | None:
        """Return the exception, or None.

        Raises:
            RunPendingError: It is not done.
            asyncio.CancelledError: It was cancelled by asyncio.
        """

@final
class Definition:
    """What a process is to one engine. Made by `Engine.define`."""

@final
class Engine(_Looking, _Waits):
    """One session: the scheduler, the versioned values, the unfinished runs and the records.

    Args:
        hooks: The Python side, called to make exceptions and to do things on the loop's thread.
        current: Returns the access of the process we are in, or None.
        records: How many finished runs to remember.
        audit: Where to record everything for good.

    All methods raise `ForkedProcessError` in a forked child, and those that submit or write
    raise `SessionClosedError` after `close`, `PathShapeError` where a path would hold a value
    and children.
    """

    def __new__(
        cls,
        hooks: object,
        current: Callable[[], Access | None],
        records: int,
        audit: AuditLog | None = None,
    ) -> Engine: ...
    def define(
        self,
        name: str,
        source_hash: str,
        inputs: list[tuple[str, bool]],
        outputs: list[tuple[str, bool]],
        function: bool,
        gated: bool,
    ) -> Definition:
        """Make a process known; the lists hold ``(path, optional)`` in declared order.

        What a function returns is laid over its outputs; what a cell returns is not. Runs of a
        gated one are given to the hook ``arrive`` when their inputs are there, and to ``leave``
        when they have ended.
        """
    def submit(
        self,
        definition: Definition,
        process: object,
        bridge: Bridge,
        queue: WorkQueue,
        call: object,
        parent: Access | None,
    ) -> Run:
        """Submit a run to worker threads, with a copy of the caller's context variables."""
    def admit(
        self,
        definition: Definition,
        process: object,
        bridge: Bridge,
        task: object,
        parent: Access | None,
        awaited: bool,
        lane: str | None,
    ) -> Access | Run:
        """Admit a run that the caller executes itself, and start it if its inputs are there.

        Returns:
            The run's access if it was started. Else the run: it waits, its inputs are to be
            guarded by whoever calls `begin`, or it has failed already.

        Raises:
            DeadlockError: The parent waits for it, and it for the parent: it leaves no trace.
        """
    def replace(
        self,
        old: Run,
        definition: Definition,
        process: object,
        bridge: Bridge,
        queue: WorkQueue | None,
        call: object,
    ) -> Run:
        """Submit a run in place of an unfinished one, which the caller then cancels.

        Who waits for the old run waits for the new one, whose place is the newest; the old one
        commits nothing and fails nothing any more. If it has ended this is an ordinary submission,
        with its errors. Without a queue the caller executes the run on the loop.
        """
    def begin(self, run: Run, parent: Access | None) -> Access:
        """Start a ready run.

        Returns:
            Its access. The values in it are not guarded.

        Raises:
            MissingInputError: A required input was never written.
        """
    def finish(
        self,
        run: Run,
        value: object,
        writes: dict[str, object] | None = None,
        tell: Callable[[], object] | None = None,
    ) -> bool:
        """Commit a run and end it. False if it had ended: then nothing was committed.

        What is given as `tell` is called in between: before anybody hears of the end.

        Raises:
            PathShapeError: A written path would hold a value and children. Nothing was
                committed, the run has not ended.
        """
    def fail(self, run: Run, error: BaseException, *, reported: bool = False) -> bool:
        """End a run with an exception; its required outputs are failed. False if it had ended."""
    def abandon(self, run: Run, error: BaseException | None = None) -> bool:
        """Give up on a run whose thread goes on. False if it had ended."""
    def retry(
        self,
        run: Run,
        attempt: int,
        error: BaseException,
        call: object = None,
        context: contextvars.Context | None = None,
        parent: Access | None = None,
    ) -> bool:
        """Record a failed attempt and take the run back to where it waits for its turn.

        Args:
            run: It keeps its place in the order and its inputs.
            attempt: Which attempt it was, from 1.
            error: With what it has failed; the audit log gets its type.
            call: What the worker is given the next time.
            context: With which it runs then.
            parent: Access of the run in whose body it was started.

        Returns:
            False if it had ended, or somebody asked for its end.
        """
    def ancestors(self, run: Run) -> list[int]:
        """Numbers of the unfinished runs in whose bodies it was started, the nearest first."""
    def cancelled(self, run: Run) -> bool:
        """End a run whose body was stopped by a cancellation. False if it had ended."""
    def withdraw(self, run: Run, error: BaseException) -> bool:
        """End a run as if it had not been submitted. False if it had ended."""
    def publish(self, run: Run, writes: dict[str, object]) -> int:
        """Commit values in the middle of a run; return their version (0 if it had ended)."""
    def put(self, path: str, value: object = None, *, remove: bool = False) -> int:
        """Write or remove a path outside of any run; return the version."""
    def present(self, path: str) -> tuple[str, Any, int]:
        """Kind, value and version of a path.

        Kind is leaf, branch, missing or failed; the value is then ``(failed path, exception)``.
        """
    def provenance(
        self, path: str
    ) -> tuple[int, int | None, str | None, str | None, list[tuple[str, int]], int] | None:
        """Version, run, process, source hash, inputs, time of a value."""
    def look(self, run: Run, path: str) -> Any:
        """What a running run would read at a path now; None if there is no value."""
    def children(self, path: str) -> list[str]:
        """Names directly beneath a path that hold something; zones for the empty path."""
    def accept(self, path: str) -> tuple[list[str], str | None]:
        """Lift the failed marks at and beneath a path: those lifted, and a failed ancestor."""
    def failed_paths(self) -> list[tuple[str, BaseException | None]]:
        """Failed paths and why; None where a circle of waits was broken."""
    @property
    def hooks(self) -> Any:
        """The Python side."""
    def writers(self, path: str) -> list[Run]:
        """Unfinished runs that may write a path."""
    def blockers(self, run: Run) -> list[Run]:
        """Runs that a run waits for at present."""
    def unfinished(self) -> list[Run]:
        """Unfinished runs, oldest first."""
    def deny(self, run: Run, path: str, verb: str) -> None:
        """Record in the audit log that a run reached for what its contract does not grant."""
    def close(self) -> None:
        """Refuse new runs and writes from here on. Unfinished runs can still end."""
