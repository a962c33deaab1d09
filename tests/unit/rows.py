"""Runs as the timeline gets them."""

from __future__ import annotations

from typing import Final

from theus_nb.timeline.model import Row


def row(run: int, name: str = "p", **changes: object) -> Row:
    """A run of half a microsecond on the loop; changes are its fields."""
    made = Row(run, 0, name, "loop", "finished", run * 1_000, run * 1_000, run * 1_000 + 500)
    for key, value in changes.items():
        setattr(made, key, value)
    return made


ODD_ROWS: Final = {
    "none": [],
    "no time": [row(1, submitted=5, started=5, ended=5)],
    "a year": [row(1), row(2, ended=400 * 86_400 * 10**9)],
    "clock back": [row(1, started=9_000, ended=10)],
    "500 workers": [row(i, lane=f"worker {i}") for i in range(500)],
    "many": [row(i) for i in range(1, 5_000)],
    "any text": [row(1, "<b>\u202eevil \u05d0"), row(2, "a\0b\ud800"), row(3, "x" * 9_999)],
}
