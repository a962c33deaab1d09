"""The timeline of an audit log alone: its entries in, rows and a page out. No I/O.

Nothing here trusts the log: what does not have the shape that docs/audit-format.md gives it is
passed over, and a run of which the log tells less is drawn with what it does tell.
"""

from __future__ import annotations

import collections
import dataclasses
import json
import re
from typing import TYPE_CHECKING, Any, Final

from theus_nb.logs import read_entry
from theus_nb.timeline import static
from theus_nb.timeline.model import Marks, Row
from theus_nb.timeline.picture import MOST_BARS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

_RUN: Final = re.compile(r"r([1-9][0-9]{0,14})")
_ENDS: Final = {
    "run_finished": "finished",
    "run_failed": "failed",
    "run_cancelled": "cancelled",
    "run_abandoned": "abandoned",
}
_LATEST: Final = 2**53
STATE: Final = "state"
"""The lane of assignments that no run made."""


class Story:
    """The runs of one log, entry by entry."""

    def __init__(self) -> None:
        self.count = 0
        self.now = 0
        self.ended = False
        self.dropped = 0
        self.attempts: dict[int, int] = {}
        self.blocked: list[tuple[int, int, str]] = []
        self._rows: dict[int, Row] = {}
        self._writers: dict[tuple[str, int], int] = {}
        self._reads: list[tuple[int, str, int]] = []
        self._newest: collections.deque[dict[str, Any]] = collections.deque(
            maxlen=static.MOST_ENTRIES
        )

    def take(self, entry: dict[str, Any]) -> None:
        """Take the next entry, as ``theus_nb.logs.entries`` yields it."""
        kind, detail = entry["kind"], entry.get("detail", {})
        time = _time(entry["mono"], self.now)
        self.count += 1
        self.now = max(self.now, time)
        self._newest.append(entry)
        self.ended = kind == "session_ended"
        if kind == "loop_blocked":
            self._block(time, detail)
        elif kind == "dropped":
            self.dropped += _time(detail.get("count"), 0)
        run = _number(entry.get("run"))
        if not run:
            return
        if kind == "run_started":
            row = self._row(run, entry, time)
            row.started, row.status = time, "running"
            row.parent = _number(detail.get("parent"))
            row.submitted = min(_time(detail.get("submitted"), row.submitted), row.started)
            self._reads += [(run, *read) for read in _reads(detail.get("reads"))]
        elif kind in _ENDS:
            row = self._row(run, entry, time)
            row.started = _time(detail.get("started"), row.started)
            row.submitted = _time(detail.get("submitted"), row.submitted)
            row.submitted = min(row.submitted, row.begin)
            row.status, row.ended = _ENDS[kind], max(time, row.begin)
        elif kind == "run_retried":
            row = self._row(run, entry, time)
            row.started, row.status = 0, "waiting"
            self.attempts[run] = self.attempts.get(run, 1) + 1
        elif kind == "state_committed":
            self._commit(run, entry, time)

    def rows(self) -> list[Row]:
        """Return the runs, by their numbers; what has no end there goes on, as in the live view."""
        return sorted(self._rows.values(), key=lambda row: row.run)

    def marks(self) -> Marks:
        """Return who read what, where the loop was held up, and what was tried again."""
        read = [
            (run, self._writers[path, version], path)
            for run, path, version in self._reads
            if self._writers.get((path, version), run) != run
        ]
        return Marks(read, self.blocked, self.attempts)

    def lines(self) -> list[str]:
        """Return the newest entries as JSON."""
        return [json.dumps(entry) for entry in self._newest]

    def _row(self, run: int, entry: dict[str, Any], time: int) -> Row:
        row = self._rows.get(run)
        if row is None:
            row = self._rows[run] = Row(run, 0, "?", "", "running", time, 0, 0)
        row.process = str(entry.get("process", row.process))
        row.lane = str(entry.get("lane", row.lane))
        return row

    def _commit(self, run: int, entry: dict[str, Any], time: int) -> None:
        detail = entry.get("detail", {})
        version = _time(detail.get("version"), -1)
        written = detail.get("paths")
        for one in written if isinstance(written, list) else []:
            if isinstance(one, dict) and isinstance(one.get("path"), str):
                self._writers[one["path"], version] = run
        if run not in self._rows and "lane" not in entry:
            name = str(entry.get("process", "?"))
            self._rows[run] = Row(run, 0, name, STATE, "finished", time, time, time)

    def _block(self, time: int, detail: dict[str, Any]) -> None:
        long = detail.get("ms")
        # Not a number and infinity, which JSON has as Python reads it, are no length either.
        if isinstance(long, int | float) and 0 <= long * 1e6 <= _LATEST:
            begin = max(0, time - int(long * 1e6))
            self.blocked.append((begin, time, str(detail.get("where", ""))))


def marks_of(
    lines: Iterable[str],
    reads: Sequence[tuple[int, int, str]],
    blocked: Sequence[tuple[int, int, str]],
) -> Marks:
    """Return what a picture shows besides runs that are known otherwise.

    Args:
        lines: The newest lines of the log.
        reads: The run that read, the run that had written, and the path.
        blocked: From when to when the loop was held up, and by what.
    """
    story = Story()
    for line in lines:
        if (entry := read_entry(line.encode())) is not None:
            story.take(entry)
    return Marks(reads, blocked, story.attempts)


@dataclasses.dataclass(frozen=True, slots=True)
class Document:
    """A page that stands alone.

    Attributes:
        html: The page.
        runs: How many runs it shows or counts.
    """

    html: str
    runs: int


def document(logs: Mapping[str, Iterable[dict[str, Any]]]) -> Document:
    """Draw logs as one HTML page that needs nothing else: no script, nothing fetched.

    It shows what the logs say and proves nothing; the page says so.

    Args:
        logs: The entries of each log, by its name.

    Returns:
        The page, and how many runs are on it.
    """
    parts: list[str] = []
    runs = 0
    for name, entries in logs.items():
        story = Story()
        for entry in entries:
            story.take(entry)
        rows = story.rows()
        runs += len(rows)
        parts.append(f"<h2>{static.shown(name, 200)}</h2><p>{_summary(story, rows)}</p>")
        parts.append(static.page(rows, story.now, story.lines(), story.marks()))
    title = next(iter(logs)) if len(logs) == 1 else f"{len(logs)} logs"
    return Document(static.document(f"Timeline of {title}", "".join(parts)), runs)


def summary(rows: Sequence[Row]) -> str:
    """Return how many runs there are and how they ended, in words."""
    counts = collections.Counter(row.status for row in rows)
    unfinished = counts.pop("running", 0) + counts.pop("waiting", 0) + counts.pop("queued", 0)
    words = [f"{len(rows)} runs", *(f"{count} {status}" for status, count in counts.items())]
    if unfinished:
        words.append(f"{unfinished} without an end")
    if len(rows) > MOST_BARS:
        words.append(f"the newest {MOST_BARS} are drawn")
    return "; ".join(words)


def _summary(story: Story, rows: list[Row]) -> str:
    words = f"{story.count} entries, {summary(rows)}"
    if story.dropped:
        words += f"; {story.dropped} entries were dropped"
    end = "" if story.ended else " The log has no end: the session goes on, or it was killed."
    return f"{words}.{end} Not verified: <code>theus-nb verify</code> proves a log."


def _number(value: object) -> int:
    """Return the number of a run, 0 for what names none."""
    found = _RUN.fullmatch(value) if isinstance(value, str) else None
    return int(found[1]) if found else 0


def _time(value: object, otherwise: int) -> int:
    return value if isinstance(value, int) and 0 <= value < _LATEST else otherwise


def _reads(value: object) -> list[tuple[str, int]]:
    found: list[tuple[str, int]] = []
    for read in value if isinstance(value, list) else []:
        match read:
            case [str() as path, int() as version]:
                found.append((path, version))
            case _:
                continue
    return found


__all__ = ["Document", "Story", "document", "marks_of", "summary"]
