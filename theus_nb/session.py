"""The session: the one place where the parts are wired together."""

from __future__ import annotations

import asyncio
import functools
import weakref
from typing import TYPE_CHECKING, Any, Self

from theus_nb.access import publishers
from theus_nb.audit import Audit
from theus_nb.audit_options import is_durable
from theus_nb.audit_sync import durably, run_durably
from theus_nb.deadline import EXIT, LEAVING, THREADS, Deadline, call_at_exit
from theus_nb.decorator import find
from theus_nb.dispatcher import Dispatcher
from theus_nb.errors import ContractError
from theus_nb.files import Files
from theus_nb.lanes import check_workers, default_workers, release_bridge
from theus_nb.notebook_zone import Namespace, NotebookZone
from theus_nb.process import Process
from theus_nb.publishing import NotebookPublisher
from theus_nb.registry import Registry
from theus_nb.registry import default as default_registry
from theus_nb.replacing import replace
from theus_nb.run import Runs
from theus_nb.signals import Signals
from theus_nb.state import State
from theus_nb.stopper import GRACE
from theus_nb.sync_entry import run_sync
from theus_nb.watch import LoopBlocked, LoopWatch

if TYPE_CHECKING:
    import os
    from collections.abc import Callable
    from typing import Literal

    from theus_nb._core import Run
    from theus_nb.endings import Awaits
    from theus_nb.timeline.pump import Pump
    from theus_nb.timeline.widget import Timeline


class Session:
    """Runs processes over a shared, versioned state.

    In a notebook ``%load_ext theus_nb`` makes one and calls it ``theus``. In a script::

        async with Session(workers=4) as theus:
            await theus.run(fetch)

    Args:
        workers: Threads for sync processes; by default the number of cores, at least 4.
        grace: Seconds a body in a thread is given to stop when its run is cancelled or its time
            is up; then the run ends as abandoned.
        audit: Whether to write the audit log to disk; otherwise it is kept in memory.
        audit_dir: Where logs lie; by default the environment's ``THEUS_AUDIT_DIR``, or
            ``.theus/audit`` in the current directory. Only the last one gives way to memory
            where it cannot be written to, unless the policy is ``"stop"``.
        audit_errors: What the log says of exceptions: ``"type"`` (and where they came from), or
            ``"message"`` for their text too, which may contain anything.
        audit_policy: When the log cannot be written: ``"warn"`` once and go on, or ``"stop"``:
            no new run starts. The default is ``"warn"``; with ``durability="run"`` ``"stop"``.
        audit_full: When the disk cannot keep up: ``"drop"`` counts what the log has no room for,
            ``"wait"`` has bodies wait before they begin. The default is ``"drop"``; with
            ``durability="run"`` ``"wait"``.
        durability: ``"run"`` makes `run`, `run_sync` and the handles of `start` end when the
            run's entries have been confirmed by the disk.
        notebook: Path of the notebook, for the log.

    Raises:
        ContractError: An argument that makes no sense.
        AuditError: The place of the log cannot be written to, or the key file cannot be used.

    Attributes:
        audit: The audit log; see `Audit`.
        run: ``await theus.run(process, *args, **kwargs)`` runs a process and returns its value;
            see `Dispatcher.run`.
        state: The shared state.
        files: Writes files that are complete and durable; see `Files`.
        signals: Values published under topics; see `Signals`.
        runs: Records of the last 1,000 finished runs and of the unfinished ones.
        registry: The processes by name, this session's own before those of ``@process``.
        watch: Looks who blocks the loop while runs are there.
    """

    def __init__(  # noqa: PLR0913 - each is an option of its own
        self,
        *,
        workers: int | None = None,
        grace: float = GRACE,
        audit: bool = True,
        audit_dir: str | os.PathLike[str] | None = None,
        audit_errors: Literal["type", "message"] = "type",
        audit_policy: Literal["warn", "stop"] | None = None,
        audit_full: Literal["drop", "wait"] | None = None,
        durability: Literal["run"] | None = None,
        notebook: str | None = None,
    ) -> None:
        if type(audit) is not bool:
            msg = f"audit is True or False, not {audit!r}: audit_dir= says where the log goes"
            raise ContractError(msg)
        durable = is_durable(durability, on_disk=audit)
        if not (type(grace) in (int, float) and grace >= 0):
            msg = f"grace is a number of seconds, 0 or more, not {grace!r}"
            raise ContractError(msg)
        self._workers = default_workers() if workers is None else check_workers(workers)
        self.registry = Registry(default_registry)
        self._zone = NotebookZone()
        self.audit = Audit(
            on_disk=audit,
            directory=audit_dir,
            errors=audit_errors,
            policy=audit_policy or ("stop" if durable else "warn"),
            full=audit_full or ("wait" if durable else "drop"),
            durable=durable,
            notebook=notebook,
        )
        self._durable = durable
        dispatcher = Dispatcher(self._workers, self._zone, self.registry, self.audit, grace)
        self._dispatcher = dispatcher
        # Not a method that forwards: a second coroutine would cost each run more than admission.
        run = dispatcher.run
        self.run = durably(run, self.audit.sync) if self._durable else run
        self.state = State(dispatcher.engine, self._zone)
        self.runs = Runs(dispatcher.engine)
        self.watch = LoopWatch(dispatcher.engine, [dispatcher.lanes.pool, dispatcher.lanes.cells])
        self.watch.on_blocked = self.audit.blocked
        # Its thread must not outlive a session that nobody has closed.
        weakref.finalize(self, self.watch.close, 0.0).atexit = False
        self.files = dispatcher.endings.files = Files(self.audit)
        self.signals = Signals(lambda: dispatcher.loop, published=self.audit.published)
        self._closed = False
        publishers[dispatcher.engine] = NotebookPublisher(dispatcher)
        # Called with every run that `start` submitted; set by the notebook package.
        self.on_start: Callable[[Run], None] | None = None
        # The latest run of each background cell, by the name of its process.
        self.background: dict[str, Run] = {}
        self._pump: Pump | None = None
        self._forget_exit = call_at_exit(self.close_at_exit)

    # -- running --------------------------------------------------------------------------

    def start(self, process: object, /, *args: Any, **kwargs: Any) -> Run:  # noqa: ANN401
        """Submit a process and return its handle at once.

        The order among runs is that of these calls. The session keeps the run alive; a failure
        that nobody looks at is reported when the handle goes away.

        Args:
            process: A process, its name, or a function decorated by the ``theus`` package.
            *args: Passed to the function after its context.
            **kwargs: Likewise.

        Returns:
            The run: await it, gather it, ``.cancel()`` it, look at ``.status`` and ``.outputs``.

        Raises:
            UnknownProcessError: No process has this name.
            SessionError: No event loop is running, here or in the notebook.

        Cancellation: ``run.cancel()`` takes a waiting run out of the queue, cancels a coroutine,
            and raises ``CancelledError`` in a thread; a thread that does not stop within the
            session's grace is given up, and its writes are dropped.

        Example:
            >>> run = theus.start(crunch)                      # doctest: +SKIP
        """
        if type(process) is not Process:
            process = self.find(process)
        if process.on_loop:
            run = self._dispatcher.start(process, args, kwargs)
        else:
            run = self._dispatcher.submit(process, args, kwargs)
        if self.on_start is not None:
            self.on_start(run)
        return run

    def replace(self, old: Run, process: object, /, *args: Any, **kwargs: Any) -> Run:  # noqa: ANN401
        """Submit a process in place of an unfinished run, which is cancelled.

        Runs that wait for what the old run would have written wait for the new one instead. The
        new run is the newest in the order and reads the newest values; the old one commits
        nothing and fails nothing any more, what it has published stays. If the old run has ended,
        this is `start`.

        Args:
            old: The run whose place is taken.
            process: A process, its name, or a function decorated by the ``theus`` package.
            *args: Passed to the function after its context.
            **kwargs: Likewise.

        Returns:
            The new run.

        Raises:
            UnknownProcessError: No process has this name.
            SessionError: No event loop is running, here or in the notebook.

        Cancellation: the old run is cancelled as by ``old.cancel()``.

        Example:
            >>> run = theus.replace(run, poll)                 # doctest: +SKIP
        """
        fresh = replace(self._dispatcher, old, self.find(process), args, kwargs)
        if self.on_start is not None:
            self.on_start(fresh)
        return fresh

    def run_sync(self, process: object, /, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401
        """Run a process from synchronous code and block until it has ended.

        From a worker thread a sync process runs right there; an async one goes to the session's
        loop. On the thread of the running loop (a plain cell) the loop is entered a second time
        with nest-asyncio2, which is applied at the first such call and cannot be undone; before
        Python 3.14 it makes tasks two to three times slower. Without any loop ``asyncio.run``
        is used.

        Args:
            process: A process, its name, or a function decorated by the ``theus`` package.
            *args: Passed to the function after its context.
            **kwargs: Likewise.

        Returns:
            What the function returned.

        Raises:
            SyncEntryError: Inside an async process, inside another such call, or on a loop that
                cannot be entered twice: use ``await``.
            Exception: As for `run`.

        Cancellation: an interrupt of the blocked thread cancels the run.

        Example:
            >>> theus.run_sync("heavy")                        # doctest: +SKIP
        """
        run = functools.partial(run_sync, self, self._dispatcher, self.find(process), args, kwargs)
        return run_durably(run, self.audit.wait) if self._durable else run()

    def find(self, process: object) -> Process:
        """Return the process meant by a name, a process or a decorated function.

        Raises:
            UnknownProcessError: No process has this name.
            ContractError: This is nothing that could be run as a process.
        """
        return find(self.registry, process)

    # -- looking ----------------------------------------------------------------------------

    @property
    def processes(self) -> Registry:
        """The processes by name."""
        return self.registry

    @property
    def blocks(self) -> list[LoopBlocked]:
        """When the event loop stood still while runs had to wait, and who held it up."""
        return list(self.watch.blocks)

    def timeline(self, *, height: int = 280) -> Timeline:
        """Show what runs on the loop, what in workers, and what was recorded, live.

        Each call makes one more view; all of them are fed by one thread, which exists while
        there are views. Nothing is measured or kept before the first. Needs a notebook. The light
        line at the foot of a worker's bar is as long as its thread computed; else it waited.

        Args:
            height: Height of the lanes in pixels.

        Returns:
            A widget; as the last value of a cell it shows itself.

        Example:
            >>> theus.timeline()                               # doctest: +SKIP
        """
        from theus_nb.timeline.pump import Pump  # noqa: PLC0415 - only its users pay for it
        from theus_nb.timeline.source import Source  # noqa: PLC0415 - likewise
        from theus_nb.timeline.widget import Timeline  # noqa: PLC0415 - likewise

        if self._pump is None:
            engine, dispatcher = self._dispatcher.engine, self._dispatcher
            log = self.audit.log
            self._pump = Pump(Source(engine, self.registry, log, lambda: dispatcher.loop, self))
        return Timeline(self._pump, height=height)

    def cell_ended(self) -> None:
        """Say what happened to the log; renew what a saved notebook shows of the timeline."""
        self.audit.log.tell()
        if self._pump is not None:
            self._pump.cell_ended()

    # -- the notebook's side ------------------------------------------------------------------

    @property
    def namespace(self) -> Namespace | None:
        """The notebook's variables; set by the notebook package."""
        return self._zone.namespace

    @namespace.setter
    def namespace(self, namespace: Namespace | None) -> None:
        self._zone.namespace = namespace

    @property
    def output_route(self) -> Callable[[], Callable[[], None]] | None:
        """Called at submission; what it returns is called in the worker before the body."""
        return self._dispatcher.output_route

    @output_route.setter
    def output_route(self, route: Callable[[], Callable[[], None]] | None) -> None:
        self._dispatcher.output_route = route

    def follow_awaits(self, awaits: Awaits | None) -> None:
        """Have somebody asked about awaits, and told of those that were cancelled."""
        self._dispatcher.endings.awaits = awaits

    def adopt_loop(self, loop: asyncio.AbstractEventLoop) -> None:
        """Make a loop the one that work from other threads is posted to. On its own thread."""
        self._dispatcher.adopt_loop(loop)

    @property
    def workers(self) -> int:
        """Threads for sync processes. Another number holds at once; busy threads finish first."""
        return self._workers

    @workers.setter
    def workers(self, workers: int) -> None:
        self._workers = check_workers(workers)
        self._dispatcher.lanes.pool.resize(workers)

    def sync_notebook(self) -> None:
        """Take notice of variables that plain cells have rebound or deleted."""
        self._zone.refresh(self._dispatcher.engine)

    # -- the end ----------------------------------------------------------------------------

    def close(self) -> None:
        """End the session: cancel what is unfinished and let the worker threads leave.

        Bodies in threads are told to stop and given half a second; a thread that goes on all the
        same is abandoned, and what it writes is dropped. The log gets its last entry and is
        synced, all that within 1.2 seconds; where coroutines still have to end on their loop, the
        last entry comes after them. Calling this again does nothing.
        """
        deadline = Deadline(EXIT)
        self.cancel_all(deadline)
        loop = self._dispatcher.loop
        unfinished = self.runs.unfinished()
        if unfinished and loop is not None and loop.is_running():
            for run in unfinished:
                run.watch(self._end_audit_after_all)
        else:
            self._end_audit(deadline.left())

    async def aclose(self) -> None:
        """Do the same, and wait until the coroutines that were cancelled have ended."""
        tasks = self._dispatcher.tasks.unfinished()
        self.cancel_all(Deadline(EXIT))
        if tasks:
            await asyncio.wait(tasks)
        # A disk may take its time, and how long the coroutines took is not its fault.
        await asyncio.to_thread(self._end_audit, EXIT)
        release_bridge(asyncio.get_running_loop())

    def close_at_exit(self, deadline: Deadline) -> None:
        """End the session when its process ends: no loop will run any more."""
        self.cancel_all(deadline)
        self._end_audit(deadline.left())

    def cancel_all(self, deadline: Deadline) -> None:
        """Do the first half of `close`, once: cancel everything, let the threads leave."""
        if not self._closed:
            self._closed = True
            self._dispatcher.close("the session was closed", deadline.within(THREADS))
            self.signals.close()
            leaving = deadline.within(LEAVING)
            self._dispatcher.leave(leaving)
            self.watch.close(leaving.left())
            if self._pump is not None:
                self._pump.close(leaving.left())

    def _end_audit_after_all(self) -> None:
        if not self.runs.unfinished():
            self._end_audit(0.0)

    def _end_audit(self, patience: float) -> None:
        self.audit.close([run.id for run in self.runs.unfinished()], patience)
        if patience:
            self._forget_exit()

    async def __aenter__(self) -> Self:
        self.adopt_loop(asyncio.get_running_loop())
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self.aclose()

    def __repr__(self) -> str:
        state = "closed" if self._closed else f"{len(self.runs.unfinished())} runs unfinished"
        return f"<Session {len(self.registry)} processes, {state}>"
