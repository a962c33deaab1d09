"""What may stand on the ``%%theus_process`` line, and what to say about anything else."""

from __future__ import annotations

import contextlib
import dataclasses
import re
import shlex
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from IPython.core.error import UsageError

from theus_nb.contract import Contract, did_you_mean
from theus_nb.errors import ContractError
from theus_nb.notebook.namespace import check_locals
from theus_nb.policy import Policy
from theus_nb.process import check_name

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable

    from IPython.core.magic_arguments import MagicArgumentParser

    from theus_nb.process import Lane


class Option(NamedTuple):
    """One option of the magic, for its parser and for completion.

    Attributes:
        flags: The ways to write it, the long one first.
        help: One line.
        choices: The values it takes, if they are few.
        metavar: Stands for its one value in the help.
        is_flag: Whether it takes no value at all. Without any of these it takes a list.
        example: How it is used, for messages.
    """

    flags: tuple[str, ...]
    help: str
    example: str
    choices: tuple[str, ...] = ()
    metavar: str | None = None
    is_flag: bool = False

    @property
    def attribute(self) -> str:
        """Name under which the parsed value is found."""
        return self.flags[0].removeprefix("--").replace("-", "_")

    @property
    def keywords(self) -> dict[str, Any]:
        """What the parser has to know."""
        if self.is_flag:
            return {"action": "store_true", "help": self.help}
        if self.choices:
            return {"choices": self.choices, "help": self.help}
        if self.metavar is not None:
            return {"metavar": self.metavar, "help": self.help}
        return {"action": "append", "metavar": "A,B", "help": self.help}


_ATTEMPTS: Final = "--retries 3 --retry-on ConnectionError --backoff 0.5"

INPUTS: Final = Option(
    ("--inputs", "-i"),
    "what the cell reads: table,domain.raw; name=path renames, path? may be missing",
    "--inputs domain.raw",
)
OUTPUTS: Final = Option(
    ("--outputs", "-o"), "what the cell writes; path? may stay unwritten", "--outputs table"
)
SIDE_EFFECTS: Final = Option(
    ("--side-effects", "-s"),
    "words for what it does elsewhere: net,file:out/*.csv",
    "--side-effects net",
)
LANE: Final = Option(
    ("--lane",),
    "where code without await runs: the worker of all cells (the default), or the loop",
    "--lane loop",
    choices=("cell", "loop"),
)
BACKGROUND: Final = Option(
    ("--background", "-b"),
    "go on at once: the cell's value is its run; %%theus wait and cancel take its name",
    "--background",
    is_flag=True,
)
TIMEOUT: Final = Option(
    ("--timeout",), "stop the body after so many seconds", "--timeout 2.5", metavar="S"
)
RETRIES: Final = Option(
    ("--retries",), "how many more attempts after an error of --retry-on", _ATTEMPTS, metavar="N"
)
RETRY_ON: Final = Option(
    ("--retry-on",), "exception types worth another attempt: ConnectionError", _ATTEMPTS
)
BACKOFF: Final = Option(
    ("--backoff",), "seconds before the second attempt, then doubled", _ATTEMPTS, metavar="S"
)
LIMIT: Final = Option(
    ("--limit",), "how many runs of it execute at a time", "--limit 4", metavar="N"
)
RATE: Final = Option(
    ("--rate",), "how many runs start in a while: 10/s, 100/min", "--rate 10/s", metavar="N/UNIT"
)
LISTS: Final = (INPUTS, OUTPUTS, SIDE_EFFECTS)
POLICY: Final = (TIMEOUT, RETRIES, RETRY_ON, BACKOFF, LIMIT, RATE)
OPTIONS: Final = (*LISTS, LANE, BACKGROUND, *POLICY)


@dataclasses.dataclass(frozen=True, slots=True)
class Options:
    """A parsed magic line.

    Attributes:
        name: The name of the process.
        contract: What it declares; open if it declares neither inputs nor outputs.
        lane: Where code without ``await`` runs; ``"auto"`` is the pool of workers.
        background: Whether the kernel goes on while it runs.
        policy: Time limit, attempts, limit and rate, if there are any.
    """

    name: str
    contract: Contract
    lane: Lane = "cell"
    background: bool = False
    policy: Policy | None = None

    def line(self, contract: Contract | None = None) -> str:
        """Return the magic line for these options, perhaps with another contract."""
        lane = " --lane loop" if self.lane == "loop" else ""
        background = " --background" if self.background else ""
        policy = "" if self.policy is None else _policy_words(self.policy)
        line = (contract or self.contract).magic_line(self.name)
        return line + lane + background + policy


def parse_options(parser: MagicArgumentParser, text: str) -> Options:
    """Parse and check a magic line.

    Args:
        parser: The parser that ``magic_arguments`` made for the magic.
        text: What stands behind ``%%theus_process``.

    Raises:
        ContractError: Anything that is wrong with the line; the message names the option and
            shows a line that is right.
    """
    try:
        found, rest = parser.parse_known_args(_words(text))
    except UsageError as error:
        raise _unusable(str(error), text) from None
    except ValueError as error:  # a quote that is never closed
        raise _refused(str(error)) from None
    _check_rest(rest, found.name)
    _check_name(found.name)
    contract = Contract()
    for option in LISTS:
        values = _split(option, getattr(found, option.attribute), found.name)
        try:
            given: dict[str, Any] = {option.attribute: values}
            part = Contract.of(**given)
        except ContractError as error:
            raise _refused(f"{option.flags[0]}: {error}", found.name, error.path) from None
        changes: dict[str, Any] = {option.attribute: getattr(part, option.attribute)}
        contract = dataclasses.replace(contract, **changes)
    is_open = not contract.inputs and not contract.outputs
    contract = dataclasses.replace(contract, is_open=is_open)
    options = Options(found.name, contract, _lane(found), found.background, _policy(found))
    check_locals(options.contract, options.line)
    return options


def empty_body(options: Options) -> ContractError:
    """Return the error for a cell that has a magic line and nothing below it."""
    msg = f"process {options.name!r} has no code; write it below the line\n{options.line()}"
    return ContractError(msg, process=options.name)


def _lane(found: argparse.Namespace) -> Lane:
    """Return the lane: background runs share the pool, so that none waits for another."""
    if not found.background:
        return found.lane or "cell"
    if found.lane == "cell":
        problem = (
            "--background and --lane cell: a background run would keep the one worker of all "
            "cells, and every later cell would wait for it. Without --lane it gets a worker of "
            "the pool"
        )
        raise _refused(problem, found.name, example="--outputs table --background")
    return found.lane or "auto"


def _check_name(name: str | None) -> None:
    if not name:
        raise _refused("a process needs a name, as the first word")
    try:
        check_name(name)
    except ContractError as error:
        raise _refused(str(error)) from None


def _check_rest(rest: list[str], name: str | None) -> None:
    if not rest:
        return
    # Without the dashes, in which all of them are alike.
    flags = {flag.strip("-"): flag for option in OPTIONS for flag in option.flags}
    for word in rest:
        if word.startswith("-"):
            flag = word.partition("=")[0]
            near = did_you_mean(flag.strip("-"), flags, lambda close: repr(flags[close]))
            raise _refused(f"unknown option {flag!r}{near}", name)
    raise _refused(f"unexpected {rest[0]!r}: separate paths by commas", name)


def _policy(found: argparse.Namespace) -> Policy | None:
    """Return the policy that the options ask for; numbers arrive as text."""
    values: dict[str, Any] = {}
    for option in POLICY:
        text = getattr(found, option.attribute)
        if option is RETRY_ON:
            values[option.attribute] = _split(option, text, found.name) or None
        else:
            values[option.attribute] = text if option is RATE else _number(text)
    try:
        policy = Policy.of(f"process {found.name!r}", **values)
    except ContractError as error:
        # Said in the words of the decorator; the line needs those of the magic.
        problem = str(error).partition(". Write, for instance")[0]
        given = [option for option in POLICY if values[option.attribute] is not None]
        raise _refused(problem, found.name, example=_example(given)) from None
    if policy is not None and policy.timeout and found.lane == "loop":
        problem = "--timeout cannot end code on --lane loop that blocks the loop"
        raise _refused(problem, found.name)
    return policy


def _number(text: str | None) -> object:
    """Return the number that a text says; the text itself where it says none, to be refused."""
    for kind in (int, float):
        with contextlib.suppress(ValueError, TypeError):
            return kind(text)  # type: ignore[arg-type]  # None is a TypeError
    return text


def _example(options: Iterable[Option]) -> str:
    """Return correct words for some options, and for what the cell reads and writes."""
    words = [INPUTS.example, OUTPUTS.example, *(option.example for option in options)]
    return " ".join(dict.fromkeys(words))  # several options may share theirs


def _unusable(said: str, line: str) -> ContractError:
    """Return the error for what the parser refused: ``argument --limit: expected one argument``."""
    first = next(iter(line.split()), "-")
    name = None if first.startswith("-") else first
    flags, _, problem = said.removeprefix("argument ").partition(": ")
    option = next((o for o in OPTIONS if "/".join(o.flags) == flags), None)
    if option is None:
        return _refused(said, name)
    if "ignored explicit argument" in problem:
        problem = "takes no value"
    elif "expected one argument" in problem:
        problem = "needs a value"
    return _refused(f"{option.flags[0]} {problem}", name, example=_example([option]))


def _policy_words(policy: Policy) -> str:
    words = []
    for name, value in policy.options().items():
        text = f"{value:g}" if isinstance(value, float) else str(value)
        if isinstance(value, tuple):
            text = ",".join(k if isinstance(k, str) else k.__name__ for k in value)
        words.append(f" --{name.replace('_', '-')} {text}")
    return "".join(words)


def _split(option: Option, texts: list[str] | None, name: str) -> list[str]:
    """Return the entries of a comma-separated option, which may have been given repeatedly."""
    entries = [entry for text in texts or () for entry in text.split(",")]
    if not all(entries):
        raise _refused(f"{option.flags[0]}: an entry between commas is empty", name)
    return entries


def _words(text: str) -> list[str]:
    """Split a line into words, without the quotes that keep some together.

    Backslashes are ordinary (paths on Windows), and so is a blank around a comma: that is how
    people write lists.
    """
    lexer = shlex.shlex(re.sub(r"\s*,\s*", ",", text), posix=True, punctuation_chars=False)
    lexer.whitespace_split = True
    lexer.escape = lexer.commenters = ""
    return list(lexer)


def _refused(
    problem: str,
    name: str | None = None,
    path: str | None = None,
    example: str = "--inputs domain.raw --outputs table",
) -> ContractError:
    """Compose the error for a line that cannot stand, with one that can."""
    example = f"%%theus_process {name or 'crunch'} {example}"
    msg = f"{problem}\nA correct line: {example}"
    return ContractError(msg, process=name, path=path)
