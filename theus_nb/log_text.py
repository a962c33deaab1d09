"""Entries of a log as lines of text for a terminal."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from theus_nb.verdict import terminal_safe

if TYPE_CHECKING:
    from theus_nb.logs import Entry

_WIDTHS: Final = {"seq": 6, "time": 12, "kind": 16, "run": 5, "process": 14, "lane": 9, "cell": 4}
_LONGEST: Final = 160
"""How much of a detail is shown: the file has it all."""


def heading() -> str:
    """Return the titles of the columns that `row` fills."""
    return _line([*_WIDTHS, "detail"])


def row(entry: Entry) -> str:
    """Return an entry as one line, safe to print, in columns of fixed width.

    Args:
        entry: The entry. What is not as expected in it is shown as it is.
    """
    cells = [
        str(entry["seq"]),
        entry["ts"][11:23],
        entry["kind"],
        *(str(entry.get(key, "")) for key in ("run", "process", "lane", "cell")),
        _detail(entry.get("detail", {})),
    ]
    return _line([terminal_safe(cell).replace("\n", "\\n") for cell in cells])


def _line(cells: list[str]) -> str:
    widths = [*_WIDTHS.values(), 0]
    return "  ".join(map(str.ljust, cells, widths)).rstrip()


def _detail(detail: dict[str, Any]) -> str:
    parts = (f"{key}={_value(value)}" for key, value in detail.items())
    text = " ".join(parts)
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"


def _value(value: object) -> str:
    if isinstance(value, str):
        return value
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)
