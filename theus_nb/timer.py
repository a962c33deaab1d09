"""Calling functions later, on a thread of its own: time limits, backoff, rates, graces.

Not on the event loop: what is to be stopped may be exactly what blocks it.
"""

from __future__ import annotations

import heapq
import itertools
import threading
import time
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

_LONGEST: Final = 3_600.0
"""Seconds that are waited at a time: the system refuses a wait of thousands of years."""

_IDLE: Final = 5.0
"""Seconds without anything to do after which the thread leaves; the next call makes another."""


class Alarm:
    """One call that is to come. `cancel` is safe at any time and from any thread."""

    __slots__ = ("_function",)

    def __init__(self, function: Callable[[], object]) -> None:
        self._function: Callable[[], object] | None = function

    def cancel(self) -> None:
        """See to it that the function is not called, if it has not been already."""
        self._function = None

    def ring(self) -> None:
        """Call the function, once."""
        function, self._function = self._function, None
        if function is not None:
            function()


class Timer:
    """Calls functions at their time, one after another, on one daemon thread.

    The thread exists while there is something to wait for. A function that raises is reported
    through `threading.excepthook`; the others are called all the same.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._alarms: list[tuple[float, int, Alarm]] = []
        self._numbers = itertools.count()
        self._thread: threading.Thread | None = None
        self._closed = False

    def call_later(self, seconds: float, function: Callable[[], object]) -> Alarm:
        """Have a function called; after `close` it never is.

        Args:
            seconds: From now.
            function: Called without arguments. It should not block.

        Returns:
            The alarm, for taking it back.
        """
        alarm = Alarm(function)
        with self._changed:
            if self._closed:
                return alarm
            entry = (time.monotonic() + seconds, next(self._numbers), alarm)
            heapq.heappush(self._alarms, entry)
            if self._thread is None:
                thread = threading.Thread(target=self._serve, name="theus timer", daemon=True)
                thread.start()
                self._thread = thread
            elif self._alarms[0] is entry:
                self._changed.notify()
        return alarm

    def close(self, patience: float = 0.5) -> None:
        """Drop what has not been called and let the thread leave.

        Args:
            patience: Seconds to wait for it: a thread in the core while the interpreter is torn
                down would be killed there.
        """
        with self._changed:
            self._closed = True
            self._alarms.clear()
            self._changed.notify()
            thread = self._thread
        if thread is not None and thread is not threading.current_thread():
            thread.join(patience)

    def _serve(self) -> None:
        while (alarm := self._next()) is not None:
            try:
                alarm.ring()
            except BaseException as error:  # noqa: BLE001 - the others must be called all the same
                report = (type(error), error, error.__traceback__, threading.current_thread())
                threading.excepthook(threading.ExceptHookArgs(report))

    def _next(self) -> Alarm | None:
        """Wait for the next alarm that is due; None when the thread is to leave."""
        with self._changed:
            while True:
                if not self._alarms:
                    woken = not self._closed and self._changed.wait(_IDLE)
                    if not self._alarms and not woken:
                        self._thread = None
                        return None
                    continue
                wait = self._alarms[0][0] - time.monotonic()
                if wait <= 0:
                    return heapq.heappop(self._alarms)[2]
                self._changed.wait(min(wait, _LONGEST))
