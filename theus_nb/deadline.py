"""Ending in time: whatever has to be waited for at the end shares one budget."""

from __future__ import annotations

import atexit
import time
import weakref
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

EXIT: Final = 1.2
"""Seconds that the end of a session may take. A front end kills a kernel soon after it has asked
it to exit, and the interpreter takes its share too."""

THREADS: Final = 0.5
"""Seconds of these that bodies in threads are given to stop."""

COROUTINES: Final = 0.3
"""Seconds of these that coroutines are given to see their cancellation."""

LEAVING: Final = 0.2
"""Seconds of these for all threads of ours that have nothing to do and only have to leave. What
remains is the audit log's, more if the others were quick."""


class Deadline:
    """A moment until which several things may take their time, one after another.

    Args:
        seconds: From now.
        clock: Seconds, monotonic.
    """

    def __init__(self, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._end = clock() + seconds

    def left(self) -> float:
        """Return the seconds that remain; 0 if there are none."""
        return max(0.0, self._end - self._clock())

    def within(self, seconds: float) -> Deadline:
        """Return a deadline for a part: so many seconds from now, and no more than remain."""
        return Deadline(min(seconds, self.left()), self._clock)


def call_at_exit(close: Callable[[Deadline], None]) -> Callable[[], None]:
    """Have a method called when the interpreter exits, with all the time there is then.

    Its object is held weakly, so that a session nobody holds can go before the interpreter does.

    Returns:
        The undoing.
    """
    reference = weakref.WeakMethod(close)

    def call() -> None:
        method = reference()
        if method is not None:
            method(Deadline(EXIT))

    atexit.register(call)
    return lambda: atexit.unregister(call)
