"""Stopping bodies that run in worker threads, and giving up on those that do not stop.

A thread cannot be killed. An exception can be raised in it, which pure Python notices within
milliseconds and a call into C when it returns. What has not stopped after a grace is abandoned:
its run ends, its writes are dropped, another thread takes its place.
"""

from __future__ import annotations

import asyncio
import threading
import time
from typing import TYPE_CHECKING, Final

from theus_nb import unraisable
from theus_nb.lanes import current_lane

if TYPE_CHECKING:
    from collections.abc import Sequence

    from theus_nb._core import Engine, Run
    from theus_nb.deadline import Deadline
    from theus_nb.lanes import WorkerLanes
    from theus_nb.timer import Timer

GRACE: Final = 2.0
"""Seconds a body in a thread is given to stop, unless the session says otherwise."""

_AGAIN: Final = 0.005
"""Seconds until a thread is looked at again that could not be disturbed: in an import, in our
own code, or inside of a nested run."""


_TOGETHER: Final = 0.25
"""Seconds, at most: stops that were asked for so close to each other are given up together, so
that one interrupt of several threads has one outcome."""

_giving_up: Final = threading.RLock()


def all_given_up() -> None:
    """Return when nobody is in the middle of giving up what was to stop together."""
    with _giving_up:
        pass


def threads_go_on(runs: Sequence[Run], of: str | None = None) -> str:
    """Say what follows from it that the threads of runs had to be given up.

    Args:
        runs: At least one.
        of: Name of the process that the sentence is about.
    """
    names = dict.fromkeys(repr(run.name) for run in runs)
    one = len(runs) == 1
    if one and runs[0].name == of:
        whose = "its thread"
    else:
        whose = f"the thread{'s' * (not one)} of {', '.join(names)}"
    verb, it = ("goes", "it writes") if one else ("go", "they write")
    text = f"{whose} did not stop and {verb} on, what {it} to the state is dropped"
    if any(run.process.contract.is_open for run in runs):
        text += " (what this cell does to the notebook's variables is not)"
    return text


class _Stop:
    __slots__ = ("deadline", "error", "is_raised", "run")

    def __init__(self, run: Run, error: BaseException | None, deadline: float) -> None:
        self.run = run
        self.error = error
        self.deadline = deadline
        self.is_raised = False


class Stopper:
    """Stops runs in the worker threads of one session.

    Args:
        engine: Ends the runs that are given up.
        lanes: Tell which thread executes a run.
        timer: Comes back for threads that cannot be disturbed at once.
        grace: Seconds until a run is given up.
    """

    def __init__(self, engine: Engine, lanes: WorkerLanes, timer: Timer, grace: float) -> None:
        self._engine = engine
        self._lanes = lanes
        self._timer = timer
        self._grace = grace
        self._lock = threading.Lock()
        self._stops: dict[int, _Stop] = {}

    def stop(self, run: Run, error: BaseException | None = None) -> None:
        """Raise ``CancelledError`` in the body of a run, as soon as that does no harm.

        Returns at once, from any thread. Asking again for the same run changes nothing.

        Args:
            run: A run that executes in a worker thread.
            error: What its awaiters get if it has to be given up; by default that it was
                cancelled.
        """
        with self._lock:
            if run.number in self._stops:
                return
            stop = _Stop(run, error, time.monotonic() + self._grace)
            if not self._stops:
                unraisable.listen(self._raise_again)
            self._stops[run.number] = stop
        self._pursue(stop)
        # Nothing is raised in a body that waits in our own code: it leaves by itself.
        run.alert()

    def forget(self, run: Run) -> None:
        """Leave a run alone that was to be stopped: its body has ended by itself."""
        with self._lock:
            if self._stops.pop(run.number, None) is not None and not self._stops:
                unraisable.forget(self._raise_again)

    def close(self, deadline: Deadline) -> None:
        """Wait until everything has stopped, and give up on what has not in time.

        Args:
            deadline: For all together.
        """
        with self._lock:
            stops = list(self._stops.values())
        for stop in stops:
            while not stop.run.has_ended and (left := deadline.left()) > 0:
                self._pursue(stop, again=False)
                if not stop.run.has_ended:
                    time.sleep(min(_AGAIN, left))
        for stop in stops:
            self._give_up(stop)

    def _pursue(self, stop: _Stop, *, again: bool = True) -> None:
        run = stop.run
        # What is becoming visible is finished: half of it would be worse than late.
        if run.has_ended or run.committing or self._stops.get(run.number) is not stop:
            self.forget(run)
            return
        self._disturb(stop)
        left = stop.deadline - time.monotonic()
        if left <= 0:
            self._give_up_together(stop)
        elif again:
            # Raised once only: a body that cleans up must not be disturbed at that.
            wait = left if stop.is_raised else min(left, _AGAIN)
            self._timer.call_later(wait, lambda: self._pursue(stop))

    def _raise_again(self) -> bool:
        """See to it that the body of this thread is asked once more: the request was lost."""
        lane = current_lane()
        run = lane.innermost if lane is not None else None
        stop = self._stops.get(run.number) if run is not None else None
        if stop is None or not stop.is_raised:
            return False
        stop.is_raised = False
        self._timer.call_later(_AGAIN, lambda: self._pursue(stop))
        return True

    def _give_up_together(self, first: _Stop) -> None:
        soon = first.deadline + min(_TOGETHER, self._grace / 8)
        with _giving_up:
            for stop in list(self._stops.values()):
                if stop.deadline <= soon and not (stop.run.has_ended or stop.run.committing):
                    self._give_up(stop)

    def _give_up(self, stop: _Stop) -> None:
        if stop.error is not None and not stop.run.has_ended:
            stop.error.add_note(threads_go_on([stop.run], stop.run.name))
        self._engine.abandon(stop.run, stop.error)
        self.forget(stop.run)

    def _disturb(self, stop: _Stop) -> None:
        run = stop.run
        lane = self._lanes.holding(run)
        if lane is None:
            # In no thread: it waits for its loop, to start there or to commit there.
            if run.give_up():
                self._engine.cancelled(run)
            return
        inner = lane.innermost
        if inner is not None and inner is not run:
            if not inner.cancel_requested:
                inner.cancel(f"run {run.id} of {run.name!r}, in whose body it runs, was cancelled")
        elif not stop.is_raised:
            # Noted first: it may be lost, and be heard of, before the call returns.
            stop.is_raised = True
            if not lane.interrupt(run, asyncio.CancelledError):
                stop.is_raised = False
