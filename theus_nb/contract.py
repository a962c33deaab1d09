"""Contracts: what a process may read and write, declared, checked and explained."""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Callable, Iterable
from typing import Final, Self

from theus_nb.errors import ContractError

NOTEBOOK_ZONE: Final = "nb"
"""First segment of the paths that stand for the notebook's own variables."""


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
        ContractError: Not a string, an empty or illegal segment, or a segment beginning with
            ``_`` (reserved: display probes look such names up on any object).
    """
    if not isinstance(text, str):
        msg = f"a path is a string such as 'domain.raw', not {type(text).__name__}"
        raise ContractError(msg)
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
        if isinstance(item, str) or (isinstance(item, type) and issubclass(item, BaseException)):
            found.append(item)
        else:
            msg = f"{option} takes exception types such as ValueError, not {item!r}"
            raise ContractError(msg)
    return tuple(found)


def declares(types: tuple[type[BaseException] | str, ...], error: BaseException) -> bool:
    """Tell whether an exception is of one of the types, given as classes or as names."""
    names = {cls.__name__ for cls in type(error).__mro__}
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
