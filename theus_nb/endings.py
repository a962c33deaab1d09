"""How runs end: failures, cancellations, notebook commits, and the words for each of them."""

from __future__ import annotations

import asyncio
import pathlib
import re
from typing import TYPE_CHECKING, Any, Final, Protocol

from theus_nb.access import telling
from theus_nb.contract import declares, grants
from theus_nb.errors import (
    DeadlockError,
    MissingInputError,
    RunCancelledError,
    UpstreamError,
    text_of,
)
from theus_nb.lanes import bridge_for
from theus_nb.stopper import Stopper, threads_go_on

if TYPE_CHECKING:
    from collections.abc import Callable

    from theus_nb._core import Access, Bridge, Engine, Run
    from theus_nb.attempts import Attempts
    from theus_nb.files import Files
    from theus_nb.notebook_zone import NotebookZone
    from theus_nb.registry import Registry

_PACKAGE: Final = str(pathlib.Path(__file__).parent)


_COMPLAINT: Final = re.compile(
    r"no (running|current) event loop|(same|main|different|another) thread|signal only works",
    re.IGNORECASE,
)
"""How asyncio, sqlite3, signal and others complain about the thread they are called in."""


def minds_its_thread(error: BaseException) -> bool:
    """Tell whether an exception complains about the thread in which something was called."""
    return _COMPLAINT.search(text_of(error)) is not None


def strip_frames(error: BaseException) -> BaseException:
    """Drop the frames of this package from the head of a traceback; return the exception."""
    trace = error.__traceback__
    while trace is not None and trace.tb_frame.f_code.co_filename.startswith(_PACKAGE):
        trace = trace.tb_next
    return error.with_traceback(trace)


def name_circle(engine: Engine, circle: list[int]) -> str:
    """Say which runs would wait for each other for ever."""
    names = {known.number: f"{known.id} {known.name!r}" for known in engine.unfinished()}
    steps = [names.get(number, f"r{number}") for number in circle]
    if steps and circle[-1] != circle[0]:
        steps.append(steps[0])
    return " waits for ".join(steps)


class Awaits(Protocol):
    """Where runs are awaited: in a notebook, in cells."""

    def cancelled(self, run: Run) -> None:
        """Hear of a run whose awaiter saw no more than a ``CancelledError``."""

    def only_waits(self, run: Run) -> bool:
        """Hear that a run is awaited here, and tell whether that is only to wait for it."""


class Endings:
    """The Python side of the engine: it is called when something must be said or bound.

    Args:
        zone: The notebook's variables.
        registry: Where to look for the process that would produce a missing input.
    """

    engine: Engine
    attempts: Attempts
    stopper: Stopper
    files: Files

    def __init__(self, zone: NotebookZone, registry: Registry) -> None:
        self._zone = zone
        self._registry = registry
        # Whether a task was ever cancelled for a run: until then nobody needs to be asked.
        self.cancelled_tasks = False
        self.awaits: Awaits | None = None

    # -- called by the engine ---------------------------------------------------------------

    def arrive(self, run: Run) -> None:
        """Let a run that has its inputs take its turn; its process has limits."""
        self.attempts.arrive(run)

    def leave(self, run: Run) -> None:
        """Let the next one go on; a run of a process with limits has ended."""
        self.attempts.leave(run)

    def stop_thread(self, run: Run) -> None:
        """Stop a run that executes in a worker thread."""
        self.stopper.stop(run)

    def only_waits(self, run: Run) -> bool:
        """Tell whether to await a run here, when its cell has ended, is only to wait for it."""
        return self.awaits is not None and self.awaits.only_waits(run)

    def bridge_for(self, loop: asyncio.AbstractEventLoop) -> Bridge:
        """Return the bridge of a loop on which a run of another loop is awaited."""
        return bridge_for(loop)

    def open_gate(self, gate: asyncio.Future[None]) -> None:
        """Let the coroutine go on that waits for its inputs."""
        if not gate.done():
            gate.set_result(None)

    def cancel_task(self, run: Run, task: asyncio.Task[Any]) -> None:
        """Cancel the task in which a run executes, from whichever thread asks."""
        self.cancelled_tasks = True
        reason = f"run {run.id} of {run.name!r} was cancelled"
        loop = task.get_loop()
        try:
            here = asyncio.get_running_loop() is loop
        except RuntimeError:
            here = False
        if here:
            task.cancel(reason)
        else:
            loop.call_soon_threadsafe(task.cancel, reason)

    def missing(self, run: Run, path: str) -> MissingInputError:
        """Explain an input that was never written, and who would write it."""
        makers = [
            process.name
            for process in self._registry
            if any(grants(o, path) or grants(path, o) for o in process.layout.outputs)
        ]
        if makers:
            listed = " or ".join(f"`{name}`" for name in makers)
            verb = "declares" if len(makers) == 1 else "declare"
            advice = f"{listed} {verb} it as output: run it first"
        else:
            advice = f"no process declares it as output: assign theus.state[{path!r}]"
        msg = (
            f"process {run.name!r} needs {path!r}, which has never been written; {advice}, "
            f"or declare {path + '?'!r} if it may be missing"
        )
        return MissingInputError(msg, process=run.name, path=path, run_id=run.id)

    def upstream(self, run: Run, path: str, cause: BaseException) -> UpstreamError:
        """Explain that a run cannot start because an input is failed; both ways out."""
        kind, _, number = self.engine.present(path)
        writer = next((s for s in self.engine.spans() if s[0] == number), None)
        by = f" by run r{writer[0]} of `{writer[2]}`" if kind == "failed" and writer else ""
        again = f"run `{writer[2]}` again" if by and writer else "write it again"
        text = text_of(cause).partition("\n")[0]
        msg = (
            f"process {run.name!r} cannot run: its input {path!r} was left failed{by} "
            f"({type(cause).__name__}: {text}). Either {again}, or take the state as it is with "
            f"`%theus accept {path}` (theus.state.accept({path!r}))"
        )
        error = UpstreamError(msg, process=run.name, path=path, run_id=run.id)
        error.__cause__ = cause
        return error

    def deadlock(self, run: Run, circle: list[int]) -> DeadlockError:
        """Name the runs that would wait for each other for ever."""
        msg = (
            f"awaiting run {run.id} of {run.name!r} would never end: "
            f"{name_circle(self.engine, circle)}. "
            "Start it and return, or await it outside of the process it waits for"
        )
        return DeadlockError(msg, process=run.name, run_id=run.id)

    def cancelled(self, run: Run, reason: object, status: str) -> RunCancelledError:
        """Say that a run was cancelled, and whether its thread goes on."""
        why = f": {reason}" if reason is not None else ""
        tail = ""
        if status == "abandoned":
            tail = f"; {threads_go_on([run], run.name)}"
        msg = f"run {run.id} of {run.name!r} was cancelled{why}{tail}"
        return RunCancelledError(msg, process=run.name, run_id=run.id)

    # -- called by the dispatcher -------------------------------------------------------------

    def fail(self, run: Run, error: BaseException, *, reported: bool = False) -> None:
        """End a run with an exception of its body.

        Args:
            run: The run.
            error: The exception; its traceback loses our own frames.
            reported: Whether somebody is being told anyway, by a raise.
        """
        mine = isinstance(error, RunCancelledError) and error.run_id == run.id
        if isinstance(error, asyncio.CancelledError) or (mine and run.cancel_requested):
            self.engine.cancelled(run)  # raised in a thread, by the body itself or on request
            return
        declared = run.process.contract.errors
        if declared and not declares(declared, error):
            error.add_note(
                f"process {run.name!r} does not declare {type(error).__name__} among its errors"
            )
        if run.process.kind == "function" and run.lane != "loop" and minds_its_thread(error):
            error.add_note(
                f"process {run.name!r} ran in a worker thread; code that needs the main thread or "
                'its event loop runs there with @process(..., lane="loop")'
            )
        self.engine.fail(run, strip_frames(error), reported=reported)

    def cancelled_here(self, run: Run, error: asyncio.CancelledError) -> BaseException:
        """End a run whose coroutine was cancelled; return what its awaiter is to see.

        A run cancelled by its owner raises `RunCancelledError`, and the task that awaited it is
        not cancelled: the request that stopped the coroutine is taken back. A request that came
        from asyncio stays what it is.
        """
        self.engine.cancelled(run)
        failure = run.failure()
        if failure is not None and self.forgive(run) == 0:
            return failure
        self.awaiter_cancelled(run)
        return error

    def awaiter_cancelled(self, run: Run) -> None:
        """Have it known that the task which awaited a run was cancelled, and the run with it."""
        if self.awaits is not None:
            self.awaits.cancelled(run)

    def forgive(self, run: Run) -> int:
        """Take back the cancellation that a run's owner asked for; return how many remain."""
        task = asyncio.current_task()
        if task is None:
            return 0
        if run.cancel_requested and not run.cancelled_by_asyncio:
            return task.uncancel()
        return task.cancelling()

    async def commit_files(
        self,
        commit: Callable[[Run, Access, object], object],
        access: Access,
        value: object,
        writes: dict[str, object],
    ) -> None:
        """Put the files that a run has staged in their places, then commit the rest of it.

        Raises:
            NotebookConflictError: A plain cell rebound an output: nothing was done.
            FileWriteError: A file could not be put in its place: the state is not committed.
        """
        run = access.run
        conflict = self._zone.conflict(self.engine, run, writes)
        if conflict is not None:
            run.keep_outputs(writes)
            raise conflict
        staged, access.staged = access.staged, None
        late = await staged.publish(run) if staged is not None else None
        commit(run, access, value)
        if late is not None:
            raise late

    def commit_notebook(
        self, run: Run, access: Access, value: object, writes: dict[str, object]
    ) -> None:
        """Commit a run that binds notebook variables. On the main thread.

        Raises:
            NotebookConflictError: A plain cell rebound an output since the run was submitted.
        """
        conflict = self._zone.conflict(self.engine, run, writes)
        if conflict is not None:
            run.keep_outputs(writes)
            raise conflict
        if self.engine.finish(run, value, writes, telling(access, writes)):
            self._zone.bind(self.engine, run.number, writes, access.definitions)

    def commit_notebook_or_fail(
        self, run: Run, access: Access, value: object, writes: dict[str, object]
    ) -> None:
        """Do the same for a run that executed in a worker: an error ends the run."""
        try:
            self.commit_notebook(run, access, value, writes)
        except BaseException as error:  # noqa: BLE001 - whatever it is, it ends the run
            self.fail(run, error)
