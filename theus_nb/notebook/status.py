"""``%theus status``: the processes and the latest runs, as text and as HTML."""

from __future__ import annotations

import html
import itertools
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

    from theus_nb.process import Process
    from theus_nb.run import RunRecord
    from theus_nb.session import Session
    from theus_nb.watch import LoopBlocked

_SHOWN: Final = 20
"""How many runs are listed: a screen of them. `theus.runs` has them all."""

_PROCESS_TITLES: Final = ("process", "lane", "inputs", "outputs", "side effects")
_RUN_TITLES: Final = ("run", "process", "lane", "status", "time")
_BLOCKS_SHOWN: Final = 5
_BLOCK_TITLES: Final = ("time", "where", "what to do")


def status_bundle(session: Session) -> dict[str, str]:
    """Return the status of a session as a MIME bundle.

    Args:
        session: The session to describe.
    """
    runs = list(session.runs)
    latest = runs[-_SHOWN:]
    title = f"latest {len(latest)} of {len(runs)} runs" if len(runs) > len(latest) else "runs"
    tables: list[tuple[str, Sequence[str], Sequence[Sequence[str]]]] = [
        ("processes", _PROCESS_TITLES, [_process_row(p) for p in session.registry]),
        (title, _RUN_TITLES, [_run_row(r) for r in latest]),
    ]
    blocks = session.blocks[-_BLOCKS_SHOWN:]
    if blocks:
        rows = [_block_row(block) for block in blocks]
        tables.append(("the event loop was blocked while runs had to wait", _BLOCK_TITLES, rows))
    return {
        "text/plain": "\n\n".join(itertools.starmap(_as_text, tables)),
        "text/html": "".join(itertools.starmap(_as_html, tables)),
    }


def format_seconds(seconds: float | None) -> str:
    """Return a duration for people: ``12.3 ms``, ``1.50 s``, or a dash for none."""
    if seconds is None:
        return "-"
    return f"{seconds * 1e3:.1f} ms" if seconds < 1 else f"{seconds:.2f} s"


def _process_row(process: Process) -> tuple[str, ...]:
    contract = process.contract
    lane = "loop" if process.on_loop else "cell" if process.lane == "cell" else "worker"
    inputs = "(open)" if contract.is_open else ", ".join(map(str, contract.inputs))
    outputs = "(open)" if contract.is_open else ", ".join(map(str, contract.outputs))
    return process.name, lane, inputs, outputs, ", ".join(contract.side_effects)


def _run_row(run: RunRecord) -> tuple[str, ...]:
    return run.id, run.name, run.lane or "-", run.status, format_seconds(run.elapsed)


def _block_row(block: LoopBlocked) -> tuple[str, ...]:
    return format_seconds(block.ms / 1e3), block.where, block.hint


def _as_text(title: str, titles: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    if not rows:
        return f"{title}: none yet"
    lines = [titles, *rows]
    widths = [max(len(line[i]) for line in lines) for i in range(len(titles))]
    shown = ["  ".join(map(str.ljust, line, widths)).rstrip() for line in lines]
    return "\n".join([f"{title}:", *(f"  {line}" for line in shown)])


def _as_html(title: str, titles: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table; names come from users and are escaped."""
    if not rows:
        return f"<p><b>{html.escape(title)}</b>: none yet</p>"
    head = "".join(f"<th>{html.escape(text)}</th>" for text in titles)
    body = "".join(
        "<tr>" + "".join(f"<td>{html.escape(text)}</td>" for text in row) + "</tr>" for row in rows
    )
    return (
        f"<p><b>{html.escape(title)}</b></p>"
        f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
    )
