"""Who blocks the loop: a thread that looks when the loop is late, and remembers what it saw."""

from __future__ import annotations

import asyncio
import atexit
import dataclasses
import linecache
import re
import sys
import threading
from collections import deque
from typing import TYPE_CHECKING, Any, Final

from theus_nb.whereabouts import Place, place_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from theus_nb._core import Bridge, Engine, Run, WorkQueue

BLOCKS: Final = 200
"""How many blocks a session remembers."""

IN_C: Final = "C call holding the GIL"
"""Shown as the function where the loop waited for the interpreter and did nothing itself."""

_SLOW_ATTACH: Final = 0.05
"""Seconds: who waits so long for the interpreter waits for a C call that does not let it go."""

_SLEEPS: Final = re.compile(r"(?<!await )\b(?<!asyncio\.)sleep\(")


@dataclasses.dataclass(frozen=True, slots=True)
class LoopBlocked:
    """The event loop stood still and a run had to wait for it.

    Attributes:
        start: Seconds since the session began; the block began then or up to 25 ms earlier.
        ms: Milliseconds from there until the loop went on.
        cell: ``"plain cell [7]"``, ``"cell [7]"`` for code of a process from that cell, or ``""``
            where there are no cells.
        process: Name of the process whose body it was, or None.
        file: Where the loop was, or None where that could not be seen.
        line: Likewise.
        function: Likewise; ``"C call holding the GIL"`` where nothing could be seen.
        hint: What to do about it.
        delayed: Identifiers of the runs known to have been held up; empty where only the end of
            a worker's run could not be delivered.
    """

    start: float
    ms: float
    cell: str
    process: str | None
    file: str | None
    line: int | None
    function: str
    hint: str
    delayed: tuple[str, ...] = ()

    @property
    def lane(self) -> str:
        """The lane on which the timeline shows it."""
        return "loop"

    @property
    def status(self) -> str:
        """What the timeline shows it as."""
        return "blocked"

    @property
    def where(self) -> str:
        """Cell, line and function in one phrase."""
        at = self.cell or self.file or ""
        parts = [at, f"line {self.line}" if self.line else "", self.function]
        return ", ".join(part for part in parts if part)


class LoopWatch:
    """Watches the loop of one session while runs are there.

    Pinging is done by the core without the interpreter. This thread only wakes up when the loop
    is late, and does nothing at all while the session is idle. It is started by the first run.

    Args:
        engine: The engine whose runs may be delayed.
        queues: The queues of the worker threads, which have the switch interval short.

    Attributes:
        blocks: The newest blocks, oldest first.
        on_blocked: Called with each new one, in the watching thread; for the audit log.
        cell_of: Tells the number of the cell that a file name stands for, or None.
    """

    def __init__(self, engine: Engine, queues: list[WorkQueue]) -> None:
        self.blocks: deque[LoopBlocked] = deque(maxlen=BLOCKS)
        self.on_blocked: Callable[[LoopBlocked], object] | None = None
        self.cell_of: Callable[[str], int | None] = lambda _file: None
        self._engine = engine
        self._thread: threading.Thread | None = None
        self._seen: _Look | None = None
        engine.watch(self._start, queues)

    def _start(self) -> None:
        thread = threading.Thread(target=self._serve, name="theus watch", daemon=True)
        # Whatever becomes of the session: this thread must have left before the interpreter goes.
        atexit.register(self.close)
        thread.start()
        self._thread = thread

    def close(self, grace: float = 0.5) -> None:
        """Let the thread leave, and put the switch interval back. Calling it again is harmless.

        Args:
            grace: Seconds to wait for the thread.
        """
        atexit.unregister(self.close)
        self._engine.watch_close()
        thread, self._thread = self._thread, None
        if thread is not None and thread is not threading.current_thread():
            thread.join(grace)

    def _serve(self) -> None:
        """Wait for news of the loop until the session ends. In the watching thread."""
        while (news := self._engine.watch_next()) is not None:
            what, bridge, start, end, waiting, delay = news
            try:
                if what == "late":
                    self._look(bridge, delay / 1e9)
                else:
                    self._judge(start, end, waiting)
                # Waiting for the next block must not keep a loop alive.
                del news, bridge
            except Exception as error:  # noqa: BLE001 - a failing hook must not end the watch
                report = (type(error), error, error.__traceback__, threading.current_thread())
                threading.excepthook(threading.ExceptHookArgs(report))

    def _look(self, bridge: Bridge, delay: float) -> None:
        """Note what the loop does right now, and what each run waits for."""
        loop = bridge.event_loop
        if not loop.is_running():
            self._engine.watch_excuse()
            self._seen = None
            return
        frame = sys._current_frames().get(bridge.thread)  # noqa: SLF001 - there is no other
        place = None if frame is None else place_of(frame, self.cell_of)
        del frame
        running = asyncio.current_task(loop)
        waits = {
            run: (run.task, _awaited(run.task))
            for run in self._engine.unfinished()
            if run.get_loop() is loop and (run.task is None or run.task is not running)
        }
        self._seen = _Look(place, waits, delay)

    def _judge(self, start: int, end: int, waiting: int) -> None:
        """A block is over: record it if it delayed a run and nobody else is to blame."""
        seen, self._seen = self._seen, None
        if seen is None or (seen.place is None and seen.delay < _SLOW_ATTACH):
            return  # the loop was not running, or the machine was busy with something else
        delayed = sorted(
            (run for run, (task, awaited) in seen.waits.items() if _went_on(run, task, awaited)),
            key=lambda run: run.number,
        )
        if not delayed and not waiting:
            return
        place = seen.place or Place(None, None, IN_C, None, None, is_async=False)
        block = LoopBlocked(
            start=start / 1e9,
            ms=(end - start) / 1e6,
            cell=_cell(place),
            process=place.process,
            file=place.file,
            line=place.line,
            function=place.function,
            hint=_hint(place),
            delayed=tuple(run.id for run in delayed),
        )
        self.blocks.append(block)
        if self.on_blocked is not None:
            self.on_blocked(block)


@dataclasses.dataclass(frozen=True, slots=True)
class _Look:
    """What was seen while the loop was late.

    Attributes:
        place: Where it was; None if it did nothing itself.
        waits: The runs on the loop with their tasks and what these waited for.
        delay: Seconds that the look itself had to wait for the interpreter.
    """

    place: Place | None
    waits: dict[Run, tuple[Any, Any]]
    delay: float


def _awaited(task: Any) -> Any:  # noqa: ANN401 - whatever a task waits for
    """Return the future a task is suspended on; None if it is about to run."""
    return getattr(task, "_fut_waiter", None)


def _went_on(run: Run, task: Any, awaited: Any) -> bool:  # noqa: ANN401 - see there
    """Tell whether a run was resumed by the loop as soon as the loop came by again."""
    if task is None and run.lane != "loop":
        return False  # on a worker: ends that could not be delivered are counted by the core
    if task is None or awaited is None or run.has_ended:
        return True
    return awaited.done() or _awaited(task) is not awaited


def _cell(place: Place) -> str:
    if place.cell is None:
        return ""
    return f"cell [{place.cell}]" if place.process else f"plain cell [{place.cell}]"


def _hint(place: Place) -> str:
    """Say what to do; the line is looked at, not executed."""
    if place.function == IN_C:
        return "some library computes without letting the interpreter go: run it in a subprocess"
    line = linecache.getline(place.file, place.line) if place.file and place.line else ""
    sleeps = _SLEEPS.search(line) is not None
    if place.process is None:
        what = "time.sleep in a plain cell" if sleeps else "a plain cell that computes"
        if place.cell is None:
            what = "time.sleep on the loop" if sleeps else "computing on the loop"
        return f"{what}: make it a process without `await`, it will run in a worker"
    if sleeps and place.is_async:
        return "time.sleep in an async process: remove `async`, it will run in a worker"
    if place.is_async:
        return "computing in an async process: remove `async`, it will run in a worker"
    return "a process on the loop that does not await: it can run in a worker"


__all__ = ["BLOCKS", "IN_C", "LoopBlocked", "LoopWatch"]
