"""What ``%theus`` understands."""

# mypy: untyped-calls-exclude=IPython
from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Final, NamedTuple

from IPython.display import display

from theus_nb.contract import did_you_mean
from theus_nb.errors import ContractError
from theus_nb.notebook.audit_table import USAGE as AUDIT_USAGE
from theus_nb.notebook.audit_table import audit_bundle
from theus_nb.notebook.interrupt import InterruptedWait
from theus_nb.notebook.status import status_bundle
from theus_nb.notebook.verifying import verdict_bundle
from theus_nb.notebook.waiting import (
    report,
    runs_to_cancel,
    runs_to_wait_for,
    until_ended,
    wait_for,
)
from theus_nb.sync_entry import pump

if TYPE_CHECKING:
    from collections.abc import Callable

    from theus_nb.session import Session


class Command(NamedTuple):
    """One word after ``%theus``.

    Attributes:
        usage: How to write it, without ``%theus``.
        help: One line.
        run: Does it, with the words that follow.
    """

    usage: str
    help: str
    run: Callable[[Session, list[str]], None]


def run_command(session: Session, line: str) -> None:
    """Execute a ``%theus`` line.

    Args:
        session: The session it is about.
        line: What stands behind ``%theus``; nothing means ``status``.

    Raises:
        ContractError: An unknown command or wrong arguments; the message shows what is right.
    """
    name, *words = _split(line) or ["status"]
    command = COMMANDS.get(name)
    if command is None:
        msg = f"%theus has no command {name!r}{did_you_mean(name, COMMANDS)}\n{_help_text()}"
        raise ContractError(msg)
    command.run(session, words)


def _split(line: str) -> list[str]:
    """Split a line into words as a shell does: quotes hold a name with spaces together."""
    try:
        return shlex.split(line)
    except ValueError as error:
        msg = f"%theus {line}: {str(error).lower()}; a name with a quote in it stands in other ones"
        raise ContractError(msg) from None


def _no_words(name: str, words: list[str]) -> None:
    if words:
        msg = f"%theus {name} takes nothing after it, not {words[0]!r}: write %theus {name}"
        raise ContractError(msg)


def _status(session: Session, words: list[str]) -> None:
    _no_words("status", words)
    display(status_bundle(session), raw=True)


def _audit(session: Session, words: list[str]) -> None:
    display(audit_bundle(session, words), raw=True)


def _accept(session: Session, words: list[str]) -> None:
    if len(words) != 1:
        msg = "%theus accept takes one path: write, for example, %theus accept domain.raw"
        raise ContractError(msg)
    accepted = ", ".join(session.state.accept(words[0]))
    print(f"{accepted}: accepted; readers get the value from before the failure")  # noqa: T201


def _wait(session: Session, words: list[str]) -> None:
    # Reached where nobody could await: see WAIT_MAGIC.
    runs = runs_to_wait_for(session, words)
    try:
        pump(until_ended(runs), "%theus wait")
    except KeyboardInterrupt:  # wherever it struck, perhaps before the wait had begun
        raise InterruptedWait(runs) from None
    report(session, runs)


async def wait(session: Session, words: list[str]) -> None:
    """Do what ``%theus wait`` says, in a cell that can await."""
    runs = runs_to_wait_for(session, words)
    await wait_for(runs)
    report(session, runs)


def _cancel(session: Session, words: list[str]) -> None:
    for run in runs_to_cancel(session, words):
        run.cancel("%theus cancel")
        said = run.status if run.has_ended else "asked to end"
        print(f"{run.id} {run.name!r} {said}")  # noqa: T201


def _verify(session: Session, words: list[str]) -> None:
    # A path may have spaces in it.
    display(verdict_bundle(session, " ".join(words) or None), raw=True)


def _timeline(session: Session, words: list[str]) -> None:
    _no_words("timeline", words)
    display(session.timeline())


def _help(_session: Session, words: list[str]) -> None:
    _no_words("help", words)
    print(_help_text())  # noqa: T201


COMMANDS: Final = {
    "status": Command("status", "the processes, and the latest runs", _status),
    "wait": Command("wait [NAME...]", "wait for background runs; failures are raised", _wait),
    "cancel": Command("cancel NAME|rN|all", "end unfinished runs", _cancel),
    "audit": Command(AUDIT_USAGE, "the newest entries of the audit log", _audit),
    "accept": Command("accept PATH", "read a failed path again, with the value it had", _accept),
    "verify": Command("verify [LOG]", "prove that nobody has changed the audit log", _verify),
    "timeline": Command("timeline", "what runs where, live", _timeline),
    "help": Command("help", "this list", _help),
}


def _help_text() -> str:
    width = max(len(command.usage) for command in COMMANDS.values())
    lines = [f"  %theus {c.usage:<{width}}  {c.help}" for c in COMMANDS.values()]
    return "\n".join(["Commands:", *lines, "A cell as a process: %%theus_process?"])
