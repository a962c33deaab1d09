"""The part of ``theus_nb._core`` that the timeline reads. A stub only: there is no such module."""

from typing import final

from theus_nb._core import Engine

@final
class Feed:
    """What becomes of an engine's runs, for whoever reads along. Bounded.

    All readers of an engine share what is kept. While it is closed, a change of a run costs one
    atomic load.

    Args:
        engine: The engine.
    """

    def __new__(cls, engine: Engine) -> Feed: ...
    def open(self) -> None:
        """Start to keep what becomes of runs, beginning with those on record."""
    def close(self) -> None:
        """Stop, and forget what nobody has read; cursors go on."""
    def before(self, changes: int) -> int:
        """Return the cursor with so many changes after it; the first one if there are fewer."""
    def read(
        self, cursor: int, known_names: int, limit: int
    ) -> tuple[int, int, int, int, bytes, list[str]]:
        """Read what has become of runs since a cursor: the newest state of each, once.

        Args:
            cursor: 0, or what the last reading returned.
            known_names: How many names the reader has been told.
            limit: Changes to read at most; the last 262,144 are kept.

        Returns:
            The next cursor; how many changes were gone; rows; reads; columns; further names.
            The columns, little-endian, one after another: per row run, parent (0: none, or
            told before), submitted, started, ended (ns, 0: not yet) as f64; per read the
            reading run and the version (the run that wrote it) as f64; per row process and
            lane as u32; per read its path as u32, all three numbering names; per row its
            status as u8: waiting, queued, running, finished, failed, cancelled, abandoned;
            and as u8 how many percent of its time its thread computed (0: or unknown).
        """
