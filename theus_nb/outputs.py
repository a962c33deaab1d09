"""Laying what a process returned over its declared outputs."""

from __future__ import annotations

import types
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from theus_nb.contract import did_you_mean, grants
from theus_nb.errors import MissingOutputError, OutputError
from theus_nb.guard import guard_output

if TYPE_CHECKING:
    from theus_nb._core import Access

_GENERATORS: Final = (types.GeneratorType, types.AsyncGeneratorType)

# Values that cannot have been changed in place: an output that was only read is then missing.
_IMMUTABLE: Final = (int, float, complex, str, bytes, tuple, frozenset, type(None))


def collect(access: Access, value: object) -> dict[str, object] | None:
    """Return what a run commits, from its writes and its return value.

    One output takes the value as it is; several take a tuple or list in order, or a dict by full
    path or leaf name. A bare ``None`` writes nothing. An input that is an output too, was not
    assigned and can be changed in place counts as written.

    Args:
        access: The run's access, with what it wrote through its context.
        value: What the function returned.

    Returns:
        The values by path, or None if there is nothing to commit.

    Raises:
        ContractViolationError: The body broke the contract, even if it swallowed the exception.
        OutputError: The value does not fit the outputs.
        MissingOutputError: A required output was not written.
    """
    if access.violation is not None:
        raise access.violation
    process = access.process
    if type(value) in _GENERATORS and process.kind == "function":
        msg = (
            f"process {process.name!r} returned a generator: its body would run later, outside "
            "of the process. Return list(...) instead"
        )
        raise OutputError(msg, process=process.name, run_id=access.run.id)
    layout = process.layout
    if not layout.outputs:
        return None
    if value is not None and process.kind == "function":
        if len(layout.outputs) == 1 and not access.writes:
            return {layout.outputs[0]: guard_output(value)}
        _lay(access, value)
    writes = access.writes
    for path in layout.required_outputs:
        if path not in writes and not _written(access, path):
            raise _missing(access, path)
    return {path: guard_output(item) for path, item in writes.items()}


def _missing(access: Access, path: str) -> MissingOutputError:
    process = access.process
    how = "return a value"
    if process.kind == "cell":  # what a cell returns is what it displays
        names = [output.local for output in process.contract.outputs if output.path == path]
        how = f"bind the name {names[0]!r} in the cell"
    msg = (
        f"process {process.name!r} ended without writing its output {path!r}: {how}, assign "
        f"ctx[{path!r}], or declare {path + '?'!r} if it may stay unwritten"
    )
    return MissingOutputError(msg, process=process.name, path=path, run_id=access.run.id)


def _written(access: Access, path: str) -> bool:
    """Tell whether a required output exists without an assignment to it."""
    if path in access.process.layout.in_place and path in access.reads:
        kept = access.reads[path]
        if not isinstance(kept, _IMMUTABLE):
            access.writes[path] = kept
            return True
    produced = (access.writes, access.children_writes, access.published)
    return any(grants(path, other) for layer in produced for other in list(layer))


def _lay(access: Access, value: Any) -> None:  # noqa: ANN401 - whatever was returned
    paths = access.process.layout.outputs
    if len(paths) == 1:
        _set(access, paths[0], value)
    elif isinstance(value, Mapping):
        _lay_mapping(access, paths, value)
    elif isinstance(value, tuple | list):
        if len(value) != len(paths):
            raise _misfit(access, f"{len(value)} values")
        for path, item in zip(paths, value, strict=True):
            _set(access, path, item)
    else:
        raise _misfit(access, f"one {type(value).__name__}")


def _lay_mapping(access: Access, paths: tuple[str, ...], value: Mapping[Any, object]) -> None:
    by_leaf: dict[str, list[str]] = {}
    for path in paths:
        by_leaf.setdefault(path.rpartition(".")[2], []).append(path)
    for key, item in value.items():
        named = [key] if key in paths else by_leaf.get(key, [])
        if len(named) != 1:
            process = access.process.name
            why = "could mean " + " or ".join(named) if named else "is not one of its outputs"
            hint = "" if named else did_you_mean(str(key), [*paths, *by_leaf])
            msg = f"process {process!r} returned a dict whose key {key!r} {why}{hint}"
            raise OutputError(msg, process=process, run_id=access.run.id)
        _set(access, named[0], item)


def _set(access: Access, path: str, value: object) -> None:
    if path in access.writes and access.writes[path] is not value:
        process = access.process.name
        msg = (
            f"process {process!r} both assigned {path!r} and returned another value for it: "
            "do one of the two (return None to keep what was assigned)"
        )
        raise OutputError(msg, process=process, path=path, run_id=access.run.id)
    access.writes[path] = value


def _misfit(access: Access, got: str) -> OutputError:
    process = access.process
    paths = process.layout.outputs
    msg = (
        f"process {process.name!r} declares {len(paths)} outputs ({', '.join(paths)}) but "
        f"returned {got}: return a tuple of {len(paths)} in this order, or a dict by name"
    )
    return OutputError(msg, process=process.name, run_id=access.run.id)
