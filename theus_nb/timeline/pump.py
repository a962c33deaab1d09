"""Carries what has changed to the views, from a thread of its own."""

from __future__ import annotations

import dataclasses
import threading
import time
import weakref
from collections import deque
from typing import TYPE_CHECKING, Any, Final, Protocol

if TYPE_CHECKING:
    from theus_nb.timeline.model import Packed
    from theus_nb.timeline.source import Source

FRAME: Final = 0.05
"""Seconds between two frames at least."""

CHANGES: Final = 60_000
"""Changes in one frame at most: about two megabytes; the next frame goes on."""

LINES: Final = 500
"""Audit entries in one frame at most."""

HEARTBEAT: Final = 2.0
"""Seconds after which a view hears that the kernel lives, even if nothing happens."""

REST: Final = 0.4
"""Seconds without a change after which the picture without a browser is renewed."""


LATE: Final = 0.1
"""Seconds by which the loop may be late before views are told at every frame."""


NOTABLE: Final = 0.005
"""Seconds by which the loop may be late without being drawn late."""


class View(Protocol):
    """Who is shown the frames."""

    def deliver(self, header: dict[str, Any], buffers: list[bytes]) -> None:
        """Take one frame. From the pump's thread."""

    def rest(self) -> None:
        """Nothing has changed for a while. From the pump's thread."""


@dataclasses.dataclass(slots=True)
class _Seat:
    """How far one view has come."""

    view: View
    cursor: int = 0
    names: int = 0
    entry: int = -1
    frame: int = 0
    anew: bool = True
    lag: int = 0
    blocked: int = -1
    interval: float = FRAME
    sent: float = 0.0
    changed: float | None = None
    position: tuple[int, int, int] | None = None


class Pump:
    """One thread per session, however many views; it exists while there are any.

    A frame is what has become of runs since the frame before, each run once: a view that is slow
    gets fewer frames, not more of them later. From a thread, because views then stay live while a
    cell holds up the loop.

    Args:
        source: What is shown.
    """

    def __init__(self, source: Source) -> None:
        self.source = source
        self._seats: dict[int, _Seat] = {}
        self._pictures: weakref.WeakSet[View] = weakref.WeakSet()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._stop = threading.Event()
        self._probe = LoopProbe(source)

    def picture(self, view: View) -> None:
        """Renew a view's picture at the end of each cell, shown on a page or not."""
        self._pictures.add(view)
        self.source.open()

    def cell_ended(self) -> None:
        """Renew the pictures."""
        for view in list(self._pictures):
            view.rest()

    @property
    def running(self) -> bool:
        """Whether its thread exists."""
        thread = self._thread
        return thread is not None and thread.is_alive()

    def attach(self, view: View) -> None:
        """Show a view everything from the beginning; also for one that has lost a frame."""
        with self._lock:
            frame = self._seats[id(view)].frame if id(view) in self._seats else 0
            self._seats[id(view)] = _Seat(view, frame=frame)
            self.source.open()
            if self._thread is None:
                self._stop = threading.Event()
                self._thread = threading.Thread(
                    target=self._run, args=(self._stop,), name="theus timeline", daemon=True
                )
                self._thread.start()

    def detach(self, view: View) -> None:
        """Forget a view; the last one takes the thread along. Unknown views change nothing."""
        with self._lock:
            if self._seats.pop(id(view), None) is None or self._seats:
                return
            self._stop.set()
            self._thread = None
            self.source.close()

    def close(self, patience: float = 0.5) -> None:
        """Let the thread leave; views keep what they show.

        Args:
            patience: Seconds to wait for it.
        """
        with self._lock:
            thread, self._thread = self._thread, None
            self._seats.clear()
            self._stop.set()
        if thread is not None and thread is not threading.current_thread():
            thread.join(patience)

    def pace(self, view: View, interval: float) -> None:
        """Send a view fewer frames, because it says that it cannot keep up or is not seen."""
        with self._lock:
            if (seat := self._seats.get(id(view))) is not None:
                seat.interval = min(max(interval, FRAME), HEARTBEAT)

    def _run(self, stop: threading.Event) -> None:
        while not stop.wait(FRAME):
            self.step(time.monotonic())

    def step(self, now: float) -> None:
        """Send one round of frames; the thread's work, apart from its waiting.

        Args:
            now: Seconds on a clock that only goes forward.
        """
        with self._lock:
            seats = list(self._seats.values())
        lag = self._probe.lag()
        # Views at the same place share one reading: ten of them cost as much as one.
        readings: dict[tuple[int, int], Packed] = {}
        for seat in seats:
            if now - seat.sent < seat.interval * 0.9:
                continue
            place = (seat.cursor, seat.names)
            if place not in readings:
                readings[place] = self.source.read(*place, CHANGES)
            self._serve(seat, readings[place], now, lag)

    def _serve(self, seat: _Seat, packed: Packed, now: float, lag: float | None) -> None:
        audit = self.source.audit
        lines = audit.lines(seat.entry, LINES) if audit is not None else []
        position = audit.position() if audit is not None else None
        blocked = [block for block in self.source.blocked() if block[0] > seat.blocked]
        news = packed.rows or packed.reads or packed.lost or lines or position != seat.position
        if news or blocked:
            seat.changed = now
        elif seat.changed is not None and now - seat.changed > REST:
            seat.changed = None
            seat.view.rest()
        quiet = now - seat.sent < HEARTBEAT and not (lag and lag > LATE)
        if seat.frame and quiet and not (news or blocked):
            return
        # What was gone before a view came, it has not missed.
        lost = packed.lost if seat.cursor else 0
        seat.cursor = packed.cursor
        seat.names += len(packed.names)
        seat.entry += len(lines)
        if lines and (last := _seq(lines[-1])) is not None:
            seat.entry = last
        seat.position = position
        seat.frame += 1
        seat.sent = now
        header = {
            "op": "frame",
            "frame": seat.frame,
            # Whoever asks again is told everything again.
            "anew": seat.anew,
            "now": self.source.now(),
            "rows": packed.rows,
            "reads": packed.reads,
            "lost": lost,
            "names": [name[:500] for name in packed.names],
            "first_name": seat.names - len(packed.names),
            "lines": lines,
            "audit": position,
            "lag": lag,
            "lags": self._probe.since(seat.lag),
            "blocked": blocked,
        }
        if blocked:
            seat.blocked = blocked[-1][0]
        seat.lag = self._probe.count
        seat.anew = False
        seat.view.deliver(header, [packed.data])


def _seq(line: str) -> int | None:
    """Return the number of a line of the log without parsing all of it."""
    head, _, _ = line.removeprefix('{"seq":').partition(",")
    return int(head) if head.isdecimal() else None


class LoopProbe:
    """Measures how late the loop is: what is posted to it should run at once.

    Args:
        source: Knows the loop.
    """

    def __init__(self, source: Source, clock: Any = time.monotonic) -> None:  # noqa: ANN401
        self._source = source
        self._clock = clock
        self._posted: float | None = None
        self._late = 0.0
        self._kept: deque[tuple[int, float]] = deque(maxlen=2_000)
        self.count = 0
        """How many times it was notably late."""

    def since(self, count: int) -> list[tuple[int, float]]:
        """Return when the loop was late, and by how many ms, without the first ones.

        Args:
            count: How many were told before.
        """
        fresh = self.count - count
        return list(self._kept)[-fresh:] if fresh > 0 else []

    def lag(self) -> float | None:
        """Return seconds by which the loop is late now; None where there is no loop."""
        late = self._measure()
        if late is not None and late >= NOTABLE:
            self._kept.append((self._source.now(), round(late * 1e3, 1)))
            self.count += 1
        return late

    def _measure(self) -> float | None:
        loop = self._source.loop()
        if loop is None or loop.is_closed() or not loop.is_running():
            self._posted = None
            return None
        now = self._clock()
        if self._posted is not None:
            return float(max(self._late, now - self._posted))
        late, self._late = self._late, 0.0
        self._posted = now
        try:
            loop.call_soon_threadsafe(self._arrived)
        except RuntimeError:  # closed since we asked
            self._posted = None
        return late

    def _arrived(self) -> None:
        if self._posted is not None:
            self._late = self._clock() - self._posted
            self._posted = None
