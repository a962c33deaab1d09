"""Where runs execute: worker threads, and the bridges that carry their ends to event loops."""

from __future__ import annotations

import asyncio
import os
import threading
import weakref
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from theus_nb._core import Access, Bridge, Lane, Run, WorkQueue
from theus_nb.errors import ContractError

if TYPE_CHECKING:
    from theus_nb.deadline import Deadline

Call = tuple[tuple[Any, ...], dict[str, Any], Callable[[], None] | None]
"""Arguments after the context, by position and by name, and what to call before the body."""

Execute = Callable[[Run, Any, Any, Access | None], None]

_here: Final = threading.local()


def default_workers() -> int:
    """Return the number of worker threads of a session that does not say: cores, at least 4.

    Threads that wait (for a disk, a socket, a library that releases the interpreter) are the
    common case in notebooks, so a small machine still gets a few.
    """
    return max(4, min(32, os.cpu_count() or 4))


def check_workers(workers: object) -> int:
    """Return a number of worker threads, or refuse it.

    Raises:
        ContractError: Not a whole number of at least 1.
    """
    if type(workers) is not int or workers < 1:
        msg = f"workers is a number of threads, at least 1, not {workers!r}"
        raise ContractError(msg)
    return workers


def current_lane() -> Lane | None:
    """Return the lane whose thread we are in, if this is a worker thread."""
    return getattr(_here, "lane", None)


def _serve(lane: Lane, execute: Execute) -> None:
    """Take runs and execute them until the queue is closed. The body of a worker thread.

    This loop is in Python on purpose: see ``queue.rs``. ``execute`` reports every ending of a
    run itself; what still escapes it is a fault of ours and must not end the thread unseen.
    """
    _here.lane = lane
    take = lane.take
    while True:
        # An exception meant for the last body may come when that has just ended; `take` takes
        # back what is pending, so it can only be delivered here, and here nothing is lost.
        try:
            job = take()
        except asyncio.CancelledError:
            continue
        if job is None:
            return
        enter, run, process, call, access = job
        try:
            enter(execute, run, process, call, access)
        except BaseException as error:  # noqa: BLE001 - a lane survives whatever a body raises
            report = (type(error), error, error.__traceback__, threading.current_thread())
            threading.excepthook(threading.ExceptHookArgs(report))
        # A lane that waits must not keep the last run's values alive.
        del job, enter, run, process, call, access


class WorkerLanes:
    """The worker threads of one session: a pool, and one lane that all sync cells share.

    Threads are made when work arrives, never before. The cell lane keeps thread-bound objects
    usable: a sqlite3 connection made in one cell works in the next.

    Args:
        workers: Threads of the pool.
        execute: Runs one run, and reports its end.
    """

    def __init__(self, workers: int, execute: Execute) -> None:
        self._execute = execute
        self._threads: weakref.WeakKeyDictionary[threading.Thread, Lane] = (
            weakref.WeakKeyDictionary()
        )
        # Of living threads: a lane goes with the thread that serves it.
        self._lanes: weakref.WeakSet[Lane] = weakref.WeakSet()
        self.pool = WorkQueue("worker", workers, self._spawn)
        self.cells = WorkQueue("cell", 1, self._spawn)

    def _spawn(self, queue: WorkQueue) -> None:
        lane = Lane(queue)
        self._lanes.add(lane)
        # Daemon: a thread in C code that never returns must not keep the interpreter from exiting.
        thread = threading.Thread(
            target=_serve, args=(lane, self._execute), name=f"theus {lane.name}", daemon=True
        )
        thread.start()
        self._threads[thread] = lane

    def holding(self, run: Run) -> Lane | None:
        """Return the lane in whose thread a run executes, or None."""
        return next((lane for lane in list(self._lanes) if lane.holds(run)), None)

    def refuse(self) -> None:
        """Start no run and no thread any more; the threads leave when they have nothing to do."""
        self.pool.close()
        self.cells.close()

    def close(self, deadline: Deadline) -> None:
        """Let the threads leave, and wait for them.

        Args:
            deadline: For all threads together. One that was given up is not waited for: it
                leaves when its body ends.
        """
        self.refuse()
        given_up = {number for lane in (self.pool, self.cells) for number, _ in lane.abandoned}
        for thread, lane in list(self._threads.items()):
            inner = lane.innermost
            if thread is threading.current_thread() or (inner and inner.number in given_up):
                continue
            # Joined, not just told: a thread that returns from waiting while the interpreter
            # is being torn down would be killed inside the core.
            thread.join(deadline.left())


_bridges: Final[dict[int, Bridge]] = {}
_bridges_lock: Final = threading.Lock()


def bridge_for(loop: asyncio.AbstractEventLoop) -> Bridge:
    """Return the bridge that carries completions to a loop; one per loop, made on first use.

    Bridges of loops that were closed meanwhile are taken along here. Must be called on the
    loop's own thread the first time, because it registers a reader.
    """
    bridge = _bridges.get(id(loop))
    if bridge is not None and bridge.event_loop is loop:
        return bridge
    with _bridges_lock:
        for key, other in list(_bridges.items()):
            if other.event_loop.is_closed():
                _bridges.pop(key).close()
        bridge = Bridge(loop)
        try:
            loop.add_reader(bridge.open(), bridge.drain)
        except (NotImplementedError, OSError):
            # Windows' proactor loop has no readers, other systems no descriptors of our kind.
            bridge.use_threadsafe()
        _bridges[id(loop)] = bridge
    return bridge


def release_bridge(loop: asyncio.AbstractEventLoop) -> None:
    """Take the bridge of a loop away; for unloading. Must be called on the loop's thread."""
    with _bridges_lock:
        bridge = _bridges.get(id(loop))
        if bridge is None or bridge.event_loop is not loop:
            return
        del _bridges[id(loop)]
    number = bridge.descriptor
    if number is not None and not loop.is_closed():
        loop.remove_reader(number)
    bridge.close()


def _forget_bridges() -> None:
    # A forked child shares the parent's descriptors: waking them would wake the parent.
    _bridges.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_bridges)
