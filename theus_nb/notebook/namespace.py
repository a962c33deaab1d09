"""The namespace one run of a cell works in: what it finds there, and what it leaves behind."""

from __future__ import annotations

import builtins
import dataclasses
import keyword
import re
import types
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Final

from theus_nb.contract import Access, Contract, check_path
from theus_nb.errors import ContractError, UndeclaredReadError
from theus_nb.notebook.readable import is_own_name, is_readable
from theus_nb.state import MISSING

if TYPE_CHECKING:
    from theus_nb.context import Context
    from theus_nb.notebook.names import Names

_RESERVED: Final = "ctx"
_NOT_DEFINED: Final = re.compile(r"'(\w+)' is not defined")

Vocabulary = Mapping[str, object]
"""The readable names of the notebook, as they were when a run was submitted."""


def check_locals(contract: Contract, line: Callable[[Contract], str]) -> None:
    """Refuse inputs or outputs that a cell could not tell apart by name.

    An input and an output may share a name: the cell then reads one and writes the other.

    Args:
        contract: The contract of the cell.
        line: Renders a contract as the magic line that declares it.

    Raises:
        ContractError: Two inputs, or two outputs, with the same last segment; a name that is a
            keyword, or ``ctx``. The message shows a line in which the path is renamed.
    """
    for option in ("inputs", "outputs"):
        accesses: tuple[Access, ...] = getattr(contract, option)
        seen: dict[str, Access] = {}
        for access in accesses:
            name = access.local
            if name in seen:
                problem = f"{seen[name].path!r} and {access.path!r} would both be called {name!r}"
            elif name == _RESERVED or keyword.iskeyword(name):
                problem = f"{access.path!r} would be called {name!r}, which is reserved"
            else:
                seen[name] = access
                continue
            renamed = dataclasses.replace(access, local=_free_name(access.path, seen))
            better = tuple(renamed if a is access else a for a in accesses)
            change: dict[str, Any] = {option: better}
            fixed = dataclasses.replace(contract, **change)
            msg = f"--{option}: {problem}; rename one of them:\n{line(fixed)}"
            raise ContractError(msg, path=access.path)


def _free_name(path: str, taken: Iterable[str]) -> str:
    """Make a local name out of a whole path: ``domain.raw`` becomes ``domain_raw``."""
    name = path.replace(".", "_")
    while name in taken:
        name += "_"
    return name


@dataclasses.dataclass(frozen=True, slots=True)
class Scope:
    """The rules by which a cell under a contract sees the notebook.

    Attributes:
        process: Name of the process, for messages.
        contract: What the cell declares.
        names: What its code reads and binds.
        notebook: The notebook's own namespace; only ever read here.
        line: Renders a contract as the magic line that declares it.
    """

    process: str
    contract: Contract
    names: Names
    notebook: dict[str, object]
    line: Callable[[Contract], str]

    def vocabulary(self) -> Vocabulary:
        """Return the notebook's names that need no declaration, or refuse the cell.

        All of them, not only those that occur in the code: `eval`, formulas and query strings
        look names up as well. Names of outputs are left out, so that an output which the cell
        never binds is noticed.

        Raises:
            UndeclaredReadError: The code reads mutable data that is not among the inputs.
        """
        self._check()
        hidden = {a.local for a in (*self.contract.inputs, *self.contract.outputs)}
        return {
            name: value
            for name, value in list(self.notebook.items())
            if name not in hidden and (is_own_name(name) or is_readable(value))
        }

    def open(self, ctx: Context, vocabulary: Vocabulary | None = None) -> Workspace:
        """Build the namespace for one run.

        Args:
            ctx: The context of the run; it delivers the inputs.
            vocabulary: What `vocabulary` returned when the run was submitted; None: look now.
        """
        found = self.vocabulary() if vocabulary is None else vocabulary
        inputs = {a.path: ctx[a.path] for a in self.contract.inputs}
        return Workspace(self, ctx, found, inputs)

    def _check(self) -> None:
        if self.names.star_import:
            return  # any name may come from the module: lookups that fail will tell
        known = {a.local for a in self.contract.inputs} | {_RESERVED}
        undeclared = [
            name
            for name in sorted(self.names.read - known)
            if name in self.notebook
            and not is_own_name(name)
            and not is_readable(self.notebook[name])
        ]
        if undeclared:
            raise self.undeclared(undeclared, "nothing was run")

    def undeclared(self, names: list[str], consequence: str) -> UndeclaredReadError:
        """Compose the one message that lists every name, with the line to paste."""
        contract = self.contract
        private = []
        for name in names:
            try:
                check_path(name)
            except ContractError:
                private.append(name)
            else:
                contract = contract.with_input(name)
        shown = ", ".join(map(repr, names))
        one = len(names) == 1
        what = f"variable {shown}, which is" if one else f"variables {shown}, which are"
        text = f"process {self.process!r} reads the notebook {what} not among its inputs"
        text += f"; {consequence}"
        if len(private) < len(names):
            text += f". Declare {'it' if one else 'them'}:\n{self.line(contract)}"
        if private:
            text += f"\nNames beginning with '_' cannot be declared: rename {', '.join(private)}"
        return UndeclaredReadError(text, process=self.process, path=f"nb.{names[0]}")


class Workspace:
    """The globals of one run: one plain dict, as a module has.

    Used as a context manager around the body. A body that succeeds hands its outputs and
    definitions to the context of the run; one that fails hands over nothing.
    """

    def __init__(
        self, scope: Scope, ctx: Context, vocabulary: Vocabulary, inputs: dict[str, object]
    ) -> None:
        self._scope = scope
        self._ctx = ctx
        self._vocabulary = vocabulary
        self._inputs = inputs
        self.names: dict[str, object] = {
            **vocabulary,
            "__name__": "__main__",
            "__builtins__": builtins,
            _RESERVED: ctx,
            **{a.local: inputs[a.path] for a in scope.contract.inputs},
        }

    def __enter__(self) -> dict[str, object]:
        return self.names

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: types.TracebackType | None,
    ) -> None:
        if error is None:
            self._hand_over()
        elif isinstance(error, NameError) and (real := self._explain(error)) is not None:
            raise real.with_traceback(traceback) from None

    def write_outputs(self) -> None:
        """Write what the names of the outputs are bound to.

        An output whose name is unbound is not written here: it may have been written through
        ``ctx``; the run fails if it was not.
        """
        for access in self._scope.contract.outputs:
            value = self.names.get(access.local, MISSING)
            if value is not MISSING and not self._replaced(access.path, value):
                self._ctx[access.path] = value
                # The name counts from here on, even where it stays bound to the input.
                self._inputs.pop(access.path, None)

    def _hand_over(self) -> None:
        """Write outputs and definitions to the context."""
        self.write_outputs()
        definitions = self._definitions()
        if definitions:
            self._ctx.define(definitions)

    def _replaced(self, path: str, value: object) -> bool:
        """Tell whether the body assigned through ``ctx`` and left the name at the input."""
        given = self._inputs.get(path, MISSING)
        return given is value and self._ctx[path] is not value

    def _definitions(self) -> dict[str, object]:
        """Return the imports, functions and classes of the cell, outputs excepted."""
        contract = self._scope.contract
        private = {a.local for a in (*contract.inputs, *contract.outputs)}
        return {
            name: value
            for name, value in self.names.items()
            if name not in private
            and name != _RESERVED
            and not is_own_name(name)
            and self._vocabulary.get(name, MISSING) is not value
            and self._defines(name, value)
        }

    def _defines(self, name: str, value: object) -> bool:
        names = self._scope.names
        if name in names.defined:
            return True
        if name in names.bound:  # a lambda with a name is a function like any other
            return isinstance(value, types.FunctionType) and value.__globals__ is self.names
        return names.star_import and not name.startswith("__")

    def _explain(self, error: NameError) -> UndeclaredReadError | None:
        """Return the error that a failed lookup really is: a read that was not declared.

        Lookups that the code does not show (`eval`, a query string, a name bound in one branch
        only) fail when they happen. If the notebook has the name, that is what the user meant.

        Returns:
            The error to raise instead, or None if the notebook has no such name.
        """
        match = None if error.name else _NOT_DEFINED.search(str(error))
        name = error.name or (match and match[1])
        if not name or name in self.names or name in self._vocabulary:
            return None
        if error.name and not _raised_in(error, self.names):
            return None  # some library misses a name of its own
        if name not in self._scope.notebook:
            return None
        return self._scope.undeclared([name], "nothing was committed")


def _raised_in(error: NameError, names: dict[str, object]) -> bool:
    """Tell whether the lookup failed in code that has these globals."""
    tb = error.__traceback__
    while tb is not None and tb.tb_next is not None:
        tb = tb.tb_next
    return tb is not None and tb.tb_frame.f_globals is names
