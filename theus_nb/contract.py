"""Contracts: what a process may read and write, declared, checked and explained."""

from __future__ import annotations

import builtins
import dataclasses
import difflib
import functools
from collections.abc import Callable, Iterable
from typing import Final, Self

from theus_nb.errors import ContractError

NOTEBOOK_ZONE: Final = "nb"
"""First segment of the paths that stand for the notebook's own variables."""

MAX_NAME: Final = 1000
"""Characters that a name, a path, a topic or a side effect may have: all of them are recorded."""


@dataclasses.dataclass(frozen=True, slots=True)
class Access:
    """One declared path.

    Attributes:
        path: The full dotted path; a bare name was already completed to ``nb.<name>``.
        optional: Declared with a trailing ``?``.
        local: The name under which a cell sees the value.
    """

    path: str
    optional: bool
    local: str

    def __str__(self) -> str:
        """Return the access as one would write it in a contract."""
        zone, _, rest = self.path.partition(".")
        short = rest if zone == NOTEBOOK_ZONE else self.path
        leaf = self.path.rpartition(".")[2]
        rename = "" if self.local == leaf else f"{self.local}={self.path}"
        return (rename or short) + ("?" if self.optional else "")


def check_path(text: object) -> str:
    """Return the full form of a path, or explain what is wrong with it.

    Args:
        text: A dotted path or a bare name.

    Returns:
        The path with its zone; a bare name gets the zone ``nb``.

    Raises:
        ContractError: Not a string, too long, an empty or illegal segment, or a segment beginning
            with ``_`` (reserved: display probes look such names up on any object).
    """
    if not isinstance(text, str):
        msg = f"a path is a string such as 'domain.raw', not {type(text).__name__}"
        raise ContractError(msg)
    if len(text) > MAX_NAME:  # asked here as well: a call would cost every access
        check_length("a path", text)
    segments = text.split(".")
    for segment in segments:
        if not segment.isidentifier() or segment.startswith("_"):
            why = "begins with '_'" if segment.startswith("_") else "is not a Python name"
            msg = (
                f"invalid path {text!r}: the segment {segment!r} {why}; "
                "write dotted names such as 'domain.raw', or a bare variable name"
            )
            raise ContractError(msg, path=text)
    if len(segments) == 1:
        return f"{NOTEBOOK_ZONE}.{text}"
    if segments[0] == NOTEBOOK_ZONE and len(segments) > 2:  # noqa: PLR2004 - zone and name
        msg = (
            f"invalid path {text!r}: notebook variables have no children; "
            f"declare {segments[1]!r} as a whole"
        )
        raise ContractError(msg, path=text)
    return text


def parse_access(text: object) -> Access:
    """Parse one declaration: ``path``, ``path?`` or ``local=path``.

    Raises:
        ContractError: The path or the local name is invalid.
    """
    if not isinstance(text, str):
        return Access(check_path(text), optional=False, local="")
    body = text.strip()
    optional = body.endswith("?")
    local, equals, rest = body.removesuffix("?").rpartition("=")
    path = check_path(rest.strip())
    local = local.strip()
    if equals and (not local.isidentifier() or local.startswith("_")):
        msg = f"invalid name {local!r} in {text!r}: write new_name=path"
        raise ContractError(msg, path=path)
    return Access(path, optional, local or path.rpartition(".")[2])


def check_length(what: str, text: str) -> None:
    """Refuse a text that is too long to be a name.

    Args:
        what: What it should be, for the message.
        text: The text.

    Raises:
        ContractError: It has more than `MAX_NAME` characters.
    """
    if len(text) > MAX_NAME:
        msg = f"{what} has at most {MAX_NAME} characters, not {len(text)}: {text[:40]!r}…"
        raise ContractError(msg)


def check_topic(topic: object, *, pattern: bool = False) -> str:
    """Return a topic, or explain what is wrong with it.

    Args:
        topic: Dotted names, with the characters of paths: ``prices.oil``.
        pattern: Whether ``prices.*`` (everything beneath) and ``*`` will do.

    Raises:
        ContractError: Not a string, too long, or an empty or illegal segment.
    """
    if not isinstance(topic, str):
        msg = f"a topic is a string such as 'prices.oil', not {type(topic).__name__}"
        raise ContractError(msg)
    return _check_topic(topic, pattern)


@functools.lru_cache(maxsize=4096)
def _check_topic(topic: str, pattern: bool) -> str:  # noqa: FBT001 - of `check_topic` only
    check_length("a topic", topic)
    segments = topic.split(".")
    names = segments[:-1] if pattern and segments[-1] == "*" else segments
    if all(name.isidentifier() and name[0] != "_" for name in names):
        return topic
    also = ", or 'prices.*' for everything beneath prices" if pattern else ""
    msg = f"invalid topic {topic!r}: write dotted names such as 'prices' or 'prices.oil'{also}"
    raise ContractError(msg)


def _sequence(option: str, value: object) -> list[object]:
    """Return the items of an option; a lone string is a common slip and is refused."""
    if value is None:
        return []
    if isinstance(value, str) or not isinstance(value, Iterable):
        msg = f"{option} takes a list, not {value!r}: write {option}=[{value!r}]"
        raise ContractError(msg)
    return list(value)


def _accesses(option: str, value: object) -> tuple[Access, ...]:
    found: dict[str, Access] = {}
    for item in _sequence(option, value):
        access = item if isinstance(item, Access) else parse_access(item)
        if access.path in found:
            msg = f"{option} names {access.path!r} twice: once is enough"
            raise ContractError(msg, path=access.path)
        found[access.path] = access
    return tuple(found.values())


def _side_effects(value: object) -> tuple[str, ...]:
    found = []
    for item in _sequence("side_effects", value):
        if not isinstance(item, str) or not item.strip():
            msg = f"side_effects takes words such as 'net' or 'file:out/*.csv', not {item!r}"
            raise ContractError(msg)
        check_length("a side effect", item)
        kind, _, what = item.strip().partition(":")
        if kind == "signal":
            check_topic(what.strip(), pattern=True)
        if kind == "file" and (not what.strip() or "\0" in what):
            msg = f"{item!r} names no file: write 'file:out/table.csv' or 'file:out/*.csv'"
            raise ContractError(msg)
        found.append(item.strip())
    return tuple(dict.fromkeys(found))


def exception_types(option: str, value: object) -> tuple[type[BaseException] | str, ...]:
    """Return the exception types (or their names) that an option lists.

    Args:
        option: Name of the option, for the message.
        value: A type, or an iterable of types and names.

    Raises:
        ContractError: Something else is among them.
    """
    found: list[type[BaseException] | str] = []
    for item in _sequence(option, value):
        kind = item
        if isinstance(item, str) and all(part.isidentifier() for part in item.split(".")):
            # Looked up when something is raised, unless it is plain now that this never is.
            kind = getattr(builtins, item, BaseException)
        if not (isinstance(kind, type) and issubclass(kind, BaseException)):
            msg = f"{option} takes exception types such as ValueError, not {item!r}"
            raise ContractError(msg)
        found.append(item if isinstance(item, str) else kind)
    return tuple(found)


def declares(types: tuple[type[BaseException] | str, ...], error: BaseException) -> bool:
    """Tell whether an exception is of one of the types, given as classes or as names.

    A name with dots begins with the package, which is enough: ``requests.ConnectionError`` is
    defined in ``requests.exceptions``.
    """
    names = set()
    for cls in type(error).__mro__:
        package = cls.__module__.partition(".")[0]
        names |= {cls.__name__, f"{package}.{cls.__name__}", f"{cls.__module__}.{cls.__name__}"}
    for kind in types:
        if kind in names if isinstance(kind, str) else isinstance(error, kind):
            return True
    return False


@dataclasses.dataclass(frozen=True, slots=True)
class Contract:
    """What a process declares: the paths it reads and writes, its side effects, its errors.

    Paths are checked when the contract is made, so a mistake shows at the definition and not in
    the middle of a run. A contract is not a sandbox: it governs the context, not what helper
    functions do with their own globals.

    Attributes:
        inputs: Paths that may be read.
        outputs: Paths that may be written; the ones without ``?`` must be.
        side_effects: Free words for what the process does outside (``"net"``).
        errors: Exception types the process may raise; others are recorded as undeclared.
        is_open: True for a cell with neither inputs nor outputs: it runs in the notebook's
            namespace like any cell, outside order and rollback.

    Example:
        >>> Contract.of(inputs=["domain.raw"], outputs=["table?"]).outputs[0].path
        'nb.table'
    """

    inputs: tuple[Access, ...] = ()
    outputs: tuple[Access, ...] = ()
    side_effects: tuple[str, ...] = ()
    errors: tuple[type[BaseException] | str, ...] = ()
    is_open: bool = False

    @classmethod
    def of(
        cls,
        inputs: object = None,
        outputs: object = None,
        side_effects: object = None,
        errors: object = None,
        *,
        is_open: bool = False,
    ) -> Self:
        """Check the four lists and build the contract.

        Args:
            inputs: Iterable of paths; ``?`` at the end makes one optional.
            outputs: Iterable of paths; ``?`` at the end makes one optional.
            side_effects: Iterable of words.
            errors: Iterable of exception types.
            is_open: Whether this is an open contract (a cell that declares nothing).

        Raises:
            ContractError: An invalid or repeated path, or an entry of the wrong type.
        """
        return cls(
            _accesses("inputs", inputs),
            _accesses("outputs", outputs),
            _side_effects(side_effects),
            exception_types("errors", errors),
            is_open,
        )

    def reads(self, path: str) -> bool:
        """Tell whether a path, or an ancestor that grants it, is among the inputs."""
        return any(grants(access.path, path) for access in self.inputs)

    def writes(self, path: str) -> bool:
        """Tell whether a path, or an ancestor that grants it, is among the outputs."""
        return any(grants(access.path, path) for access in self.outputs)

    def with_input(self, path: str) -> Contract:
        """Return the contract that would have allowed reading a path."""
        return dataclasses.replace(self, inputs=(*self.inputs, parse_access(path)))

    def with_output(self, path: str) -> Contract:
        """Return the contract that would have allowed writing a path."""
        return dataclasses.replace(self, outputs=(*self.outputs, parse_access(path)))

    def decorator_line(self) -> str:
        """Return the ``@process(...)`` line that declares this contract."""
        parts = [
            f"{name}=[{', '.join(repr(str(a)) for a in value)}]"
            for name, value in (("inputs", self.inputs), ("outputs", self.outputs))
            if value
        ]
        if self.side_effects:
            parts.append(f"side_effects={list(self.side_effects)!r}")
        if self.errors:
            names = (e if isinstance(e, str) else e.__name__ for e in self.errors)
            parts.append(f"errors=[{', '.join(names)}]")
        return f"@process({', '.join(parts)})"

    def magic_line(self, name: str) -> str:
        """Return the ``%%theus_process`` line that declares this contract."""
        parts = ["%%theus_process", name]
        for option, values in (
            ("--inputs", [str(a) for a in self.inputs]),
            ("--outputs", [str(a) for a in self.outputs]),
            ("--side-effects", list(self.side_effects)),
        ):
            if values:
                parts += [option, ",".join(values)]
        return " ".join(parts)


def grants(declared: str, path: str) -> bool:
    """Tell whether declaring one path opens another: itself or a descendant.

    Example:
        >>> grants("domain", "domain.a"), grants("domain.a", "domain.b")
        (True, False)
    """
    return path == declared or (path.startswith(declared) and path[len(declared)] == ".")


def did_you_mean(word: str, known: Iterable[str], show: Callable[[str], str] = repr) -> str:
    """Return ``"; did you mean 'x'?"`` for the closest known word, or nothing."""
    close = difflib.get_close_matches(word, list(known), n=1)
    return f"; did you mean {show(close[0])}?" if close else ""
