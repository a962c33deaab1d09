"""``run_sync``: running a process from code that cannot await."""

from __future__ import annotations

import asyncio
import contextvars
import functools
import logging
import signal
import sys
import threading
from typing import TYPE_CHECKING, Any, TypeVar

from theus_nb.access import current
from theus_nb.admitted import run_of
from theus_nb.attempts import Attempt
from theus_nb.errors import DeadlockError, SessionError, SyncEntryError
from theus_nb.lanes import current_lane
from theus_nb.run import Run
from theus_nb.waiting import left_with_its_run

if TYPE_CHECKING:
    import types
    from collections.abc import Callable, Coroutine

    from theus_nb._core import Lane
    from theus_nb.dispatcher import Dispatcher
    from theus_nb.lanes import Call
    from theus_nb.process import Process
    from theus_nb.session import Session

_T = TypeVar("_T")

_STEP = 0.2
"""Seconds between looks while a thread blocks: on Windows a lock keeps Ctrl-C out."""


def run_sync(
    session: Session,
    dispatcher: Dispatcher,
    process: Process,
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
) -> Any:  # noqa: ANN401 - the function's own value
    """Run a process and block until it has ended; see `Session.run_sync`."""
    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:
        loop = None
    # Outside of the handler: a body's exception must not seem to come from this one.
    if loop is None:
        return _without_loop(session, dispatcher, process, args, kwargs)
    _refuse_inside_async(process)
    return _reenter(session, loop, process, args, kwargs)


def _without_loop(
    session: Session,
    dispatcher: Dispatcher,
    process: Process,
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
) -> Any:  # noqa: ANN401 - the function's own value
    """No loop runs in this thread: a worker, another thread, or a plain script."""
    home = _home(dispatcher)
    if home is None:
        return _run_on_a_loop(_alone(session, dispatcher, process, args, kwargs))
    lane = current_lane()
    if lane is not None and not process.on_loop:
        return _inline(dispatcher, lane, process, args, kwargs)
    try:
        run = dispatcher.start(process, args, kwargs)
    except SessionError:
        if not home.is_closed():
            raise
        # The loop ended between the two looks: this thread is on its own now.
        return _run_on_a_loop(_alone(session, dispatcher, process, args, kwargs))
    try:
        run.begin_wait()
    except DeadlockError as error:
        dispatcher.engine.withdraw(run, error)
        raise
    _block(run, lane, lambda: run.has_ended)
    return _value(run)


def _home(dispatcher: Dispatcher) -> asyncio.AbstractEventLoop | None:
    """Return the loop that runs elsewhere for this thread: the session's, or that of our run."""
    access = current.get()
    own = None if access is None else access.run.get_loop()
    for loop in (dispatcher.loop, own):
        if loop is not None and loop.is_running():
            return loop
    return None


def _run_on_a_loop(coroutine: Coroutine[Any, Any, _T]) -> _T:
    """Run a coroutine where no loop runs; Ctrl-C is raised from here, not from asyncio's depths."""
    try:
        return asyncio.run(coroutine)
    except KeyboardInterrupt as error:
        if isinstance(error.__context__, asyncio.CancelledError):  # asyncio's own, of the first one
            raise KeyboardInterrupt from None
        raise


async def _alone(
    session: Session,
    dispatcher: Dispatcher,
    process: Process,
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
) -> Any:  # noqa: ANN401 - the function's own value
    """Run a process on a loop that ends with it."""
    dispatcher.passing.add(asyncio.get_running_loop())
    return await session.run(process, *args, **kwargs)


def _inline(
    dispatcher: Dispatcher,
    lane: Lane,
    process: Process,
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
) -> Any:  # noqa: ANN401 - the function's own value
    """Execute a sync process in the worker thread we are in: a second one would only wait."""
    admitted = dispatcher.admit(process, current.get(), True, lane=lane.name)  # noqa: FBT003 - see there
    run = run_of(admitted)
    access = None if isinstance(admitted, Run) else admitted
    given: Call = (args, kwargs, None)
    call = Attempt(process, given) if process.has_attempts else given
    while True:
        _block(run, lane, lambda: run.ready or run.has_ended)
        if run.has_ended:
            break
        lane.enter(run)
        try:
            contextvars.copy_context().run(dispatcher.execute, run, process, call, access)
        finally:
            lane.leave(run)
        if run.status != "waiting":  # otherwise there is another attempt
            break
        access = None
    _block(run, lane, lambda: run.has_ended)  # a notebook commit happens on the main thread
    return _value(run)


def _value(run: Run) -> Any:  # noqa: ANN401 - the function's own value
    """Return what a run that has ended returned; in a body that is to stop, stop instead."""
    _stop_if_cancelled()
    return run.take()


def _stop_if_cancelled() -> None:
    """Raise ``CancelledError`` if the run in whose body we are is to stop."""
    access = current.get()
    if access is not None and not access.ended and access.run.cancel_requested:
        access.run.told()
        raise asyncio.CancelledError


def _block(run: Run, lane: Lane | None, done: Callable[[], bool]) -> None:
    """Block this thread until something is true of a run; its lane is replaced meanwhile."""
    if done():
        return
    changed = threading.Event()
    waker = changed.set
    run.watch(waker)
    # A worker is woken by whoever ends its run. Others look at Ctrl-C, and whether the loop of the
    # run is still there.
    step = _STEP if lane is None else None
    if lane is not None:
        lane.queue.block()
    try:
        # Nobody raises an exception in this thread while it is in our code: whoever asks for the
        # end of the run in whose body we are sets the event, and it looks itself.
        with left_with_its_run(current.get(), waker):
            while not done():
                changed.wait(step)
                changed.clear()
                _stop_if_cancelled()
                if run.process.on_loop and run.get_loop().is_closed():
                    # Whoever closed it has left our run behind.
                    run.cancel("its event loop was closed")
                    run.engine.cancelled(run)
    except BaseException:
        run.cancel("the thread that waited for it was interrupted")
        raise
    finally:
        if lane is not None:
            lane.queue.unblock()


def _refuse_inside_async(process: Process) -> None:
    access = current.get()
    if access is not None and not access.ended and access.process.on_loop:
        msg = (
            f"run_sync({process.name!r}) inside the async process {access.process.name!r} would "
            f"block the event loop it needs: write 'await theus.run({process.name!r})'"
        )
        raise SyncEntryError(msg, process=process.name)


_pumping = threading.local()


@functools.cache
def _say_once() -> None:
    """Say what entering the loop twice costs; there is no way back in this process."""
    if sys.version_info < (3, 14):
        logging.getLogger(__name__).warning(
            "theus.run_sync enters the running event loop a second time (nest-asyncio2): from now "
            "on tasks are two to three times slower in this process. 'await theus.run(...)' does "
            "without."
        )


def _reenter(
    session: Session,
    loop: asyncio.AbstractEventLoop,
    process: Process,
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
) -> Any:  # noqa: ANN401 - the function's own value
    name = f"theus.run({process.name!r})"
    try:
        return _pump(
            loop, session.run(process, *args, **kwargs), f"run_sync({process.name!r})", name
        )
    except SyncEntryError as error:
        error.process = process.name
        raise


def pump(coroutine: Coroutine[Any, Any, _T], what: str) -> _T:
    """Run a coroutine to its end from synchronous code, on this thread's running loop if any.

    Args:
        coroutine: What to run.
        what: What the user wrote, for messages.

    Raises:
        SyncEntryError: The running loop cannot be entered now, or never.

    Cancellation: an interrupt cancels the coroutine, and is raised when that has ended.
    """
    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:
        loop = None
    return _run_on_a_loop(coroutine) if loop is None else _pump(loop, coroutine, what, "it")


def _pump(
    loop: asyncio.AbstractEventLoop, coroutine: Coroutine[Any, Any, _T], what: str, awaited: str
) -> _T:
    """Pump the running loop from inside one of its callbacks until a coroutine has ended."""
    try:
        _prepare(loop, what, awaited)
    except SyncEntryError:
        coroutine.close()
        raise
    _pumping.active = True
    task = loop.create_task(coroutine)
    interrupt = Interrupt(task)
    try:
        with interrupt:
            return loop.run_until_complete(task)
    except asyncio.CancelledError:
        if interrupt.arrived:
            raise KeyboardInterrupt from None
        raise
    except BaseException:
        task.cancel()  # whatever left the pump left the task behind: it would go on unseen
        raise
    finally:
        _pumping.active = False


def _prepare(loop: asyncio.AbstractEventLoop, what: str, awaited: str) -> None:
    """Make a loop one that can be entered again, or say why it cannot be."""
    if getattr(_pumping, "active", False):
        msg = f"{what} while another run_sync is pumping the event loop: write 'await {awaited}'"
        raise SyncEntryError(msg)
    import nest_asyncio2  # noqa: PLC0415 - applied at the first such call only: it cannot be undone

    try:
        nest_asyncio2.apply(loop)
        _say_once()
    except ValueError as error:
        msg = (
            f"{what}: the running loop ({type(loop).__module__}) cannot be entered a second "
            f"time; write 'await {awaited}'"
        )
        raise SyncEntryError(msg) from error


class Interrupt:
    """While it is entered, Ctrl-C cancels a task, as `asyncio.Runner` does.

    A `KeyboardInterrupt` would be raised wherever the loop happens to be, in anybody's callback,
    and leave that half done. The second one is raised all the same, for a task that will not end.

    Args:
        task: The task. Nothing happens off the main thread, or where the user handles signals.
    """

    def __init__(self, task: asyncio.Task[Any]) -> None:
        self._task = task
        self._before: Any = None
        self.arrived = False

    def __enter__(self) -> None:
        if threading.current_thread() is not threading.main_thread():
            return
        before = signal.getsignal(signal.SIGINT)
        # The kernel's own would cancel the cell, which cannot notice before the pump has ended.
        kernel = str(getattr(before, "__module__", "")).startswith("ipykernel")
        if kernel or before is signal.default_int_handler:
            self._before = signal.signal(signal.SIGINT, self._handle)

    def __exit__(self, *_exc_info: object) -> None:
        if self._before is not None:
            signal.signal(signal.SIGINT, self._before)

    def _handle(self, number: int, frame: types.FrameType | None) -> None:
        if self.arrived or self._task.done():
            signal.default_int_handler(number, frame)
        self.arrived = True
        self._task.cancel()
        self._task.get_loop().call_soon_threadsafe(lambda: None)  # it may sleep in its selector
