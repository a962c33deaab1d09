"""What the timeline knows of runs: packed columns in, rows and lanes out. No I/O."""

from __future__ import annotations

import bisect
import dataclasses
import heapq
import json
import struct
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Mapping, Sequence

STATUSES: Final = (
    "waiting",
    "queued",
    "running",
    "finished",
    "failed",
    "cancelled",
    "abandoned",
)
"""By the number in the status column."""

WAITING: Final = "waiting"
"""The lane of runs that no lane has taken yet."""


@dataclasses.dataclass(slots=True)
class Row:
    """One run, as far as it is known. Times are nanoseconds since the session began; 0: not yet.

    Attributes:
        run: Its number.
        parent: Number of the run in whose body it was started; 0 for none.
        process: Name of its process.
        lane: ``"loop"``, ``"cell"``, ``"worker 2"``, or ``""``.
        status: One of `STATUSES`.
        submitted: When it was submitted.
        started: When its body started.
        ended: When it ended.
        cpu: How much of its time its thread computed, in percent; 0 also where nobody knows.
    """

    run: int
    parent: int
    process: str
    lane: str
    status: str
    submitted: int
    started: int
    ended: int
    cpu: int = 0

    @property
    def begin(self) -> int:
        """Where its bar begins: at its start, or at its submission while it waits."""
        return self.started or self.submitted

    def last(self, now: int) -> int:
        """Where its bar ends: at its end, or now; never before it begins."""
        return max(self.ended or now, self.begin)


@dataclasses.dataclass(frozen=True, slots=True)
class Marks:
    """What a picture shows besides the runs.

    Attributes:
        reads: The run that read, the run that had written, and the path.
        blocked: From when to when the loop was held up (ns since the session began), and where.
        attempts: How often runs were tried, where more than once, by their numbers.
    """

    reads: Sequence[tuple[int, int, str]] = ()
    blocked: Sequence[tuple[int, int, str]] = ()
    attempts: Mapping[int, int] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True, slots=True)
class Packed:
    """One reading of the feed; see ``Engine.read_feed`` for the columns."""

    cursor: int
    lost: int
    rows: int
    reads: int
    data: bytes
    names: Sequence[str]


_TIMES: Final = ("run", "parent", "submitted", "started", "ended")


def _layout(rows: int, reads: int) -> str:
    return f"<{5 * rows + 2 * reads}d{2 * rows + reads}I{2 * rows}B"


class Table:
    """The rows of a session, put together from readings in any order.

    Whatever arrives twice or late changes nothing: an end is final, and a newer row replaces an
    older one.
    """

    def __init__(self) -> None:
        self.rows: dict[int, Row] = {}
        self.reads: list[tuple[int, int, str]] = []
        self._names: list[str] = []

    def apply(self, packed: Packed) -> None:
        """Take a reading over.

        Raises:
            ValueError: The columns do not have the size that their counts say.
        """
        self._names.extend(packed.names)
        n, m = packed.rows, packed.reads
        layout = _layout(n, m)
        if struct.calcsize(layout) != len(packed.data):
            msg = f"{n} rows and {m} reads take {struct.calcsize(layout)} bytes"
            raise ValueError(f"{msg}, not {len(packed.data)}: this reading is damaged")
        values = struct.unpack(layout, packed.data)
        run, parent, submitted, started, ended = (values[i * n : (i + 1) * n] for i in range(5))
        at = 5 * n
        readers, writers = values[at : at + m], values[at + m : at + 2 * m]
        at += 2 * m
        process, lane, paths = values[at : at + n], values[at + n : at + 2 * n], at + 2 * n
        status, cpu = values[paths + m : paths + m + n], values[paths + m + n :]
        for i in range(n):
            self._put(
                Row(
                    int(run[i]),
                    int(parent[i]),
                    self._name(process[i]),
                    self._name(lane[i]),
                    STATUSES[status[i]] if status[i] < len(STATUSES) else "unknown",
                    int(submitted[i]),
                    int(started[i]),
                    int(ended[i]),
                    min(cpu[i], 100),
                )
            )
        for i in range(m):
            self.reads.append((int(readers[i]), int(writers[i]), self._name(values[paths + i])))

    def _name(self, number: int) -> str:
        return self._names[number] if number < len(self._names) else "?"

    def _put(self, row: Row) -> None:
        known = self.rows.get(row.run)
        if known is not None:
            row.parent = row.parent or known.parent
            if known.ended and not row.ended:
                return
        self.rows[row.run] = row


def pack(rows: Sequence[Row], reads: Sequence[tuple[int, int, str]]) -> Packed:
    """Pack rows as the feed does; `Table.apply` and the front end read them."""
    numbers: dict[str, int] = {}

    def number(name: str) -> int:
        return numbers.setdefault(name, len(numbers))

    n, m = len(rows), len(reads)
    floats = [getattr(row, column) for column in _TIMES for row in rows]
    floats += [reader for reader, _, _ in reads] + [writer for _, writer, _ in reads]
    named = [number(row.process) for row in rows] + [number(row.lane) for row in rows]
    named += [number(path) for _, _, path in reads]
    codes = bytes(STATUSES.index(row.status) for row in rows)
    shares = bytes(row.cpu for row in rows)
    data = struct.pack(_layout(n, m), *floats, *named, *codes, *shares)
    return Packed(n, 0, n, m, data, list(numbers))


def lane_of(row: Row) -> str:
    """Return the lane in which a row is drawn."""
    if row.lane and (row.started or row.ended):
        return row.lane
    return WAITING


def lane_order(name: str) -> tuple[int, int, str]:
    """Sort lanes as they are drawn: the loop first, then what waits, cells, workers by number."""
    first = {"loop": 0, WAITING: 1, "cell": 2}.get(name, 3)
    _, _, number = name.rpartition(" ")
    return first, int(number[:9]) if number.isdecimal() else 0, name


@dataclasses.dataclass(slots=True)
class PackedLane:
    """A lane with its rows laid into as few lines as they need.

    Attributes:
        name: Of the lane.
        lines: Rows that do not overlap, line by line.
        hidden: How many rows found no line; they are counted, not drawn.
    """

    name: str
    lines: list[list[Row]]
    hidden: int


def pack_lanes(
    rows: Iterable[Row], now: int, most_lines: int, telling: Container[int] = ()
) -> list[PackedLane]:
    """Lay rows into lanes and lines, first fit.

    Args:
        rows: The rows.
        now: Where rows that have not ended are cut off.
        most_lines: Lines per lane; what overlaps more than that is counted as hidden.
        telling: Runs that are hidden last. Of the others the shortest are hidden first.
    """
    found: dict[str, list[Row]] = {}
    for row in sorted(rows, key=lambda row: (row.begin, row.run)):
        found.setdefault(lane_of(row), []).append(row)
    lanes = [
        PackedLane(name, lines, 0)
        if len(lines := _first_fit(lane, now)) <= most_lines
        else _most_telling(name, lane, now, most_lines, telling)
        for name, lane in found.items()
    ]
    return sorted(lanes, key=lambda lane: lane_order(lane.name))


def _first_fit(rows: Iterable[Row], now: int) -> list[list[Row]]:
    """Lay the rows of a lane, in the order of their begin, into as few lines as they need."""
    lines: list[list[Row]] = []
    busy: list[tuple[int, int]] = []  # until when, and which line
    free: list[int] = []
    for row in rows:
        while busy and busy[0][0] <= row.begin:
            heapq.heappush(free, heapq.heappop(busy)[1])
        if not free:
            free.append(len(lines))
            lines.append([])
        line = heapq.heappop(free)
        lines[line].append(row)
        heapq.heappush(busy, (row.last(now), line))
    return lines


def _most_telling(
    name: str, rows: Sequence[Row], now: int, most_lines: int, telling: Container[int]
) -> PackedLane:
    """Fill the lines of a lane with what tells most, and count the rest."""
    lines: list[list[Row]] = [[] for _ in range(most_lines)]
    hidden = 0
    order = sorted(rows, key=lambda row: (row.run not in telling, row.begin - row.last(now)))
    for row in order:
        for line in lines:
            at = bisect.bisect_left(line, row.begin, key=lambda other: other.begin)
            if (at == 0 or line[at - 1].last(now) <= row.begin) and (
                at == len(line) or row.last(now) <= line[at].begin
            ):
                line.insert(at, row)
                break
        else:
            hidden += 1
    return PackedLane(name, lines, hidden)


def audit_entry(line: str) -> dict[str, Any] | None:
    """Parse one line of the log; None where it is not an entry."""
    try:
        entry = json.loads(line)
    except ValueError:
        return None
    return entry if isinstance(entry, dict) and isinstance(entry.get("seq"), int) else None


__all__ = [
    "STATUSES",
    "Marks",
    "Packed",
    "PackedLane",
    "Row",
    "Table",
    "audit_entry",
    "lane_of",
    "lane_order",
    "pack",
    "pack_lanes",
]
