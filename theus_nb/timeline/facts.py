"""What is known of one run beyond its bar: its contract, its record, its entries in the log."""

from __future__ import annotations

import inspect
import linecache
from typing import TYPE_CHECKING, Any, Final

from theus_nb.timeline.model import audit_entry
from theus_nb.timeline.picture import duration

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from theus_nb.process import Process

Fact = tuple[str, str]
"""A name and what is said under it."""

Entry = dict[str, Any]

NOTABLE: Final = 100_000
"""Nanoseconds of waiting for the interpreter from which on they are mentioned."""

LONGEST: Final = 20_000
"""Characters of a text that a page is sent."""


def entries_of(run: int, lines: Iterable[str]) -> list[Entry]:
    """Return the entries of a run among lines of the log, oldest first."""
    mark = f'"run":"r{run}"'
    # Most lines are another run's: only what may be this one's is parsed.
    found = (audit_entry(line) for line in lines if mark in line)
    return [entry for entry in found if entry is not None and entry.get("run") == f"r{run}"]


def contract_facts(process: Process) -> Iterator[Fact]:
    """Say what a process declares."""
    contract = process.contract
    if contract.is_open:
        yield "contract", "open: it may read and write everything"
        return
    for name, declared in (
        ("inputs", [str(access) for access in contract.inputs]),
        ("outputs", [str(access) for access in contract.outputs]),
        ("side effects", list(contract.side_effects)),
    ):
        if declared:
            yield name, ", ".join(declared)


def record_facts(
    wall: int, cpu: int | None, waited: int | None, entries: Iterable[Entry]
) -> Iterator[Fact]:
    """Say what an ended run did: what it wrote, computed and waited for.

    Args:
        wall: Nanoseconds from its start to its end.
        cpu: Nanoseconds that its thread computed; None where that was not measured.
        waited: Nanoseconds that its thread waited for the interpreter, likewise.
        entries: Its entries in the log.
    """
    tried = 1
    for entry in entries:
        detail = entry.get("detail", {})
        if entry["kind"] == "state_committed":
            paths = ", ".join(_written(one, detail.get("version")) for one in detail["paths"])
            yield "wrote", paths
        elif entry["kind"] == "file_written":
            yield "file", f"{detail.get('path')} ({detail.get('bytes')} bytes)"
        elif entry["kind"] == "contract_denied":
            yield "denied", f"{detail.get('verb')} {detail.get('path')}"
        elif entry["kind"] == "run_retried":
            tried += 1
    if tried > 1:
        yield "attempts", str(tried)
    if cpu is not None and wall > 0:
        share = min(cpu / wall, 1)
        yield "thread CPU", f"{duration(cpu)} of {duration(wall)} ({share:.0%})"
    if waited and waited >= NOTABLE:
        yield "waited for the interpreter", duration(waited)


def _written(path: dict[str, Any], version: object) -> str:
    shape = path.get("shape")
    size = ", " + " x ".join(map(str, shape)) if isinstance(shape, list) else ""
    return f"{path.get('path')} v{version} ({path.get('type')}{size})"


def error_text(entries: Iterable[Entry], cell_of: Callable[[str], int | None]) -> str | None:
    """Return how a run failed, as Python shows it; None if it did not.

    The log keeps no values: the exception's own text is there only if the session asked for it.

    Args:
        entries: Those of the run.
        cell_of: Tells the number of the cell that a file name stands for, or None.
    """
    failed = [entry for entry in entries if entry["kind"] == "run_failed"]
    if not failed:
        return None
    detail = failed[-1].get("detail", {})
    lines = [f"{failed[-1].get('process')} ({failed[-1].get('run')}) failed"]
    for file, line, function in detail.get("frames", ()):
        cell = cell_of(str(file))
        where = f'File "{file}"' if cell is None else f"Cell [{cell}]"
        lines.append(f"  {where}, line {line}, in {function}")
        if source := linecache.getline(str(file), int(line)).strip():
            lines.append(f"    {source}")
    message = detail.get("message")
    lines.append(f"{detail.get('error')}: {message}" if message else str(detail.get("error")))
    return "\n".join(lines)[:LONGEST]


def cells_of(
    entries: Iterable[Entry], process: Process | None, cell_of: Callable[[str], int | None]
) -> dict[int, str]:
    """Return the numbers of the cells that a run has to do with, and what.

    Args:
        entries: Those of the run.
        process: What was run, if it is still known.
        cell_of: Tells the number of the cell that a file name stands for, or None.
    """
    cells: dict[int, str] = {}
    for entry in entries:
        number = entry.get("cell")
        if entry["kind"] == "run_started" and isinstance(number, int):
            cells.setdefault(number, "it ran in")
    code = getattr(process.fn, "__code__", None) if process is not None else None
    if code is not None and (defined := cell_of(code.co_filename)):
        cells.setdefault(defined, "that defines it")
    return cells


def missing_arguments(process: Process) -> list[str]:
    """Return the arguments without which a process cannot be called, besides its context."""
    if process.kind == "cell":
        return []
    try:
        _context, *others = inspect.signature(process.fn).parameters.values()
    except (TypeError, ValueError):
        return []  # a built-in without signature: the call itself will tell
    optional = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    return [p.name for p in others if p.default is p.empty and p.kind not in optional]


__all__ = [
    "cells_of",
    "contract_facts",
    "entries_of",
    "error_text",
    "missing_arguments",
    "record_facts",
]
