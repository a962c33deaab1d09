"""The way of one run: choose a lane, admit, execute, commit, record."""

from __future__ import annotations

import asyncio
import sys
from asyncio import _get_running_loop
from typing import TYPE_CHECKING, Any, Final

from theus_nb import _core
from theus_nb.access import Access, current
from theus_nb.context import Context
from theus_nb.decorator import find
from theus_nb.endings import Endings
from theus_nb.errors import DeadlockError, SessionError
from theus_nb.guard import PLAIN
from theus_nb.lanes import Call, WorkerLanes, bridge_for
from theus_nb.outputs import collect
from theus_nb.process import Process
from theus_nb.waiting import either

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from theus_nb._core import Bridge, Definition, Run
    from theus_nb.notebook_zone import NotebookZone
    from theus_nb.registry import Registry

RECORDS: Final = 1_000  # finished runs that a session remembers, without their values

Admitted = tuple["Run", bool, "dict[str, object] | None"]

if sys.version_info >= (3, 12):
    current_task = asyncio.current_task
else:
    # The public function is written in Python there and asks for the running loop once more.
    current_task = asyncio.tasks._current_tasks.get  # type: ignore[attr-defined]  # noqa: SLF001

_NO_CALL: Final[Call] = ((), {}, None)


class Handle:
    """A run that was admitted before its body is executed; what `Dispatcher.run` is given then."""

    __slots__ = ("admitted", "process")

    def __init__(self, process: Process, admitted: Admitted) -> None:
        self.process = process
        self.admitted = admitted


def awaits(process: Process, value: object) -> bool:
    """Tell whether a ``def`` returned an awaitable: it is awaited, not handed back."""
    cls = type(value)
    return cls not in PLAIN and hasattr(cls, "__await__") and process.kind == "function"


class Dispatcher:
    """Runs processes: async ones on the loop they are awaited on, sync ones in worker threads.

    Args:
        workers: Number of worker threads.
        zone: The notebook's variables, if there is a notebook.
        registry: The processes known by name.
    """

    def __init__(self, workers: int, zone: NotebookZone, registry: Registry) -> None:
        self.zone, self.registry = zone, registry
        self.output_route: Callable[[], Callable[[], None]] | None = None
        self.endings = Endings(zone, registry)
        self.engine = _core.Engine(self.endings, current, RECORDS)
        self.endings.engine = self.engine
        self.lanes = WorkerLanes(workers, self.execute)
        self.loop: asyncio.AbstractEventLoop | None = None
        self._bridge: Bridge | None = None
        # asyncio holds tasks weakly; a started run must not vanish half-way.
        self._tasks: set[asyncio.Task[None]] = set()

    # -- where we are ---------------------------------------------------------------------

    def adopt_loop(self, loop: asyncio.AbstractEventLoop) -> None:
        """Make a loop the one that work from other threads is posted to. On its own thread."""
        self.loop = loop
        self._bridge = bridge_for(loop)

    def here(self) -> Bridge | None:
        """Return the bridge of the loop that runs in this thread, or None where none runs.

        The first loop seen becomes the session's.
        """
        loop = _get_running_loop()
        if loop is None:
            return None
        if loop is not self.loop and (self.loop is None or self.loop.is_closed()):
            self.adopt_loop(loop)
        return self._bridge if loop is self.loop else bridge_for(loop)

    def _anywhere(self) -> Bridge:
        """Return the bridge of this thread's loop, or else of the session's own.

        Raises:
            SessionError: There is no loop: nothing could ever be delivered.
        """
        bridge = self.here() or self._bridge
        if bridge is None or bridge.event_loop.is_closed():
            msg = "no event loop is running: use theus.run_sync(...), or start from async code"
            raise SessionError(msg)
        return bridge

    def _define(self, process: Process) -> Definition:
        """Make a process known to the engine. It keeps what that returns for the next time."""
        contract = process.contract
        definition = self.engine.define(
            process.name,
            process.source_hash,
            [(access.path, access.optional) for access in contract.inputs],
            [(access.path, access.optional) for access in contract.outputs],
        )
        process.defined = (self.engine, definition)
        return definition

    # -- sync processes ---------------------------------------------------------------------

    def submit(self, process: Process, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Run:
        """Submit a sync process to its worker lane; returns at once."""
        if process.layout.notebook_names:
            self.zone.sync(self.engine, process.layout.notebook_names)
        engine, definition = process.defined
        loop, bridge = _get_running_loop(), self._bridge
        parent = current.get()
        route = self.output_route
        return self.engine.submit(
            definition if engine is self.engine else self._define(process),
            process,
            bridge if loop is self.loop and loop and bridge else self._anywhere(),
            self.lanes.cells if process.lane == "cell" else self.lanes.pool,
            # Most runs have no arguments: an object less for each run that waits.
            (args, kwargs, route and route()) if args or kwargs or route else None,
            None if parent is None else parent.run,
        )

    def withdraw(self, run: Run, error: DeadlockError) -> None:
        """Take a run back whose await was refused: it leaves no trace."""
        self.engine.withdraw(run, error)

    def execute(
        self,
        run: Run,
        process: Process,
        call: Call | None,
        begun: tuple[dict[str, object] | None] | None = None,
    ) -> None:
        """Execute one run in the worker thread that took it, and end it.

        Args:
            run: The run.
            process: Its process.
            call: Its arguments and what to call before the body, if there are any.
            begun: Its inputs, if it has been started already.
        """
        args, kwargs, setup = call or _NO_CALL
        access: Access | None = None
        try:
            if setup is not None:
                setup()
            if begun is not None:
                reads = begun[0]
            else:
                reads = self.engine.begin(run) if process.layout.inputs else None
            access = Access(run, process, reads, current.get())
            current.set(access)  # the context is this run's own copy: nothing to restore
            value = process.fn(Context(access), *args, **kwargs)
            if awaits(process, value):
                run.bridge.post(self._continue_on_loop, run, access, value)
                access = None
            elif process.is_plain and access.violation is None and type(value) in PLAIN:
                self.engine.finish(run, value)
            else:
                self._commit(run, access, value)
        except BaseException as error:  # noqa: BLE001 - whatever a body raises ends its run
            self.endings.fail(run, error)
        finally:
            if access is not None:
                access.ended = True

    def _commit(self, run: Run, access: Access, value: object) -> Any:  # noqa: ANN401 - None, or awaitable
        """Lay the value over the outputs and commit; on a loop, files are awaited first."""
        writes = collect(access, value)
        if access.staged is not None:
            return either(self.endings.commit_files(self._commit, access, value, writes or {}))
        if access.process.layout.commits_on_loop or access.definitions:
            arguments = (run, access, value, writes or {})
            if access.run.lane == "loop":
                self.endings.commit_notebook(*arguments)
            else:
                # The main thread's loop, whichever loop awaits the run.
                (self._bridge or run.bridge).post(self.endings.commit_notebook_or_fail, *arguments)
        elif self.engine.finish(run, value, writes) and access.parent is not None and writes:
            access.tell_parents(writes)
        return None

    def _continue_on_loop(self, run: Run, access: Access, value: Awaitable[Any]) -> None:
        """Go on with a ``def`` that returned an awaitable: it is awaited, not handed back."""

        async def rest() -> None:
            token = current.set(access)
            try:
                if files := self._commit(run, access, await value):
                    await files
            except asyncio.CancelledError:
                self.engine.cancelled(run)
                raise
            except BaseException as error:  # noqa: BLE001 - whatever a body raises ends its run
                self.endings.fail(run, error)
            finally:
                access.ended = True
                current.reset(token)

        run.task = self._keep(run, asyncio.get_running_loop().create_task(rest()))

    # -- async processes --------------------------------------------------------------------

    def admit(
        self,
        process: Process,
        parent: Access | None,
        awaited: bool,  # noqa: FBT001 - positional, because every run passes here
        in_task: bool = False,  # noqa: FBT001, FBT002 - likewise
        lane: str | None = None,
    ) -> Admitted:
        """Admit a process that the caller will execute, on the loop or in its own lane.

        Args:
            process: The process.
            parent: Access of the process we are in.
            awaited: Whether that one waits for it.
            in_task: Whether it will run in the task we are in.
            lane: Name of the worker lane that executes it, if it is not the loop.

        Returns:
            The run; whether it was started already, because all inputs were there; and then
            their values by path.
        """
        if process.layout.notebook_names:
            self.zone.sync(self.engine, process.layout.notebook_names)
        engine, definition = process.defined
        loop, bridge = _get_running_loop(), self._bridge
        return self.engine.admit(
            definition if engine is self.engine else self._define(process),
            process,
            bridge if loop is self.loop and loop and bridge else self._anywhere(),
            current_task(loop) if in_task else None,
            None if parent is None else parent.run,
            awaited,
            lane,
        )

    async def run(self, process: object, /, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401, C901, PLR0912
        """Run a process and return its function's value.

        The run is submitted at the first step of this coroutine. An async process is awaited in
        the calling task, on the loop that runs it; a sync one goes to a worker thread with a
        copy of the caller's context variables.

        Args:
            process: A process, its name, or a function decorated by the ``theus`` package.
            *args: Passed to the function after its context.
            **kwargs: Likewise.

        Returns:
            What the function returned.

        Raises:
            UnknownProcessError: No process has this name.
            MissingInputError: An input was never written.
            UpstreamError: An input is failed.
            ContractViolationError: The body broke its contract.
            OutputError: What it returned does not fit its outputs.
            DeadlockError: It would wait for the process that awaits it.
            RunCancelledError: Somebody cancelled the run.
            Exception: Whatever the function raised.

        Cancellation: cancelling the awaiting task cancels the run: its coroutine is cancelled; a
            thread goes on and what it writes is dropped.

        Example:
            >>> await theus.run("fetch")                       # doctest: +SKIP
        """
        admitted = None
        if type(process) is not Process:
            process, admitted = self._resolve(process)
        if not process.on_loop:
            submitted = self.submit(process, args, kwargs)
            try:
                return await submitted
            except DeadlockError as error:
                self.withdraw(submitted, error)
                raise
        parent = current.get()
        run, started, reads = admitted or self.admit(process, parent, True, True)  # noqa: FBT003
        access = token = None
        try:
            if not started:
                reads = await self._inputs(run)
            access = Access(run, process, reads, parent)
            token = current.set(access)
            value = process.fn(Context(access), *args, **kwargs)
            if process.is_async or awaits(process, value):
                value = await value
            if process.is_plain and access.violation is None and type(value) in PLAIN:
                self.engine.finish(run, value)
            elif files := self._commit(run, access, value):
                await files
        except asyncio.CancelledError as error:
            seen = self.endings.cancelled_here(run, error)
            if seen is error:
                raise
            raise seen from None
        except BaseException as error:
            self.endings.fail(run, error, reported=admitted is None)
            raise
        finally:
            if access is not None:
                access.ended = True
            if token is not None:
                current.reset(token)
        if self.endings.cancelled_tasks and run.cancel_requested:
            self.endings.forgive(run)  # the body swallowed the request and went on
        return value

    def _resolve(self, process: object) -> tuple[Process, Admitted | None]:
        """Return the process meant, and its run if it was admitted before."""
        if type(process) is Handle:
            return process.process, process.admitted
        return find(self.registry, process), None

    async def _inputs(self, run: Run) -> dict[str, object] | None:
        """Wait until a run's inputs are there and start it; raise if they never will be."""
        gate: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        if run.set_gate(gate):
            await gate
        failure = run.failure()
        if failure is not None:
            raise failure
        return self.engine.begin(run)

    def start(self, process: Process, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Run:
        """Submit a process and return its handle at once, from any thread."""
        if not process.on_loop:
            return self.submit(process, args, kwargs)
        admitted = self.admit(process, current.get(), False)  # noqa: FBT003 - see there
        run = admitted[0]
        loop = run.get_loop()
        if run.bridge is self.here():
            self._launch(admitted, args, kwargs)
        else:
            loop.call_soon_threadsafe(self._launch, admitted, args, kwargs)
        return run

    def _launch(self, admitted: Admitted, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        run = admitted[0]
        if not run.has_ended:
            coroutine = self._drive(admitted, args, kwargs)
            task = run.get_loop().create_task(coroutine, name=run.name)
            run.task = self._keep(run, task)

    async def _drive(
        self, admitted: Admitted, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> None:
        """Execute a started run in a task of its own; its handle tells how it ended."""
        run = admitted[0]
        try:
            await self.run(Handle(run.process, admitted), *args, **kwargs)
        except asyncio.CancelledError:
            self.engine.cancelled(run)
        except BaseException as error:  # noqa: BLE001 - the handle tells, or reports it at its end
            self.engine.fail(run, error)

    def _keep(self, run: Run, task: asyncio.Task[None]) -> asyncio.Task[None]:
        """Hold a task until it ends, and end its run if the task could not."""

        def ended(task: asyncio.Task[None]) -> None:
            self._tasks.discard(task)
            if task.cancelled():  # before its first step: the coroutine never saw it
                self.engine.cancelled(run)

        self._tasks.add(task)
        task.add_done_callback(ended)
        return task

    def tasks(self) -> list[asyncio.Task[None]]:
        """Return the tasks of started runs that have not ended."""
        return list(self._tasks)

    def close(self, reason: str) -> None:
        """Refuse new runs, cancel the unfinished ones, let the threads leave."""
        self.engine.close()
        for run in self.engine.unfinished():
            run.cancel(reason)
        self.lanes.close()
