"""The part of ``theus_nb._core`` that keeps the audit log. A stub only: there is no such module."""

from collections.abc import Callable
from typing import Any, final

from theus_nb._core import Run, Ticket

@final
class AuditLog:
    """One session's audit log: a queue in memory, and a task that writes it without Python.

    Nothing is created on disk before the first entry. All methods raise `ForkedProcessError` in a
    forked child.

    Args:
        directory: Where logs lie side by side; None keeps the log in memory.
        name: Name of this log's own directory in it.
        opening: Detail of the first entry; version and the heads of the other logs are added.
        notify: Called once, with a sentence, when the log cannot be created or written.
        key: Key of the chain.
        default_place: Nobody asked for this place: it gets a ``.gitignore``, and where it cannot
            be written to the log stays in memory, unless `stop` or `durable` count on it.
        messages: Whether the texts of exceptions are recorded.
        stop: Whether new runs are refused once the log cannot be written.
        wait: Whether bodies wait while the queue is full; otherwise the entries of runs submitted
            then are counted as lost.
        durable: Whether a run settles only when the disk has confirmed its end.
        segment_bytes: Size after which the next file is begun.
    """

    def __new__(
        cls,
        directory: str | None,
        name: str,
        opening: dict[str, Any],
        notify: Callable[[str], object],
        *,
        key: bytes | None = None,
        default_place: bool = False,
        messages: bool = False,
        stop: bool = False,
        wait: bool = False,
        durable: bool = False,
        segment_bytes: int = ...,
    ) -> AuditLog: ...
    cell: int
    def record(
        self,
        kind: str,
        detail: dict[str, Any] | None = None,
        *,
        process: str | None = None,
        run: Run | None = None,
        kept: bool = False,
    ) -> int | None:
        """Record an entry that is made of plain values.

        With `kept` there is always room: whoever says so has waited for it.

        Returns:
            Its number; None if there was no room (it is counted) or the log has ended.

        Raises:
            AuditError: An unknown kind, or too much detail.
        """
    def note(self, text: str, *, kept: bool = False) -> int | None:
        """Record a remark and `tell`; see `Audit.note`.

        Raises:
            AuditError: No text, or too much of it.
            SessionClosedError: The log has ended.
        """
    def lines(self, after: int, limit: int) -> list[str]:
        """Return raw lines with numbers above `after` that are in memory, at most `limit`."""
    def position(self) -> tuple[int, int, int]:
        """The number of the next entry, of the last synced one (-1: none), and entries lost."""
    @property
    def written(self) -> int:
        """Number of the last entry the operating system has; -1 for none."""
    @property
    def first_line(self) -> int | None:
        """Number of the oldest line in memory."""
    @property
    def trouble(self) -> str | None:
        """Why nothing is written any more, or why the log is in memory only."""
    @property
    def fallback(self) -> str | None:
        """Why the log is in memory although it was to be on disk; None if it is not."""
    def tell(self) -> None:
        """Call `notify` if something happened to the log and nobody has been told yet.

        In a forked child this does nothing.
        """
    @property
    def has_room(self) -> bool:
        """Whether notes and new runs find room in the queue at present."""
    def synced(self) -> Ticket:
        """Return a ticket that is done when everything so far is synced, or never will be.

        Taking from it raises `AuditWriteError` in the second case.
        """
    def room(self) -> Ticket | None:
        """Return a ticket that is done when the queue has room again.

        None if it has, and always without `wait`: nobody is to wait then.
        """
    def settle(self, timeout: float) -> bool:
        """Block until what has been recorded is among the lines, at most `timeout` seconds."""
    def close(self, detail: dict[str, Any] | None = None, timeout: float = 1.0) -> bool:
        """Write the last entry, and wait until all is synced; False if that took too long.

        In a forked child this does nothing.

        Raises:
            AuditWriteError: It never will be.
        """
