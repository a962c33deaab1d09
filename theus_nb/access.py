"""One run's access to the state, the half for everything that is neither there nor declared.

`Access` itself is in Rust, together with `Context` and `Branch`: what is declared is read and
written there. It calls the functions of this module, by their names, for whatever else a body
asks for: what has children, what is optional, what the contract does not grant.
"""

from __future__ import annotations

import contextvars
import keyword
import weakref
from typing import TYPE_CHECKING, Any, Final

from theus_nb._core import Access, Branch
from theus_nb.contract import NOTEBOOK_ZONE, check_path, grants
from theus_nb.errors import (
    ContractViolationError,
    MissingInputError,
    RunCancelledError,
    RunEndedError,
    UndeclaredReadError,
    UndeclaredWriteError,
)
from theus_nb.guard import PLAIN, guard_input, guard_output

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable

    from theus_nb._core import Engine, Run
    from theus_nb.process import Process

    Publisher = Callable[["Access", dict[str, object]], None]

current: Final[contextvars.ContextVar[Access | None]] = contextvars.ContextVar(
    "theus_nb.current", default=None
)
"""The access of the process whose body we are in. Tasks and workers inherit it."""

publishers: Final[weakref.WeakKeyDictionary[Engine, Publisher]] = weakref.WeakKeyDictionary()
"""How each session publishes writes among which there are notebook variables."""


# -- reading and writing ---------------------------------------------------------------------------


def read(access: Access, path: str) -> Any:  # noqa: ANN401 - whatever the state holds
    """Return the value of a path, or a `Branch` where it has children.

    Raises:
        UndeclaredReadError: The contract does not grant the path.
        MissingInputError: It is granted through an ancestor but was never written.
        RunEndedError: The run has ended.
    """
    if access.ended or access.run.has_ended:
        raise over(access)
    for layer in (access.writes, access.children_writes, access.reads):
        if path in layer:
            return layer[path]
    layout = access.process.layout
    if path in layout.optional_inputs and not children(access, path):
        return None
    if path in layout.branches or children(access, path):
        return Branch(access, path)
    granted = next((i for i in layout.inputs if grants(i, path)), None)
    if granted in layout.optional_inputs:
        return None
    if granted is not None:
        name = access.process.name
        msg = (
            f"process {name!r}: {path!r} has never been written "
            f"(it is granted by the input {granted!r})"
        )
        raise MissingInputError(msg, process=name, path=path, run_id=access.run.id)
    raise _violated(access, UndeclaredReadError, path, "reads", "inputs")


def read_item(access: Access, path: object) -> Any:  # noqa: ANN401 - whatever the state holds
    """Return ``ctx[path]``; see `read`."""
    return read(access, check_path(path))


def read_child(access: Access, path: str, name: str) -> Any:  # noqa: ANN401 - likewise
    """Return what an attribute of a branch stands for; see `read`."""
    return read(access, f"{path}.{_plain(name)}")


def zone(access: Access, name: str) -> Any:  # noqa: ANN401 - whatever the state holds
    """Return ``ctx.name``: a zone, or the notebook variable the contract names so."""
    name = _plain(name)
    if name in access.process.layout.branches:
        return Branch(access, name)  # a declared zone; its leaves are checked as leaves
    variable = f"{NOTEBOOK_ZONE}.{name}"
    contract = access.process.contract
    if contract.reads(variable) or contract.writes(variable):
        return read(access, variable)
    if access.ended:
        raise over(access)
    if name == "files":
        return access.run.engine.hooks.files.bound(access)
    # A zone nobody declared is reported at the leaf, where the whole path is known.
    return Branch(access, name)


def write(access: Access, path: str, value: object) -> None:
    """Remember a value for a path; it is committed when the run succeeds.

    Raises:
        UndeclaredWriteError: The contract does not grant the path.
        RunEndedError: The run has ended.
    """
    # Asked too: a thread that was given up goes on without knowing that its run has ended.
    if access.ended or access.run.has_ended:
        raise over(access)
    process = access.process
    if path not in process.layout.outputs and not process.contract.writes(path):
        raise _violated(access, UndeclaredWriteError, path, "writes", "outputs")
    access.writes[path] = value


def write_item(access: Access, path: object, value: object) -> None:
    """Do ``ctx[path] = value``; see `write`."""
    write(access, check_path(path), value)


def write_child(access: Access, path: str, name: str, value: object) -> None:
    """Assign an attribute of a branch; see `write`."""
    write(access, f"{path}.{_plain(name)}", value)


def set_zone(access: Access, name: str, value: object) -> None:
    """Do ``ctx.name = value``; see `write`."""
    write(access, check_path(_plain(name)), value)


def children(access: Access, path: str) -> list[str]:
    """Return the names directly beneath a path that hold something here."""
    prefix = f"{path}."
    found = {
        other[len(prefix) :].split(".", 1)[0]
        for layer in (access.writes, access.children_writes, access.reads)
        for other in list(layer)  # children commit in other threads
        if other.startswith(prefix)
    }
    return sorted(found)


def _plain(name: str) -> str:
    """Return ``global`` for ``global_``; other names as they are."""
    if name[-1:] == "_" and keyword.iskeyword(name[:-1]):
        return name[:-1]
    return name


# -- publishing, and what children commit ----------------------------------------------------------


class Published:
    """What ``ctx.commit()`` returns: already done, awaiting it only yields to other tasks."""

    __slots__ = ()

    def __await__(self) -> Generator[None, None, None]:
        yield None


def publish(access: Access) -> Published:
    """Commit what has been written since the last publication."""
    if access.ended or access.run.has_ended:
        raise over(access)
    if access.violation is not None:
        raise access.violation
    if access.hand_over is not None:
        access.hand_over()
    writes = {path: guard_output(value) for path, value in access.writes.items()}
    if access.process.layout.commits_on_loop:
        publishers[access.run.engine](access, writes)
    else:
        access.run.engine.publish(access.run, writes)
    tell_parents(access, writes)
    access.published.update(writes)
    # The run goes on seeing what it published, but does not write it once more at its end.
    access.reads.update(writes)
    for path in writes:
        access.children_writes.pop(path, None)
    access.writes.clear()
    return Published()


def tell_parents(access: Access, writes: Iterable[str]) -> None:
    """Let the runs in whose bodies this one was started see what it committed.

    They see it in the order of their children, whichever of them committed first: so the
    engine is asked what stands there now.
    """
    parent = access.parent
    while parent is not None:
        if not parent.ended:
            run, process = parent.run, parent.process
            seen = {path: run.engine.look(run, path) for path in writes}
            parent.children_writes.update(
                {path: _guard(process, path, value) for path, value in seen.items()}
            )
        parent = parent.parent


def begin(engine: Engine, run: Run, parent: Access | None) -> Access:
    """Start a run, or one more attempt of it, with its inputs as they were bound.

    Its values are isolated where that costs next to nothing.

    Raises:
        MissingInputError: A required input was never written.
    """
    access = engine.begin(run, parent)
    reads = access.reads
    for path, value in reads.items():
        if type(value) not in PLAIN:
            reads[path] = _guard(access.process, path, value)
    return access


def _guard(process: Process, path: str, value: object) -> object:
    in_place = any(grants(o, path) or grants(path, o) for o in process.layout.outputs)
    return guard_input(value, in_place=in_place)


# -- the end of a run ----------------------------------------------------------------------------


def telling(access: Access, writes: Iterable[str] | None) -> Callable[[], None] | None:
    """Return what tells a run's parents, for the moment between its commit and its end."""
    if access.parent is None or not writes:
        return None
    return lambda: tell_parents(access, writes)


def watch_end(access: Access) -> set[Callable[[], object]]:
    """Return the functions that are called when a run ends, or its body in a thread is to stop.

    They are called in the thread that ends or stops it, and perhaps more than once.
    """
    known: set[Callable[[], object]] | None = access.interrupts
    if known is not None:
        return known
    interrupts: set[Callable[[], object]] = set()
    access.interrupts = interrupts
    run = access.run

    def interrupt() -> None:
        if run.has_ended or run.cancel_requested:
            for function in tuple(interrupts):
                function()

    run.watch(interrupt)
    return interrupts


# -- what must not be ------------------------------------------------------------------------------


def check_cancelled(access: Access) -> None:
    """Raise `RunCancelledError` if somebody asked for the end of this run."""
    run = access.run
    if run.cancel_requested:
        run.told()
        msg = f"run {run.id} of {run.name!r} was cancelled"
        raise RunCancelledError(msg, process=run.name, run_id=run.id)


def over(access: Access) -> RunEndedError:
    """Return the exception that says that this run has ended."""
    run = access.run
    msg = (
        f"the context of run {run.id} of {run.name!r} was used after the run "
        "had ended: read what a background task needs before the process returns, or start "
        "a process of its own with theus.start"
    )
    return RunEndedError(msg, process=run.name, run_id=run.id)


def _violated(
    access: Access, error: type[ContractViolationError], path: str, verb: str, option: str
) -> ContractViolationError:
    process = access.process
    contract = process.contract
    declared = contract.inputs if option == "inputs" else contract.outputs
    short = path.removeprefix(f"{NOTEBOOK_ZONE}.") if path.count(".") == 1 else path
    fixed = contract.with_input(short) if option == "inputs" else contract.with_output(short)
    listed = ", ".join(str(one) for one in declared) or "none"
    msg = (
        f"process {process.name!r} {verb} {path!r}, which is not among its {option} "
        f"({listed}). Declare it:\n    {process.declaration(fixed)}"
    )
    raised = error(msg, process=process.name, path=path, run_id=access.run.id)
    access.run.engine.deny(access.run, path, verb)
    # Remembered, so that a body that swallows the exception fails all the same.
    if access.violation is None:
        access.violation = raised
    return raised
