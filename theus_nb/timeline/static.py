"""The timeline without a browser's help: a picture, a table, a text. All text is escaped."""

from __future__ import annotations

import html
from typing import TYPE_CHECKING, Final

from theus_nb.timeline.model import audit_entry
from theus_nb.timeline.picture import MARK, NO_MARKS, WIDTH, compose, duration

if TYPE_CHECKING:
    from collections.abc import Sequence

    from theus_nb.timeline.model import Marks, Row
    from theus_nb.timeline.picture import Arrow, Band, Bar, Word

MOST_ENTRIES: Final = 20


def shown(text: str, most: int = 60) -> str:
    """Return text cut to a length and escaped for HTML and SVG, control characters made visible."""
    cut = text if len(text) <= most else text[: most - 1] + "…"
    visible = "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in cut)
    return html.escape(visible)


def svg(rows: Sequence[Row], now: int, marks: Marks = NO_MARKS) -> str:
    """Draw the newest rows as an SVG, packed like the live view."""
    picture = compose(rows, now, marks)
    parts = [
        *(f'<path d="M0 {y}H{WIDTH}" class="g"/>' for y in picture.rules),
        *map(_word, picture.words),
        *map(_bar, picture.bars),
        *map(_band, picture.bands),
        *map(_arrow, picture.arrows),
    ]
    style = (
        "text{font:12px system-ui,sans-serif;fill:#1f2937}.s{font-size:10px;fill:#4b5563}"
        ".b{font-size:10px;fill:#fff}.g{stroke:#d7dbe2;fill:none}"
        ".a{stroke:#111827;stroke-opacity:.55;fill:none}.h{fill:#b91c1c;fill-opacity:.3}"
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {picture.height}" '
        f'role="img" style="max-width:{WIDTH}px;width:100%;height:auto" '
        f'aria-label="{picture.summary}">'
        f'<style>{style}</style><rect width="{WIDTH}" height="{picture.height}" fill="#fff"/>'
        + "".join(parts)
        + "</svg>"
    )


def _word(word: Word) -> str:
    kind = ' class="s"' if word.small else ""
    anchor = ' text-anchor="end"' if word.at_end else ""
    return f'<text x="{word.x:.0f}" y="{word.y:.0f}"{kind}{anchor}>{shown(word.text)}</text>'


def _bar(bar: Bar) -> str:
    drawn = (
        f'<g><title>{shown(bar.words, 300)}</title><rect x="{bar.x:.1f}" y="{bar.y}" '
        f'width="{bar.width:.1f}" height="{bar.height}" rx="2" fill="{bar.fill}"/>'
    )
    if bar.label:
        drawn += (
            f'<text x="{bar.x + 4:.1f}" y="{bar.y + 11}" class="b">{shown(bar.label, 200)}</text>'
        )
    return drawn + "</g>"


def _band(band: Band) -> str:
    return (
        f'<g><title>{shown(band.words, 300)}</title><rect class="h" x="{band.x:.1f}" '
        f'y="{band.y}" width="{band.width:.1f}" height="{band.height}"/></g>'
    )


def _arrow(arrow: Arrow) -> str:
    (x1, y1), (x2, y2), bend = arrow.start, arrow.end, arrow.bend
    curve = f"M{x1:.1f} {y1:g}C{x1 + bend:.1f} {y1:g} {x2 - bend:.1f} {y2:g} {x2:.1f} {y2:g}"
    words = shown(arrow.words, 300)
    return f'<path class="a" d="{curve}m-5 -3l5 3l-5 3"><title>{words}</title></path>'


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
