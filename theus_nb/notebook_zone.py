"""The zone ``nb``: the notebook's own variables as versioned paths.

Plain cells bind and rebind variables without asking anybody. So the zone is compared with the
notebook whenever a run that declares variables is submitted: what a plain cell has bound since
becomes a version, exactly as if it had been written through the session. Before a run binds its
outputs, it is compared once more: what a plain cell rebound meanwhile is not overwritten.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

from theus_nb.contract import NOTEBOOK_ZONE
from theus_nb.errors import NotebookConflictError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from theus_nb._core import Engine, Run


class _Missing:
    """The value of a variable that is not bound."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "MISSING"


MISSING: Final = _Missing()
"""What `Namespace.lookup` returns for a name that is not bound."""

_PREFIX: Final = f"{NOTEBOOK_ZONE}."


class Namespace(Protocol):
    """The notebook's variables; the notebook package provides it."""

    def lookup(self, name: str) -> object:
        """Return what a name is bound to, or `MISSING`."""

    def bind(self, values: Mapping[str, object]) -> None:
        """Bind names. Called on the main thread."""


class NotebookZone:
    """Keeps the zone ``nb`` and the notebook's namespace in step.

    Attributes:
        namespace: The notebook's variables; None in a script, where ``nb`` is a zone like any
            other.
    """

    def __init__(self) -> None:
        self.namespace: Namespace | None = None
        # What each name was bound to when we last looked, and the version a plain cell made.
        self._seen: dict[str, object] = {}
        self._plain: dict[str, int] = {}

    def sync(self, engine: Engine, names: Iterable[str]) -> None:
        """Make versions of what plain cells have bound, rebound or deleted since the last look."""
        if self.namespace is None:
            return
        for name in names:
            value = self.namespace.lookup(name)
            if value is self._expected(engine, name):
                continue
            if value is MISSING:
                self._plain[name] = engine.put(_PREFIX + name, remove=True)
            else:
                self._plain[name] = engine.put(_PREFIX + name, value)
            self._seen[name] = value

    def refresh(self, engine: Engine) -> None:
        """Look at every name known so far, so that no version outlives its variable for long."""
        self.sync(engine, tuple(self._seen))

    def conflict(
        self, engine: Engine, run: Run, writes: Mapping[str, object]
    ) -> NotebookConflictError | None:
        """Return the error if a plain cell rebound an output since the run was submitted."""
        if self.namespace is None:
            return None
        for path in writes:
            if not path.startswith(_PREFIX):
                continue
            name = path.removeprefix(_PREFIX)
            rebound = self.namespace.lookup(name) is not self._expected(engine, name)
            if rebound or self._plain.get(name, 0) > run.number:
                msg = (
                    f"process {run.name!r} did not overwrite the variable {name!r}: another cell "
                    f"rebound it while the run was under way. The run's value is in "
                    f"run.outputs[{path!r}]; run the process again to overwrite it"
                )
                return NotebookConflictError(msg, process=run.name, path=path, run_id=run.id)
        return None

    def bind(
        self,
        engine: Engine,
        version: int,
        writes: Mapping[str, object],
        definitions: Mapping[str, object],
    ) -> None:
        """Bind what a commit wrote, unless a version other than the commit's stands already."""
        if self.namespace is None:
            return
        values = dict(definitions)
        for path, value in writes.items():
            if path.startswith(_PREFIX) and engine.present(path)[2] == version:
                name = path.removeprefix(_PREFIX)
                values[name] = value
                self._seen[name] = value
        if values:
            self.namespace.bind(values)

    def assign(self, name: str, value: object) -> None:
        """Bind a variable that was written through ``theus.state``."""
        if self.namespace is not None:
            self._seen[name] = value
            self.namespace.bind({name: value})

    def _expected(self, engine: Engine, name: str) -> object:
        kind, value, _ = engine.present(_PREFIX + name)
        if kind == "leaf":
            return value
        # A failed variable keeps whatever it was bound to before.
        return self._seen.get(name, MISSING) if kind == "failed" else MISSING
