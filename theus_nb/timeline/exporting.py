"""The timeline of a running session as a file: a picture, a page, a trace."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any, Final

from theus_nb.timeline import static
from theus_nb.timeline.from_log import marks_of, summary
from theus_nb.timeline.model import pack_lanes
from theus_nb.timeline.picture import title

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from theus_nb.timeline.model import Marks, Row
    from theus_nb.timeline.source import Source

ENTRIES: Final = 20_000
"""Of the log, among which further attempts are looked for."""


def exported(source: Source, kind: str) -> str:
    """Return the session's runs as the content of a file.

    Args:
        source: The session.
        kind: ``"svg"``, ``"html"`` (a page that needs nothing else) or ``"json"`` (a trace for
            ui.perfetto.dev and chrome://tracing).
    """
    table, now, lines = source.table(), source.now(), source.newest(ENTRIES)
    rows = sorted(table.rows.values(), key=lambda row: row.run)
    marks = marks_of(lines or (), table.reads, source.blocked())
    if kind == "svg":
        return static.svg(rows, now, marks)
    if kind == "json":
        return json.dumps({"traceEvents": list(_trace(rows, now, marks)), "displayTimeUnit": "ms"})
    when = time.strftime("%Y-%m-%d %H:%M:%S %z")
    body = f"<h2>Timeline of {when}</h2><p>{summary(rows)}.</p>"
    return static.document(f"Timeline of {when}", body + static.page(rows, now, lines, marks))


def _trace(rows: Sequence[Row], now: int, marks: Marks) -> Iterator[dict[str, Any]]:
    """Yield trace events: runs that overlap on one lane get a track each."""
    places: dict[int, tuple[int, Row]] = {}
    track = 0
    for lane in pack_lanes(rows, now, len(rows)):
        for line in lane.lines:
            track += 1
            label = {"pid": 1, "tid": track, "args": {"name": title(lane.name)}}
            yield {**label, "ph": "M", "name": "thread_name"}
            for row in line:
                places[row.run] = track, row
                slice_ = {"ph": "X", "pid": 1, "tid": track, "name": row.process, "cat": "run"}
                took = {"ts": row.begin / 1e3, "dur": (row.last(now) - row.begin) / 1e3}
                yield {**slice_, **took, "args": {"run": f"r{row.run}", "status": row.status}}
    for count, (reader, writer, path) in enumerate(marks.reads):
        if reader in places and writer in places:
            (left, source), (right, target) = places[writer], places[reader]
            same = {"pid": 1, "cat": "data", "name": path, "id": count}
            yield {**same, "ph": "s", "tid": left, "ts": source.last(now) / 1e3}
            yield {**same, "ph": "f", "bp": "e", "tid": right, "ts": target.begin / 1e3}
    for begin, end, where in marks.blocked:
        mark = {"ph": "X", "pid": 1, "tid": 0, "name": f"loop blocked: {where}"}
        yield {**mark, "ts": begin / 1e3, "dur": (end - begin) / 1e3}


__all__ = ["exported"]
