"""The timeline without a browser's help: a picture, a table, a text. All text is escaped."""

from __future__ import annotations

import html
from typing import TYPE_CHECKING, Final

from theus_nb.timeline.model import Marks, audit_entry, pack_lanes

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from theus_nb.timeline.model import Row

WIDTH: Final = 960
GUTTER: Final = 110
LINE: Final = 16
MOST_LINES: Final = 8
FEWEST_LETTERS: Final = 3
MOST_BARS: Final = 2_000
MOST_ENTRIES: Final = 20
MOST_ARROWS: Final = 300

FILL: Final = {
    "waiting": "#b8bec8",
    "queued": "#b8bec8",
    "running": "#3c7fc0",
    "finished": "#2a659f",
    "failed": "#c2410c",
    "cancelled": "#7b8492",
    "abandoned": "#8a6d00",
}
TITLES: Final = {"loop": "Event loop", "waiting": "Waiting", "cell": "Cell thread"}
MARK: Final = {"failed": "✕", "cancelled": "⊘", "abandoned": "⚠", "running": "▶"}
"""Besides the colour, which not everybody sees."""


NO_MARKS: Final = Marks()


def duration(ns: float) -> str:
    """Return nanoseconds as people write them."""
    for unit, size in (("d", 86_400e9), ("h", 3_600e9), ("min", 60e9), ("s", 1e9), ("ms", 1e6)):
        if ns >= size * (2 if unit in {"d", "h", "min"} else 1):
            return f"{ns / size:.3g} {unit}"
    return f"{ns / 1e3:.3g} µs"


def title(lane: str) -> str:
    """Return what a lane is called in front of users."""
    return TITLES.get(lane) or lane.replace("worker ", "Worker ")


def shown(text: str, most: int = 60) -> str:
    """Return text cut to a length and escaped for HTML and SVG, control characters made visible."""
    cut = text if len(text) <= most else text[: most - 1] + "…"
    visible = "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in cut)
    return html.escape(visible)


def svg(rows: Sequence[Row], now: int, marks: Marks = NO_MARKS) -> str:
    """Draw the newest rows as an SVG, packed like the live view."""
    rows = rows[-MOST_BARS:]
    lanes = pack_lanes(rows, now, MOST_LINES)
    first = min((row.begin for row in rows), default=0)
    last = max((row.ended or now for row in rows), default=1)
    scale = _scale(first, last)
    parts: list[str] = []
    places: dict[int, tuple[float, float, int]] = {}
    y, loop = 22, (20, 0)
    for lane in lanes:
        top = y
        parts.append(f'<text x="6" y="{y + 12}">{shown(title(lane.name), 18)}</text>')
        for line in lane.lines:
            for row in line:
                x = GUTTER + (row.begin - first) * scale
                width = max(((row.ended or now) - row.begin) * scale, 1.0)
                places[row.run] = (x, x + width, y + LINE // 2)
                parts.append(_bar(row, (x, y, width), now, marks.attempts.get(row.run, 1)))
            y += LINE
        if lane.hidden:
            more = f"+{lane.hidden} more at the same time"
            parts.append(f'<text x="{GUTTER}" y="{y + 11}" class="s">{more}</text>')
            y += LINE
        y += 6
        parts.append(f'<path d="M0 {y - 3}H{WIDTH}" class="g"/>')
        if lane.name == "loop":
            loop = (top, y - 3)
    parts += _bands(marks, (first, last), loop if loop[1] else (20, y))
    parts += _arrows(marks, places)
    height = y + 4
    for part in (0, 0.25, 0.5, 0.75, 1):
        x = GUTTER + (WIDTH - GUTTER - 8) * part
        anchor = "end" if part == 1 else "start"
        text = f"+{duration((last - first) * part)}" if part else "0"
        parts.append(f'<text x="{x:.0f}" y="13" class="s" text-anchor="{anchor}">{text}</text>')
    style = (
        "text{font:12px system-ui,sans-serif;fill:#1f2937}.s{font-size:10px;fill:#4b5563}"
        ".b{font-size:10px;fill:#fff}.g{stroke:#d7dbe2;fill:none}"
        ".a{stroke:#111827;stroke-opacity:.55;fill:none}.h{fill:#b91c1c;fill-opacity:.3}"
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img" '
        f'style="max-width:{WIDTH}px;width:100%;height:auto" '
        f'aria-label="Timeline of {len(rows)} runs in {len(lanes)} lanes">'
        f'<style>{style}</style><rect width="{WIDTH}" height="{height}" fill="#fff"/>'
        + "".join(parts)
        + "</svg>"
    )


def _scale(first: int, last: int) -> float:
    return (WIDTH - GUTTER - 8) / max(last - first, 1)


def _bands(marks: Marks, span: tuple[int, int], lane: tuple[int, int]) -> Iterator[str]:
    """Show where the loop was held up, as far as that is in the picture."""
    first, last = span
    top, bottom = lane
    scale = _scale(first, last)
    for begin, end, where in marks.blocked:
        if end < first or begin > last:
            continue
        x = GUTTER + (max(begin, first) - first) * scale
        width = max((min(end, last) - max(begin, first)) * scale, 1.0)
        words = shown(f"loop blocked {duration(end - begin)} · {where}", 300)
        yield (
            f'<g><title>{words}</title><rect class="h" x="{x:.1f}" y="{top}" '
            f'width="{width:.1f}" height="{bottom - top}"/></g>'
        )


def _arrows(marks: Marks, places: Mapping[int, tuple[float, float, int]]) -> Iterator[str]:
    """Lead from the end of who wrote to the begin of who read, the newest ones."""
    known = [read for read in marks.reads if read[0] in places and read[1] in places]
    for reader, writer, path in known[-MOST_ARROWS:]:
        (_, x1, y1), (x2, _, y2) = places[writer], places[reader]
        bend = max(14, abs(x2 - x1) / 2)
        words = shown(f"r{writer} wrote {path}, r{reader} read it", 300)
        curve = f"M{x1:.1f} {y1}C{x1 + bend:.1f} {y1} {x2 - bend:.1f} {y2} {x2:.1f} {y2}"
        yield f'<path class="a" d="{curve}m-5 -3l5 3l-5 3"><title>{words}</title></path>'


def _bar(row: Row, place: tuple[float, float, float], now: int, attempts: int) -> str:
    x, y, width = place
    took = duration((row.ended or now) - row.begin)
    words = f"{shown(row.process, 200)} r{row.run} · {row.status} · {took}"
    if attempts > 1:
        words += f" · {attempts} attempts"
    waiting = row.status in {"waiting", "queued"}
    top, high = (y + 5, LINE - 10) if waiting else (y + 1, LINE - 2)
    bar = (
        f'<g><title>{words}</title><rect x="{x:.1f}" y="{top}" width="{width:.1f}" '
        f'height="{high}" rx="2" fill="{FILL.get(row.status, "#7b8492")}"/>'
    )
    mark = MARK.get(row.status, "") + ("↻" if attempts > 1 else "")
    room = int((width - 8) / 6)
    if not waiting and room >= FEWEST_LETTERS:
        name = f"{mark} {row.process}" if mark else row.process
        bar += f'<text x="{x + 4:.1f}" y="{y + 12}" class="b">{shown(name, room)}</text>'
    return bar + "</g>"


def table(rows: Sequence[Row], now: int) -> str:
    """Return the newest rows as an HTML table, for readers of a screen and of a diff."""
    body = "".join(
        f"<tr><td>r{row.run}</td><td>{shown(row.process, 80)}</td><td>{shown(row.lane or '-')}</td>"
        f"<td>{MARK.get(row.status, '')} {row.status}</td>"
        f"<td>{duration((row.ended or now) - row.begin)}</td></tr>"
        for row in rows[-50:]
    )
    head = "".join(f"<th>{word}</th>" for word in ("run", "process", "lane", "status", "took"))
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def entries(lines: Sequence[str] | None) -> str:
    """Return the newest audit entries as an HTML list."""
    if lines is None:
        return "<p>audit: not available</p>"
    found = [entry for line in lines[-MOST_ENTRIES:] if (entry := audit_entry(line))]
    items = "".join(
        f"<li>{entry['seq']} {shown(str(entry.get('kind')))} {shown(str(entry.get('run', '')))} "
        f"{shown(str(entry.get('process', '')))}</li>"
        for entry in found
    )
    return f"<ol style='list-style:none;padding:0'>{items}</ol>"


def text(rows: Sequence[Row], now: int) -> str:
    """Return one line on all rows and one per row of the newest."""
    counts: dict[str, int] = {}
    for row in rows:
        counts[row.status] = counts.get(row.status, 0) + 1
    head = ", ".join(f"{n} {status}" for status, n in counts.items()) or "no runs yet"
    lines = [f"Timeline: {head}"]
    for row in rows[-20:]:
        took = duration((row.ended or now) - row.begin)
        name = row.process[:24]
        lines.append(f"  r{row.run:<5} {name:<24} {row.lane or '-':<10} {row.status:<10} {took}")
    return "\n".join(lines)


def page(
    rows: Sequence[Row], now: int, lines: Sequence[str] | None, marks: Marks = NO_MARKS
) -> str:
    """Return picture, table and entries as one piece of HTML."""
    more = f"<details><summary>{len(rows)} runs as a table</summary>{table(rows, now)}"
    style = "font-family:system-ui,sans-serif"
    return f"<div style='{style}'>{svg(rows, now, marks)}{more}{entries(lines)}</details></div>"


def document(title: str, body: str) -> str:
    """Return a page that stands alone, and may neither run nor fetch anything.

    Args:
        title: Any text.
        body: HTML, as `page` returns it.
    """
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta http-equiv="Content-Security-Policy" '
        "content=\"default-src 'none'; style-src 'unsafe-inline'\">"
        f"<title>{shown(title, 200)}</title>"
        "<style>body{font:14px/1.4 system-ui,sans-serif;margin:24px;color:#1f2937;background:#fff}"
        "h2{font-size:16px}table{border-collapse:collapse}td,th{padding:2px 8px;text-align:left}"
        f"</style></head><body>{body}</body></html>\n"
    )


def bundle(
    rows: Sequence[Row], now: int, lines: Sequence[str] | None, marks: Marks = NO_MARKS
) -> dict[str, str]:
    """Return what a notebook shows where it cannot show the live view."""
    return {"text/html": page(rows, now, lines, marks), "text/plain": text(rows, now)}
