"""What ``%theus`` understands."""

# mypy: untyped-calls-exclude=IPython
from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from IPython.display import display

from theus_nb.contract import did_you_mean
from theus_nb.errors import ContractError
from theus_nb.notebook.status import status_bundle

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
    name, *words = line.split() or ["status"]
    command = COMMANDS.get(name)
    if command is None:
        msg = f"%theus has no command {name!r}{did_you_mean(name, COMMANDS)}\n{_help_text()}"
        raise ContractError(msg)
    command.run(session, words)


def _no_words(name: str, words: list[str]) -> None:
    if words:
        msg = f"%theus {name} takes nothing after it, not {words[0]!r}: write %theus {name}"
        raise ContractError(msg)


def _status(session: Session, words: list[str]) -> None:
    _no_words("status", words)
    display(status_bundle(session), raw=True)


def _accept(session: Session, words: list[str]) -> None:
    if len(words) != 1:
        msg = "%theus accept takes one path: write, for example, %theus accept domain.raw"
        raise ContractError(msg)
    accepted = ", ".join(session.state.accept(words[0]))
    print(f"{accepted}: accepted; readers get the value from before the failure")  # noqa: T201


def _timeline(session: Session, words: list[str]) -> None:
    _no_words("timeline", words)
    display(session.timeline())


def _help(_session: Session, words: list[str]) -> None:
    _no_words("help", words)
    print(_help_text())  # noqa: T201


COMMANDS: Final = {
    "status": Command("status", "the processes, and the latest runs", _status),
    "accept": Command("accept PATH", "read a failed path again, with the value it had", _accept),
    "timeline": Command("timeline", "what runs where, live", _timeline),
    "help": Command("help", "this list", _help),
}


def _help_text() -> str:
    width = max(len(command.usage) for command in COMMANDS.values())
    lines = [f"  %theus {c.usage:<{width}}  {c.help}" for c in COMMANDS.values()]
    return "\n".join(["Commands:", *lines, "A cell as a process: %%theus_process?"])
