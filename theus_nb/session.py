"""The session: the one place where the parts are wired together."""

from __future__ import annotations

import asyncio
import atexit
import weakref
from typing import TYPE_CHECKING, Any, Self

from theus_nb.decorator import find
from theus_nb.dispatcher import Dispatcher
from theus_nb.errors import ContractError
from theus_nb.files import Files
from theus_nb.lanes import default_workers, release_bridge
from theus_nb.notebook_zone import Namespace, NotebookZone
from theus_nb.process import Process
from theus_nb.registry import Registry
from theus_nb.registry import default as default_registry
from theus_nb.run import Runs
from theus_nb.signals import Signals
from theus_nb.state import State
from theus_nb.sync_entry import run_sync

if TYPE_CHECKING:
    from collections.abc import Callable

    from theus_nb._core import Run


class Session:
    """Runs processes over a shared, versioned state.

    In a notebook ``%load_ext theus_nb`` makes one and calls it ``theus``. In a script::

        async with Session(workers=4) as theus:
            await theus.run(fetch)

    Args:
        workers: Threads for sync processes; by default the number of cores, at least 4.

    Attributes:
        run: ``await theus.run(process, *args, **kwargs)`` runs a process and returns its value;
            see `Dispatcher.run`.
        state: The shared state.
        files: Writes files that are complete and durable; see `Files`.
        signals: Values published under topics; see `Signals`.
        runs: Records of the last 1,000 finished runs and of the unfinished ones.
        registry: The processes by name, this session's own before those of ``@process``.
    """

    def __init__(self, *, workers: int | None = None) -> None:
        if workers is not None and not (type(workers) is int and workers >= 1):
            msg = f"workers is a number of threads, at least 1, not {workers!r}"
            raise ContractError(msg)
        self.registry = Registry(default_registry)
        self._zone = NotebookZone()
        self._dispatcher = Dispatcher(workers or default_workers(), self._zone, self.registry)
        # Not a method that forwards: a second coroutine would cost each run more than admission.
        self.run = self._dispatcher.run
        self.state = State(self._dispatcher.engine, self._zone)
        self.runs = Runs(self._dispatcher.engine)
        dispatcher = self._dispatcher
        self.files = dispatcher.endings.files = Files()
        self.signals = Signals(lambda: dispatcher.loop)
        self._closed = False
        # Weakly, so that a session nobody holds can go before the interpreter does.
        reference = weakref.ref(self)
        self._at_exit = _close_if_alive(reference)
        atexit.register(self._at_exit)

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
            and gives up on a thread, whose writes are dropped.

        Example:
            >>> run = theus.start(crunch)                      # doctest: +SKIP
        """
        if type(process) is not Process:
            process = self.find(process)
        return self._dispatcher.start(process, args, kwargs)

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
        return run_sync(self, self._dispatcher, self.find(process), args, kwargs)

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

    def adopt_loop(self, loop: asyncio.AbstractEventLoop) -> None:
        """Make a loop the one that work from other threads is posted to. On its own thread."""
        self._dispatcher.adopt_loop(loop)

    def sync_notebook(self) -> None:
        """Take notice of variables that plain cells have rebound or deleted."""
        self._zone.refresh(self._dispatcher.engine)

    # -- the end ----------------------------------------------------------------------------

    def close(self) -> None:
        """End the session: cancel what is unfinished and let the worker threads leave.

        A thread whose body is running goes on until the body ends; what it writes is dropped.
        Calling this again does nothing.
        """
        if self._closed:
            return
        self._closed = True
        atexit.unregister(self._at_exit)
        self._dispatcher.close("the session was closed")
        self.signals.close()

    async def aclose(self) -> None:
        """Do the same, and wait until the coroutines that were cancelled have ended."""
        tasks = self._dispatcher.tasks()
        self.close()
        if tasks:
            await asyncio.wait(tasks)
        release_bridge(asyncio.get_running_loop())

    async def __aenter__(self) -> Self:
        self.adopt_loop(asyncio.get_running_loop())
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self.aclose()

    def __repr__(self) -> str:
        state = "closed" if self._closed else f"{len(self.runs.unfinished())} runs unfinished"
        return f"<Session {len(self.registry)} processes, {state}>"


def _close_if_alive(reference: weakref.ref[Session]) -> Callable[[], None]:
    def close() -> None:
        session = reference()
        if session is not None:
            session.close()

    return close


_installed: list[Session] = []


def current() -> Session | None:
    """Return the session of this notebook, or None."""
    return _installed[-1] if _installed else None


def install(session: Session | None) -> None:
    """Make a session the one that `current` returns; None leaves none."""
    _installed[:] = [] if session is None else [session]
