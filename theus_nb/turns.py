"""Taking turns: how many runs of a process execute at a time, and how many start in a while.

Both are asked for only when everything else is there, so a run that waits for its inputs keeps
nobody out.
"""

from __future__ import annotations

import bisect
import collections
import itertools
import operator
import threading
import time
from typing import TYPE_CHECKING, Final

from theus_nb.endings import name_circle
from theus_nb.errors import DeadlockError

if TYPE_CHECKING:
    from collections.abc import Callable

    from theus_nb._core import Engine, Run
    from theus_nb.policy import Policy
    from theus_nb.timer import Alarm, Timer

_NUMBER: Final = operator.attrgetter("number")

_limits: Final = itertools.count(1)


class Turns:
    """The runs of one process that want to start, in the order of their submission.

    A run whose process is executing further out (it called itself) passes: it would wait for its
    own caller. The rate is exact: in no window of its length do more runs start than it says.

    The engine is told who waits for whom: where one run executes at a time each for the one ahead
    of it, else for any of those that execute. A circle that closes through such a wait is then
    noticed like any other. Waiting for the rate is no such wait: time passes.

    Args:
        engine: Tells the ancestors of a run, and whether waits close a circle.
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
        # In the order of their submission.
        self._waiting: list[Run] = []
        # The run ahead of a waiting one, as the engine knows it, by number.
        self._ahead: dict[int, int] = {}
        self._inside: set[int] = set()
        # Names the limit in the engine; whom that knows to have all places, and to wait for one.
        self._limit: Final = next(_limits)
        self._taken: list[int] = []
        self._queued: set[int] = set()
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
                bisect.insort(self._waiting, run, key=_NUMBER)
        if passes:
            run.proceed()
        else:
            self._admit(run.number)

    def leave(self, run: Run) -> None:
        """A run has ended, or takes a pause between two attempts."""
        with self._lock:
            self._inside.discard(run.number)
            place = bisect.bisect_left(self._waiting, run.number, key=_NUMBER)
            if self._waiting[place : place + 1] == [run]:  # cancelled while it waited
                self._forget(place)
        self._admit(run.number)

    def _admit(self, changed: int = 0) -> None:
        """Let go on who may.

        Args:
            changed: Number of the run that has come or gone.
        """
        while (run := self._next()) is not None:
            run.proceed()
        for run, circle in self._link(changed):
            self._engine.fail(run, self._refusal(run, circle))

    def _next(self) -> Run | None:
        """Return the next run that may go on now."""
        with self._lock:
            policy = self._policy
            while self._waiting and self._waiting[0].has_ended:
                self._forget(0)  # cancelled while it waited
            if not self._waiting or policy is None:
                return None
            if policy.limit is not None and len(self._inside) >= policy.limit:
                return None
            if policy.rate is not None and not self._within(
                policy.rate.starts, policy.rate.seconds
            ):
                return None
            run = self._forget(0)
            self._inside.add(run.number)
            return run

    def _forget(self, place: int) -> Run:
        run = self._waiting.pop(place)
        ahead = self._ahead.pop(run.number, None)
        if ahead is not None:
            self._engine.unhold(run, ahead)
        if run.number in self._queued:
            self._queued.discard(run.number)
            self._engine.limit_pass(run)
        return run

    def _link(self, changed: int) -> list[tuple[Run, list[int]]]:
        """Tell the engine who is ahead of whom now; return the runs that close a circle, and it.

        Only the first one in the line and those beside the change can have another one ahead.
        """
        with self._lock:
            place = bisect.bisect_left(self._waiting, changed, key=_NUMBER)
            nearby = [self._waiting[i] for i in {0, place, place + 1} if i < len(self._waiting)]
            circles = [(run, self._link_one(run)) for run in nearby]
            circles += self._wait_for_places(nearby)
        return [(run, circle) for run, circle in circles if circle is not None]

    def _wait_for_places(self, nearby: list[Run]) -> list[tuple[Run, list[int] | None]]:
        """Tell the engine who waits for one of several places; return the circles it finds."""
        limit = self._policy.limit if self._policy is not None else None
        full = limit is not None and limit > 1 and len(self._inside) >= limit
        before, self._taken = self._taken, sorted(self._inside) if full and self._waiting else []
        if self._taken != before:
            self._engine.limit_taken(self._limit, self._taken)
        if not self._taken:
            return []
        # Always the first too: if one has left and no place is free, only runs that wait for it
        # may be left.
        asked = {run.number: run for run in (self._waiting[0], *nearby)} if before else {}
        runs = list(asked.values()) or self._waiting
        self._queued.update(run.number for run in runs)
        return [(run, self._engine.limit_wait(run, self._limit)) for run in runs]

    def _link_one(self, run: Run) -> list[int] | None:
        place = bisect.bisect_left(self._waiting, run.number, key=_NUMBER)
        ahead = None
        if self._policy is not None and self._policy.limit == 1:
            ahead = self._waiting[place - 1].number if place else min(self._inside, default=None)
        known = self._ahead.get(run.number)
        if ahead == known:
            return None
        if known is not None:
            self._engine.unhold(run, self._ahead.pop(run.number))
        circle = None if ahead is None else self._engine.hold(run, ahead)
        if ahead is not None and circle is None:
            self._ahead[run.number] = ahead
        return circle

    def _refusal(self, run: Run, circle: list[int]) -> DeadlockError:
        limit = self._policy.limit if self._policy is not None else None
        runs = f"one run of {run.name!r} executes" if limit == 1 else f"{limit} runs execute"
        msg = (
            f"run {run.id} of {run.name!r} would never get its turn: "
            f"{name_circle(self._engine, circle)}; with limit={limit} only {runs} at a time. "
            "Do not await in it what waits for a later run of it, or raise the limit"
        )
        return DeadlockError(msg, process=run.name, run_id=run.id)

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
