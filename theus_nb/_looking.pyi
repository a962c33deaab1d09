"""The part of the Rust engine that only looks: at its records and at the loop.

There is no such module at run time: the manual of the engine is long, and this is its second half.
"""

from collections.abc import Callable
from typing import Literal

from theus_nb._core import Bridge, WorkQueue

class Looking:
    """What `theus_nb._core.Engine` tells about what happens in a session."""

    def spans(
        self,
    ) -> list[tuple[int, int | None, str, str, str, int, int, int, int | None, int | None]]:
        """Finished runs, oldest first.

        Each is run, parent, process, lane, status, submitted, started (0 if it never did), ended,
        CPU time and wait for the interpreter of its worker thread (None where not known).
        """
    def now(self) -> int:
        """Nanoseconds since the session began."""

    def watch(self, spawn: Callable[[], None], queues: list[WorkQueue]) -> None:
        """Have the session's loop watched.

        Args:
            spawn: Starts the thread that calls `watch_next`, when the first run is admitted.
            queues: Their threads have the switch interval short while they are busy.
        """
    def watch_loop(self, bridge: Bridge) -> None:
        """Watch the loop of a bridge from here on. A loop without readers is not watched."""
    def watch_next(
        self,
    ) -> tuple[Literal["late", "blocked"], Bridge, int, int, int, int] | None:
        """Ping the loop while runs are unfinished, sleep otherwise. In the watching thread.

        The interpreter is free meanwhile. The switch interval is divided among the threads that
        compute, and put back 100 ms after the last run, if it is still the one that was set.

        Returns:
            What happened, on which bridge, start, end, waiting, delay. ``"late"``: the loop has
            not answered since ``start``; it is ``end`` now. ``"blocked"``: it was blocked from
            ``start`` to ``end``, has gone on, and found ``waiting`` completions. ``delay`` is how
            long the thread then had to wait for the interpreter. None when it is to leave.
        """
    def watch_excuse(self) -> None:
        """The loop is not running: that it does not answer means nothing."""
    def watch_close(self) -> None:
        """Have the thread leave, and put the switch interval back."""
