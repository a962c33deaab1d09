"""Taking turns: how many runs of a process execute at a time, and how many start in a while.

Both are asked for only when everything else is there, so a run that waits for its inputs keeps
nobody out.
"""

from __future__ import annotations

import collections
import heapq
import threading
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from theus_nb._core import Engine, Run
    from theus_nb.policy import Policy
    from theus_nb.timer import Alarm, Timer


class Turns:
    """The runs of one process that want to start, in the order of their submission.

    A run whose process is executing further out (it called itself) passes: it would wait for its
    own caller. The rate is exact: in no window of its length do more runs start than it says.

    Args:
        engine: Tells the ancestors of a run.
        timer: Comes back when the rate allows the next start.
        clock: Seconds, monotonic.
    """

    def __init__(
        self, engine: Engine, timer: Timer, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._engine = engine
        self._timer = timer
        self._clock = clock
        # Released before any run is told to go on: that may run anybody's code.
        self._lock = threading.Lock()
        self._policy: Policy | None = None
        self._waiting: list[tuple[int, Run]] = []
        self._inside: set[int] = set()
        self._starts: collections.deque[float] = collections.deque()
        self._alarm: Alarm | None = None

    def arrive(self, run: Run, policy: Policy) -> None:
        """A run has its inputs: it goes on now, or when its turn comes."""
        ancestors = self._engine.ancestors(run)
        with self._lock:
            self._policy = policy
            passes = not self._inside.isdisjoint(ancestors)
            if passes:
                self._inside.add(run.number)
            else:
                heapq.heappush(self._waiting, (run.number, run))
        if passes:
            run.proceed()
        else:
            self._admit()

    def leave(self, run: Run) -> None:
        """A run has ended, or takes a pause between two attempts."""
        with self._lock:
            self._inside.discard(run.number)
        self._admit()

    def _admit(self) -> None:
        while (run := self._next()) is not None:
            run.proceed()

    def _next(self) -> Run | None:
        """Return the next run that may go on now."""
        with self._lock:
            policy = self._policy
            while self._waiting and self._waiting[0][1].has_ended:
                heapq.heappop(self._waiting)  # cancelled while it waited
            if not self._waiting or policy is None:
                return None
            if policy.limit is not None and len(self._inside) >= policy.limit:
                return None
            if policy.rate is not None and not self._within(
                policy.rate.starts, policy.rate.seconds
            ):
                return None
            number, run = heapq.heappop(self._waiting)
            self._inside.add(number)
            return run

    def _within(self, count: int, seconds: float) -> bool:
        """Tell whether one more may start now, and count it; else have it asked again in time."""
        now = self._clock()
        free = self._starts[-count] + seconds if len(self._starts) >= count else now
        if free <= now:
            self._starts.append(now)
            while len(self._starts) > count:
                self._starts.popleft()
            return True
        if self._alarm is None:
            self._alarm = self._timer.call_later(free - now, self._ring)
        return False

    def _ring(self) -> None:
        with self._lock:
            self._alarm = None
        self._admit()
