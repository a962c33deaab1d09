"""The way of one run: choose a lane, admit, execute, commit, record."""

from __future__ import annotations

import asyncio
import sys
import weakref
from asyncio import _get_running_loop
from typing import TYPE_CHECKING, Any, Final

from theus_nb._core import Access, Engine
from theus_nb.access import begin, current, telling
from theus_nb.admitted import Handle, awaits, body_over, run_of
from theus_nb.attempts import Attempt, Attempts
from theus_nb.decorator import find
from theus_nb.endings import Endings
from theus_nb.errors import DeadlockError, SessionError
from theus_nb.lanes import Call, WorkerLanes, bridge_for
from theus_nb.outputs import collect
from theus_nb.process import Process
from theus_nb.stopper import Stopper
from theus_nb.tasks import Tasks
from theus_nb.timer import Timer
from theus_nb.waiting import either

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from theus_nb._core import Bridge, Definition, Run
    from theus_nb.admitted import Admitted
    from theus_nb.audit import Audit
    from theus_nb.deadline import Deadline
    from theus_nb.notebook_zone import NotebookZone
    from theus_nb.registry import Registry

RECORDS: Final = 1_000  # finished runs that a session remembers, without their values

if sys.version_info >= (3, 12):
    current_task = asyncio.current_task
else:
    # The public function is written in Python there and asks for the running loop once more.
    current_task = asyncio.tasks._current_tasks.get  # type: ignore[attr-defined]  # noqa: SLF001


class Dispatcher:
    """Runs processes: async ones on the loop they are awaited on, sync ones in worker threads.

    Args:
        workers: Number of worker threads.
        zone: The notebook's variables, if there is a notebook.
        registry: The processes known by name.
        audit: Records everything.
        grace: Seconds a body in a worker thread is given to stop.
    """

    def __init__(
        self, workers: int, zone: NotebookZone, registry: Registry, audit: Audit, grace: float
    ) -> None:
        self.audit, self.zone, self.registry = audit, zone, registry
        self.grace = grace
        self.output_route: Callable[[], Callable[[], None]] | None = None
        self.endings = Endings(zone, registry)
        self.engine = Engine(self.endings, current.get, RECORDS, audit.log)
        self.endings.engine = self.engine
        self.lanes = WorkerLanes(workers, self.execute)
        self.timer = Timer()
        self.stopper = Stopper(self.engine, self.lanes, self.timer, grace)
        self.attempts = Attempts(self.engine, self.timer, self.stopper)
        self.endings.attempts, self.endings.stopper = self.attempts, self.stopper
        self.loop: asyncio.AbstractEventLoop | None = None
        # Loops that end with the run they were made for: nobody else may rely on one of them.
        self.passing: weakref.WeakSet[asyncio.AbstractEventLoop] = weakref.WeakSet()
        self._bridge: Bridge | None = None
        self.tasks = Tasks(self.engine, self.run)

    # -- where we are ---------------------------------------------------------------------

    def adopt_loop(self, loop: asyncio.AbstractEventLoop) -> None:
        """Make a loop the one that work from other threads is posted to. On its own thread."""
        bridge = bridge_for(loop)
        # Other threads look at the loop first: it must not be there before its bridge.
        self._bridge = bridge
        self.loop = loop
        self.engine.watch_loop(bridge)

    def here(self) -> Bridge | None:
        """Return the bridge of this thread's loop, if any; the first that stays is adopted."""
        loop = _get_running_loop()
        if loop is None:
            return None
        unadopted = self.loop is None or self.loop.is_closed()
        if loop is not self.loop and unadopted and loop not in self.passing:
            self.adopt_loop(loop)
        return self._bridge if loop is self.loop else bridge_for(loop)

    def anywhere(self) -> Bridge:
        """Return the bridge of this thread's loop, of the session's, or of the run we are in.

        Raises:
            SessionError: There is no loop: nothing could ever be delivered.
        """
        access = current.get()
        for bridge in (self.here(), self._bridge, access and access.run.bridge):
            if bridge is not None and not bridge.event_loop.is_closed():
                return bridge
        msg = "no event loop is running: use theus.run_sync(...), or start from async code"
        raise SessionError(msg)

    def define(self, process: Process) -> Definition:
        """Make a process known to the engine. It keeps what that returns for the next time."""
        contract = process.contract
        definition = self.engine.define(
            process.name,
            process.source_hash,
            [(access.path, access.optional) for access in contract.inputs],
            [(access.path, access.optional) for access in contract.outputs],
            process.kind == "function",
            process.policy is not None and process.policy.is_gated,
        )
        process.defined = (self.engine, definition)
        self.audit.define(process)
        return definition

    # -- sync processes ---------------------------------------------------------------------

    def submit(self, process: Process, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Run:
        """Submit a sync process to its worker lane; returns at once."""
        if process.layout.notebook_names:
            self.zone.sync(self.engine, process.layout.notebook_names)
        engine, definition = process.defined
        loop, bridge = _get_running_loop(), self._bridge
        route = self.output_route
        # Most runs have no arguments: an object less for each run that waits.
        call = (args, kwargs, route and route()) if args or kwargs or route else None
        return self.engine.submit(
            definition if engine is self.engine else self.define(process),
            process,
            bridge if loop is self.loop and loop and bridge else self.anywhere(),
            self.lanes.cells if process.lane == "cell" else self.lanes.pool,
            Attempt(process, call) if process.has_attempts else call,
            current.get(),
        )

    def execute(  # noqa: C901 - every run passes here: no calls that only tidy up
        self, run: Run, process: Process, call: Call | Attempt | None, access: Access | None
    ) -> None:
        """Execute one run in the worker thread that took it, and end it.

        Args:
            run: The run.
            process: Its process.
            call: Its arguments and what to call before the body, if there are any.
            access: Its access, if it has been started already.
        """
        attempt = None
        try:
            if access is None:
                self.audit.wait_for_room(run)
                access = begin(self.engine, run, current.get())
            if isinstance(call, Attempt):
                attempt, call = call, call.call
                self.attempts.start(run, attempt)
            current.set(access)  # the context is this run's own copy: nothing to restore
            if call is None:
                value = process.fn(access.context)
            else:
                args, kwargs, setup = call
                if setup is not None:
                    setup()
                value = process.fn(access.context, *args, **kwargs)
            if attempt is not None:
                self.attempts.check_time(attempt)
            if access.finish(value):
                access = None
            elif awaits(process, value):
                run.bridge.post(self._continue_on_loop, run, access, value, attempt)
                access = None
            else:
                self._commit(run, access, value)
        except BaseException as error:  # noqa: BLE001 - whatever a body raises ends its run
            self._failed(run, attempt, access, error)
        if attempt is not None:
            self.attempts.end(run, attempt)
        if access is not None:
            access.ended = True

    def _failed(
        self, run: Run, attempt: Attempt | None, access: Access | None, error: BaseException
    ) -> None:
        """End a run whose body has failed in a thread, unless there is another attempt."""
        if attempt is not None and access is not None:
            error = self.attempts.explain(run, attempt, error)
            if self.attempts.again(access, attempt, error):
                return
        self.endings.fail(run, error)

    def _commit(self, run: Run, access: Access, value: object) -> Any:  # noqa: ANN401 - None, or awaitable
        """Lay the value over the outputs and commit; on a loop, files are awaited first."""
        writes = collect(access, value)
        if access.staged is not None:
            return either(self.endings.commit_files(self._commit, access, value, writes or {}))
        if access.process.layout.commits_on_loop or access.definitions:
            arguments = (run, access, value, writes or {})
            if run.lane == "loop":
                self.endings.commit_notebook(*arguments)
            else:
                # The main thread's loop, whichever loop awaits the run.
                bridge = self._bridge or run.bridge
                bridge.post(self.endings.commit_notebook_or_fail, *arguments)
            return None
        self.engine.finish(run, value, writes, telling(access, writes))
        return None

    def _continue_on_loop(
        self, run: Run, access: Access, value: Awaitable[Any], attempt: Attempt | None
    ) -> None:
        """Go on with a ``def`` that returned an awaitable: it is awaited, not handed back."""

        async def rest() -> None:
            token = current.set(access)
            limit = asyncio.timeout(None if attempt is None else attempt.policy.timeout)
            try:
                async with limit:
                    result = await value
                files = self._commit(run, access, result)
                if files is not None:
                    await files
            except asyncio.CancelledError:
                self.engine.cancelled(run)
                raise
            except BaseException as error:  # noqa: BLE001 - whatever a body raises ends its run
                if attempt is not None:
                    attempt.is_over = limit.expired()
                self._failed(run, attempt, access, error)
            finally:
                access.ended = True
                current.reset(token)

        run.task = self.tasks.keep(run, asyncio.get_running_loop().create_task(rest()))

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
            The access of the run if it was started, because all inputs were there; else the run.
        """
        if process.layout.notebook_names:
            self.zone.sync(self.engine, process.layout.notebook_names)
        engine, definition = process.defined
        loop, bridge = _get_running_loop(), self._bridge
        return self.engine.admit(
            definition if engine is self.engine else self.define(process),
            process,
            bridge if loop is self.loop and loop and bridge else self.anywhere(),
            current_task(loop) if in_task else None,
            parent,
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

        Cancellation: cancelling the awaiting task cancels the run: its coroutine is cancelled, its
            thread stopped, or given up after a grace: then what it writes is dropped.

        Example:
            >>> await theus.run("fetch")                       # doctest: +SKIP
        """
        found = None
        if type(process) is not Process:
            process, found = self._resolve(process)
        if not process.on_loop:
            submitted = self.submit(process, args, kwargs)
            try:
                return await submitted
            except DeadlockError as error:
                self.engine.withdraw(submitted, error)
                raise
            except asyncio.CancelledError:
                self.endings.awaiter_cancelled(submitted)
                raise
        parent = current.get()
        admitted = found or self.admit(process, parent, True, True)  # noqa: FBT003
        access = token = None
        try:
            access = admitted if type(admitted) is Access else await self._inputs(admitted, parent)
            token = current.set(access)
            if process.has_attempts:
                access, value = await self.attempts.on_loop(access, args, kwargs, self._commit)
            else:
                value = process.fn(access.context, *args, **kwargs)
                if process.is_async or awaits(process, value):
                    value = await value
                if not access.finish(value):
                    files = self._commit(access.run, access, value)
                    if files is not None:
                        await files
                    access.ended = True
        except asyncio.CancelledError as error:
            seen = self.endings.cancelled_here(body_over(admitted, access), error)
            if seen is error:
                raise
            raise seen from None
        except BaseException as error:
            self.endings.fail(body_over(admitted, access), error, reported=found is None)
            raise
        finally:
            if token is not None:
                current.reset(token)
        if self.endings.cancelled_tasks and access.run.cancel_requested:
            self.endings.forgive(access.run)  # the body swallowed the request and went on
        return value

    def _resolve(self, process: object) -> tuple[Process, Admitted | None]:
        """Return the process meant, and its run if it was admitted before."""
        if type(process) is Handle:
            return process.process, process.admitted
        return find(self.registry, process), None

    async def _inputs(self, run: Run, parent: Access | None) -> Access:
        """Wait until a run's inputs are there and start it; raise if they never will be."""
        gate: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        if run.set_gate(gate):
            await gate
        await self.audit.room()
        failure = run.failure()
        if failure is not None:
            raise failure
        return begin(self.engine, run, parent)

    def start(self, process: Process, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Run:
        """Submit a process and return its handle at once, from any thread."""
        if not process.on_loop:
            return self.submit(process, args, kwargs)
        admitted = self.admit(process, current.get(), False)  # noqa: FBT003 - see there
        return self.launch(admitted, args, kwargs)

    def launch(self, admitted: Admitted, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Run:
        """Give an admitted run its task, on its loop, from any thread; return the run."""
        run = run_of(admitted)
        if run.bridge is self.here():
            self.tasks.launch(admitted, args, kwargs)
        else:
            run.get_loop().call_soon_threadsafe(self.tasks.launch, admitted, args, kwargs)
        return run

    def close(self, reason: str, deadline: Deadline) -> None:
        """Refuse new runs and cancel the unfinished ones; what does not stop is given up."""
        self.engine.close()
        # Nothing below may need another thread: while the interpreter ends, Python 3.12 and later
        # start none. So nothing is put off, and who is given up is not replaced.
        self.timer.close(0)
        for run in self.engine.unfinished():
            run.cancel(reason)
        self.lanes.refuse()
        self.stopper.close(deadline.within(self.grace))

    def leave(self, deadline: Deadline) -> None:
        """Let the threads leave."""
        self.timer.close(deadline.left())
        self.lanes.close(deadline)
