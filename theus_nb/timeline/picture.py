"""What a picture of the timeline shows, and where; it is written down as SVG and as PNG."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Final

from theus_nb.timeline.model import Marks, pack_lanes

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from theus_nb.timeline.model import Row

WIDTH: Final = 960
GUTTER: Final = 110
LINE: Final = 16
TOP: Final = 20
"""Where the lanes begin, below the times."""
MOST_LINES: Final = 8
FEWEST_LETTERS: Final = 3
MOST_BARS: Final = 2_000
MOST_ARROWS: Final = 300

FILL: Final = {
    "waiting": "#b8bec8",
    "queued": "#b8bec8",
    "running": "#3878b8",
    "finished": "#2a659f",
    "failed": "#c2410c",
    "cancelled": "#7b8492",
    "abandoned": "#8a6d00",
}
MARK: Final = {"failed": "✕", "cancelled": "⊘", "abandoned": "⚠", "running": "▶"}
"""Besides the colour, which not everybody sees."""
TITLES: Final = {"loop": "Event loop", "waiting": "Waiting", "cell": "Cell thread"}

NO_MARKS: Final = Marks()


@dataclasses.dataclass(frozen=True, slots=True)
class Word:
    """A piece of text: a lane's title, a time, a remark. `x` is its end if it is `at_end`."""

    x: float
    y: float
    text: str
    small: bool = True
    at_end: bool = False


@dataclasses.dataclass(frozen=True, slots=True)
class Bar:
    """A run. `label` fits inside, `words` say everything."""

    x: float
    y: float
    width: float
    height: float
    fill: str
    label: str
    words: str


@dataclasses.dataclass(frozen=True, slots=True)
class Band:
    """Where the loop was held up."""

    x: float
    y: float
    width: float
    height: float
    words: str


@dataclasses.dataclass(frozen=True, slots=True)
class Arrow:
    """From the end of a run that wrote to the begin of one that read."""

    start: tuple[float, float]
    end: tuple[float, float]
    words: str

    @property
    def bend(self) -> float:
        """How far its curve goes on before it turns."""
        return max(14, abs(self.end[0] - self.start[0]) / 2)


@dataclasses.dataclass(frozen=True, slots=True)
class Picture:
    """All of it, in pixels; later things lie on top of earlier ones.

    Attributes:
        height: Of the picture; its width is always `WIDTH`.
        summary: What it shows, for those who do not see it.
        rules: Where the lanes end.
    """

    height: int
    summary: str
    rules: Sequence[int]
    words: Sequence[Word]
    bars: Sequence[Bar]
    bands: Sequence[Band]
    arrows: Sequence[Arrow]


def duration(ns: float) -> str:
    """Return nanoseconds as people write them."""
    for unit, size in (("d", 86_400e9), ("h", 3_600e9), ("min", 60e9), ("s", 1e9), ("ms", 1e6)):
        if ns >= size * (2 if unit in {"d", "h", "min"} else 1):
            return f"{ns / size:.3g} {unit}"
    return f"{ns / 1e3:.3g} µs"


def title(lane: str) -> str:
    """Return what a lane is called in front of users."""
    return TITLES.get(lane) or lane.replace("worker ", "Worker ")


def compose(rows: Sequence[Row], now: int, marks: Marks = NO_MARKS) -> Picture:
    """Compose the picture of the newest rows, packed like the live view.

    Where more run at the same time than a lane has lines, those are drawn that tell most: runs
    that arrows lead to, that failed or go on, then the longest; the others are counted.
    """
    rows = rows[-MOST_BARS:]
    reads = marks.reads[-MOST_ARROWS:]
    telling = {run for read in reads for run in read[:2]}
    telling.update(row.run for row in rows if row.status not in {"finished", "cancelled"})
    lanes = pack_lanes(rows, now, MOST_LINES, telling)
    first = min((row.begin for row in rows), default=0)
    last = max((row.ended or now for row in rows), default=1)
    scale = (WIDTH - GUTTER - 8) / max(last - first, 1)
    words = list(_times(last - first))
    rules: list[int] = []
    bars: dict[int, Bar] = {}
    y, loop = TOP + 2, (TOP, 0)
    for lane in lanes:
        top = y
        words.append(Word(6, y + 12, title(lane.name)[:18], small=False))
        for line in lane.lines:
            for row in line:
                x = GUTTER + (row.begin - first) * scale
                width = max(((row.ended or now) - row.begin) * scale, 1.0)
                bars[row.run] = _bar(row, (x, y, width), now, marks.attempts.get(row.run, 1))
            y += LINE
        if lane.hidden:
            words.append(Word(GUTTER, y + 11, f"+{lane.hidden} more at the same time"))
            y += LINE
        y += 6
        rules.append(y - 3)
        if lane.name == "loop":
            loop = (top, y - 3)
    return Picture(
        height=y + 4,
        summary=f"Timeline of {len(rows)} runs in {len(lanes)} lanes",
        rules=rules,
        words=words,
        bars=list(bars.values()),
        bands=list(_bands(marks, (first, last), scale, loop if loop[1] else (TOP, y))),
        arrows=list(_arrows(reads, bars)),
    )


def _times(span: int) -> Iterator[Word]:
    for part in (0, 0.25, 0.5, 0.75, 1):
        x = GUTTER + (WIDTH - GUTTER - 8) * part
        yield Word(x, 13, f"+{duration(span * part)}" if part else "0", at_end=part == 1)


def _bar(row: Row, place: tuple[float, float, float], now: int, attempts: int) -> Bar:
    x, y, width = place
    took = duration((row.ended or now) - row.begin)
    words = f"{row.process[:200]} r{row.run} · {row.status} · {took}"
    if attempts > 1:
        words += f" · {attempts} attempts"
    fill = FILL.get(row.status, FILL["cancelled"])
    if row.status in {"waiting", "queued"}:
        return Bar(x, y + 5, width, LINE - 10, fill, "", words)
    mark = MARK.get(row.status, "") + ("↻" if attempts > 1 else "")
    room = int((width - 8) / 6)
    label = f"{mark} {row.process}" if mark else row.process
    return Bar(
        x, y + 1, width, LINE - 2, fill, label[:room] if room >= FEWEST_LETTERS else "", words
    )


def _bands(
    marks: Marks, span: tuple[int, int], scale: float, lane: tuple[int, int]
) -> Iterator[Band]:
    """Show where the loop was held up, as far as that is in the picture."""
    first, last = span
    top, bottom = lane
    for begin, end, where in marks.blocked:
        if end < first or begin > last:
            continue
        x = GUTTER + (max(begin, first) - first) * scale
        width = max((min(end, last) - max(begin, first)) * scale, 1.0)
        words = f"loop blocked {duration(end - begin)} · {where}"
        yield Band(x, top, width, bottom - top, words)


def _arrows(reads: Sequence[tuple[int, int, str]], bars: Mapping[int, Bar]) -> Iterator[Arrow]:
    """Lead from the end of who wrote to the begin of who read."""
    for reader, writer, path in reads:
        if reader in bars and writer in bars:
            source, target = bars[writer], bars[reader]
            start = (source.x + source.width, source.y + source.height / 2)
            end = (target.x, target.y + target.height / 2)
            yield Arrow(start, end, f"r{writer} wrote {path}, r{reader} read it")
