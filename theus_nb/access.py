"""One run's access to the state: what it was given, what it wrote, what its contract allows."""

from __future__ import annotations

import contextvars
import types
from typing import TYPE_CHECKING, Any, Final

from theus_nb.context import Branch
from theus_nb.contract import NOTEBOOK_ZONE, grants
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
    from collections.abc import Callable, Iterable, Mapping

    from theus_nb._core import Run
    from theus_nb.process import Process
    from theus_nb.staging import Staging

current: Final[contextvars.ContextVar[Access | None]] = contextvars.ContextVar(
    "theus_nb.current", default=None
)
"""The access of the process whose body we are in. Tasks and workers inherit it."""

_NOTHING: Final[Mapping[str, object]] = types.MappingProxyType({})


class Access:
    """Reads and writes of one run, checked against its contract.

    Reads are the values bound when the run was submitted; writes are collected here and
    committed by the dispatcher, all at once. Used by one task or thread, and by tasks that
    inherited the context.

    Args:
        run: The run.
        process: Its process.
        reads: Values of its inputs by path, as the engine bound them.
        parent: Access of the run in whose body this one was started.
    """

    # Defaults on the class: most runs never touch them, and every run makes one of these.
    children_writes: Mapping[str, object] = _NOTHING
    definitions: dict[str, object] | None = None
    published: set[str] | None = None
    violation: ContractViolationError | None = None
    ended = False
    interrupts: set[Callable[[], object]] | None = None
    staged: Staging | None = None

    def __init__(
        self,
        run: Run,
        process: Process,
        reads: dict[str, object] | None,
        parent: Access | None,
    ) -> None:
        self.run = run
        self.process = process
        self.parent = parent
        self.writes: dict[str, object] = {}
        self.reads: Mapping[str, object] = _NOTHING
        if reads is not None:
            for path, value in reads.items():
                if type(value) not in PLAIN:
                    reads[path] = self._guard(path, value)
            self.reads = reads

    def read(self, path: str) -> Any:  # noqa: ANN401 - whatever the state holds
        """Return the value of a path, or a `Branch` where it has children.

        Raises:
            UndeclaredReadError: The contract does not grant the path.
            MissingInputError: It is granted through an ancestor but was never written.
            RunEndedError: The run has ended.
        """
        if self.ended or self.run.has_ended:
            raise self.over()
        if path in self.writes:
            return self.writes[path]
        if path in self.children_writes:
            return self.children_writes[path]
        if path in self.reads:
            return self.reads[path]
        return self._read_rest(path)

    def _read_rest(self, path: str) -> object:
        layout = self.process.layout
        if path in layout.optional_inputs and not self.children(path):
            return None
        if path in layout.branches or self.children(path):
            return Branch(self, path)
        granted = next((i for i in layout.inputs if grants(i, path)), None)
        if granted in layout.optional_inputs:
            return None
        if granted is not None:
            msg = (
                f"process {self.process.name!r}: {path!r} has never been written "
                f"(it is granted by the input {granted!r})"
            )
            raise MissingInputError(msg, process=self.process.name, path=path, run_id=self.run.id)
        raise self._violated(UndeclaredReadError, path, "reads", "inputs")

    def zone(self, name: str) -> Any:  # noqa: ANN401 - whatever the state holds
        """Return ``ctx.name``: a zone, or the notebook variable the contract names so."""
        if name in self.process.layout.branches:
            return Branch(self, name)  # a declared zone; its leaves are checked as leaves
        variable = f"{NOTEBOOK_ZONE}.{name}"
        contract = self.process.contract
        if contract.reads(variable) or contract.writes(variable):
            return self.read(variable)
        if self.ended:
            raise self.over()
        if name == "files":
            return self.run.engine.hooks.files.bound(self)
        # A zone nobody declared is reported at the leaf, where the whole path is known.
        return Branch(self, name)

    def write(self, path: str, value: object) -> None:
        """Remember a value for a path; it is committed when the run succeeds.

        Raises:
            UndeclaredWriteError: The contract does not grant the path.
            RunEndedError: The run has ended.
        """
        # Asked too: a thread that was given up goes on without knowing that its run has ended.
        if self.ended or self.run.has_ended:
            raise self.over()
        if path not in self.process.layout.outputs and not self.process.contract.writes(path):
            raise self._violated(UndeclaredWriteError, path, "writes", "outputs")
        self.writes[path] = value

    def children(self, path: str) -> list[str]:
        """Return the names directly beneath a path that hold something here."""
        prefix = f"{path}."
        found = {
            other[len(prefix) :].split(".", 1)[0]
            for layer in (self.writes, self.children_writes, self.reads)
            for other in layer
            if other.startswith(prefix)
        }
        return sorted(found)

    def define(self, names: Mapping[str, object]) -> None:
        """Remember names to be bound in the notebook on commit."""
        if self.definitions is None:
            self.definitions = {}
        self.definitions.update(names)

    def publish(self) -> None:
        """Commit what has been written since the last publication."""
        if self.ended or self.run.has_ended:
            raise self.over()
        if self.violation is not None:
            raise self.violation
        writes = {path: guard_output(value) for path, value in self.writes.items()}
        self.run.engine.publish(self.run, writes)
        self.tell_parents(writes)
        if self.published is None:
            self.published = set()
        self.published.update(writes)
        # The run goes on seeing what it published, but does not write it once more at its end.
        self.reads = {**self.reads, **writes}
        self.children_writes = {p: v for p, v in self.children_writes.items() if p not in writes}
        self.writes = {}

    def tell_parents(self, writes: Iterable[str]) -> None:
        """Let the runs in whose bodies this one was started see what it committed.

        They see it in the order of their children, whichever of them committed first: so the
        engine is asked what stands there now.
        """
        parent = self.parent
        while parent is not None:
            if not parent.ended:
                run = parent.run
                parent.absorb({path: run.engine.look(run, path) for path in writes})
            parent = parent.parent

    def absorb(self, values: Mapping[str, object]) -> None:
        """See what children committed."""
        guarded = {path: self._guard(path, value) for path, value in values.items()}
        self.children_writes = {**self.children_writes, **guarded}

    def _guard(self, path: str, value: object) -> object:
        outputs = self.process.layout.outputs
        in_place = any(grants(o, path) or grants(path, o) for o in outputs)
        return guard_input(value, in_place=in_place)

    def watch_end(self) -> set[Callable[[], object]]:
        """Return the functions that are called when the run ends, in the thread that ends it."""
        if self.interrupts is None:
            self.interrupts = set()
            self.run.watch(self._interrupt)
        return self.interrupts

    def _interrupt(self) -> None:
        if self.run.has_ended:
            for interrupt in tuple(self.interrupts or ()):
                interrupt()

    def cancel_requested(self) -> bool:
        """Tell whether somebody asked for the end of this run."""
        return self.run.cancel_requested

    def check_cancelled(self) -> None:
        """Raise `RunCancelledError` if somebody asked for the end of this run."""
        if self.run.cancel_requested:
            msg = f"run {self.run.id} of {self.process.name!r} was cancelled"
            raise RunCancelledError(msg, process=self.process.name, run_id=self.run.id)

    def over(self) -> RunEndedError:
        """Return the exception that says that this run has ended."""
        msg = (
            f"the context of run {self.run.id} of {self.process.name!r} was used after the run "
            "had ended: read what a background task needs before the process returns, or start "
            "a process of its own with theus.start"
        )
        return RunEndedError(msg, process=self.process.name, run_id=self.run.id)

    def _violated(
        self, error: type[ContractViolationError], path: str, verb: str, option: str
    ) -> ContractViolationError:
        contract = self.process.contract
        declared = contract.inputs if option == "inputs" else contract.outputs
        short = path.removeprefix(f"{NOTEBOOK_ZONE}.") if path.count(".") == 1 else path
        fixed = contract.with_input(short) if option == "inputs" else contract.with_output(short)
        listed = ", ".join(str(access) for access in declared) or "none"
        msg = (
            f"process {self.process.name!r} {verb} {path!r}, which is not among its {option} "
            f"({listed}). Declare it:\n    {self.process.declaration(fixed)}"
        )
        raised = error(msg, process=self.process.name, path=path, run_id=self.run.id)
        # Remembered, so that a body that swallows the exception fails all the same.
        self.violation = self.violation or raised
        return raised
