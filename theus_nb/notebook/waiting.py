"""``%theus wait`` and ``%theus cancel``: the runs that are meant, and waiting for their ends."""

from __future__ import annotations

import asyncio
import functools
import re
from typing import TYPE_CHECKING, Final

from theus_nb.access import current
from theus_nb.errors import ContractError
from theus_nb.notebook.interrupt import InterruptedWait, was_interrupted
from theus_nb.notebook.status import format_seconds

if TYPE_CHECKING:
    from collections.abc import Iterable

    from theus_nb._core import Run
    from theus_nb.session import Session

_HOW: Final = {
    "finished": "has finished",
    "failed": "has failed",
    "retried": "has failed",
    "cancelled": "was cancelled",
    "abandoned": "was given up",
}

_RUN_ID: Final = re.compile(r"r\d+")


def runs_to_wait_for(session: Session, words: list[str]) -> list[Run]:
    """Return the runs that ``%theus wait`` means.

    Without a name these are all unfinished runs. The latest run of a background cell counts even
    if it has ended, until it has been reported once: whether it was quicker makes no difference.

    Raises:
        ContractError: A run that has ended long ago; nothing at all to wait for.
        UnknownProcessError: No process has this name.
    """
    found = {run.number: run for run in session.background.values()}
    found.update((run.number, run) for run in session.runs.unfinished())
    inside = current.get()
    while inside is not None:  # a body that waited for its own run would wait for ever
        found.pop(inside.run.number, None)
        inside = inside.parent
    words = _named("wait", words)
    if words in ([], ["all"]):
        if not found:
            msg = (
                "%theus wait: there is nothing to wait for; start something first, with "
                "%%theus_process NAME --background or theus.start(...)"
            )
            raise ContractError(msg)
        return [found[number] for number in sorted(found)]
    return [run for word in words for run in _meant(session, found.values(), word, "wait for")]


def runs_to_cancel(session: Session, words: list[str]) -> list[Run]:
    """Return the unfinished runs that ``%theus cancel`` means.

    Raises:
        ContractError: No word at all; nothing is unfinished; a run that has ended.
        UnknownProcessError: No process has this name.
    """
    unfinished = session.runs.unfinished()
    words = _named("cancel", words)
    if not words:
        msg = "%theus cancel takes the name of a process, a run such as r7, or all"
        raise ContractError(f"{msg}. {_unfinished_text(unfinished, 'cancel')}")
    if words == ["all"]:
        if not unfinished:
            msg = "%theus cancel all: no run is unfinished, there is nothing to cancel"
            raise ContractError(msg)
        return unfinished
    return [run for word in words for run in _meant(session, unfinished, word, "cancel")]


def _named(command: str, words: list[str]) -> list[str]:
    """Return the names in a line, which may stand between commas; refuse options."""
    for word in words:
        if word.startswith("-"):
            msg = f"%theus {command} has no option {word!r}: write %theus {command} crunch r7"
            raise ContractError(msg)
    return [name for word in words for name in word.split(",") if name]


def _meant(session: Session, runs: Iterable[Run], word: str, verb: str) -> list[Run]:
    """Return the runs that one word means: a run's identifier, or a process's name."""
    runs = list(runs)
    is_id = _RUN_ID.fullmatch(word) is not None
    found = [run for run in runs if (run.id if is_id else run.name) == word]
    if found:
        return found
    if not is_id:
        session.find(word)  # explains a name that no process has
    past = [r for r in session.runs if (r.id if is_id else r.name) == word]
    last = past[-1] if past else None
    known = last.id if last is not None and is_id else "its last run"
    what = f"{known} {_HOW.get(last.status)}" if last is not None else "there is no such run"
    if last is None and not is_id:
        what = "it has no run yet"
    command = verb.partition(" ")[0]
    msg = f"%theus {command} {word}: nothing to {verb}, {what}. "
    raise ContractError(msg + _unfinished_text(session.runs.unfinished(), command))


def _unfinished_text(runs: list[Run], command: str) -> str:
    if not runs:
        return "No run is unfinished"
    listed = ", ".join(f"{run.id} {run.name!r}" for run in runs[:10])
    more = f" and {len(runs) - 10} more" if len(runs) > 10 else ""  # noqa: PLR2004 - a line of them
    return f"Unfinished: {listed}{more}; write, for example, %theus {command} {runs[0].name}"


async def until_ended(runs: list[Run]) -> None:
    """Wait until runs have ended, however they end.

    Cancellation: the wait ends, the runs go on.
    """
    loop = asyncio.get_running_loop()
    changed = asyncio.Event()
    for run in runs:
        run.watch(functools.partial(_tell, loop, changed))
    while not all(run.has_ended for run in runs):
        await changed.wait()
        changed.clear()


async def wait_for(runs: list[Run]) -> None:
    """Do the same for ``%theus wait``.

    Raises:
        InterruptedWait: The user interrupted the cell that waits.
    """
    try:
        await until_ended(runs)
    except asyncio.CancelledError:
        if was_interrupted():
            raise InterruptedWait(runs) from None
        raise


def _tell(loop: asyncio.AbstractEventLoop, changed: asyncio.Event) -> None:
    if not loop.is_closed():  # the loop of a subshell goes with it
        loop.call_soon_threadsafe(changed.set)


def report(session: Session, runs: list[Run]) -> None:
    """Print how runs ended, each once; raise the first failure among them.

    Raises:
        Exception: Whatever the first run that failed has raised.
    """
    for run in runs:
        took = format_seconds(run.elapsed) if run.started_ns is not None else "-"
        print(f"{run.id} {run.name!r} {run.status} {took}")  # noqa: T201 - it was asked for
        if session.background.get(run.name) is run:
            del session.background[run.name]
    for run in runs:
        if run.status == "failed":
            run.take()
