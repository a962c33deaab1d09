"""``%theus audit``: the newest entries of the log, as text and as HTML."""

from __future__ import annotations

import argparse
import html
from typing import TYPE_CHECKING, Any, Final, NoReturn

from theus_nb.errors import ContractError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from theus_nb.session import Session

USAGE: Final = "audit [N] [--process P] [--kind K]"

_SHOWN: Final = 20
_TITLES: Final = ("seq", "time", "kind", "run", "process", "lane", "detail")
_WIDE: Final = 80
"""Characters of a detail that a row shows."""


class _Parser(argparse.ArgumentParser):
    """Raises instead of leaving the interpreter."""

    def error(self, message: str) -> NoReturn:
        msg = f"%theus audit: {message}; write %theus {USAGE}"
        raise ContractError(msg)


def _count(word: str) -> int:
    number = int(word) if word.isdecimal() else 0
    if number < 1:
        msg = f"a number of entries is at least 1, not {word!r}"
        raise argparse.ArgumentTypeError(msg)
    return number


def audit_bundle(session: Session, words: Sequence[str]) -> dict[str, str]:
    """Return the newest entries that match as a MIME bundle.

    Args:
        session: The session whose log it is.
        words: What stands behind ``%theus audit``.

    Raises:
        ContractError: The words make no sense.
    """
    parser = _Parser(prog="%theus audit", add_help=False)
    parser.add_argument("n", nargs="?", type=_count, default=_SHOWN)
    parser.add_argument("--process")
    parser.add_argument("--kind")
    try:
        options = parser.parse_args(list(words))
    except ContractError as error:
        raise error.with_traceback(None) from None  # argparse's frames tell a user nothing
    audit = session.audit
    if options.process is None and options.kind is None:
        entries = audit.tail(options.n)
    else:
        entries = audit.query(process=options.process, kind=options.kind)[-options.n :]
    rows = [_row(entry) for entry in entries]
    title = repr(audit).strip("<>")
    return {"text/plain": _as_text(title, rows), "text/html": _as_html(title, rows)}


def _row(entry: dict[str, Any]) -> tuple[str, ...]:
    # The time of day to the millisecond: the rest is in the log.
    time = str(entry["ts"])[11:23]
    detail = ", ".join(f"{key}={value}" for key, value in entry.get("detail", {}).items())
    short = detail if len(detail) <= _WIDE else detail[: _WIDE - 1] + "…"
    run, process, lane = (str(entry.get(key, "-")) for key in ("run", "process", "lane"))
    return str(entry["seq"]), time, str(entry["kind"]), run, process, lane, short


def _as_text(title: str, rows: Sequence[Sequence[str]]) -> str:
    if not rows:
        return f"{title}: no such entries"
    # What a user wrote may hold line ends and control characters: a row is a line.
    lines = [_TITLES, *([_printable(text) for text in row] for row in rows)]
    widths = [max(len(line[i]) for line in lines) for i in range(len(_TITLES))]
    shown = ["  ".join(map(str.ljust, line, widths)).rstrip() for line in lines]
    return "\n".join([f"{title}:", *(f"  {line}" for line in shown)])


def _printable(text: str) -> str:
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)


def _as_html(title: str, rows: Iterable[Sequence[str]]) -> str:
    """Return a table; names and notes come from users and are escaped."""
    head = "".join(f"<th>{text}</th>" for text in _TITLES)
    body = "".join(map(_html_row, rows))
    return (
        f"<p><b>{html.escape(title)}</b></p>"
        f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
    )


def _html_row(row: Sequence[str]) -> str:
    cells = "".join(f"<td>{html.escape(text)}</td>" for text in row)
    return f"<tr>{cells}</tr>"
