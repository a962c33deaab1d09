"""The session's shared state, as seen from outside of any run."""

from __future__ import annotations

import dataclasses
import keyword
from typing import TYPE_CHECKING, Any

from theus_nb.access import current, read, write
from theus_nb.contract import NOTEBOOK_ZONE, check_path
from theus_nb.errors import ContractError, MissingInputError, UpstreamError, text_of
from theus_nb.notebook_zone import MISSING, Namespace

if TYPE_CHECKING:
    from collections.abc import Iterator

    from theus_nb._core import Engine
    from theus_nb.notebook_zone import NotebookZone


@dataclasses.dataclass(frozen=True, slots=True)
class Provenance:
    """Where the present value of a path comes from.

    Attributes:
        path: The path.
        version: Number of the run, or publication, that wrote it.
        run_id: The run, or None if the value was assigned outside of any run.
        process: Name of its process, or None.
        source_hash: SHA-256 of the process's source, or None.
        inputs: The versions of the paths that the run had read from, by path.
        seconds: When it was committed, in seconds since the session began.
    """

    path: str
    version: int
    run_id: str | None
    process: str | None
    source_hash: str | None
    inputs: dict[str, int]
    seconds: float


class State:
    """Versioned paths shared by the processes of a session.

    ``state["domain.raw"]`` and ``state.domain.raw`` read the newest committed version; assigning
    writes a new one, as a small recorded run of its own. Inside a process the contract of the
    process applies, here as in its context. A bare name is a notebook variable.

    Example:
        >>> theus.state["domain.raw"] = [1, 2]        # doctest: +SKIP
        >>> theus.state.version("domain.raw")         # doctest: +SKIP
        1
    """

    __slots__ = ("_engine", "_zone")

    _engine: Engine
    _zone: NotebookZone

    def __init__(self, engine: Engine, zone: NotebookZone) -> None:
        object.__setattr__(self, "_engine", engine)
        object.__setattr__(self, "_zone", zone)

    def version(self, path: str) -> int:
        """Return the version of a path's present value, 0 if it was never written.

        Versions are numbered by submission: the number of the run that wrote the value. They
        tell values apart and grow along the order of runs.
        """
        return self._engine.present(self._look(path))[2]

    def provenance(self, path: str) -> Provenance | None:
        """Return which run of which process wrote a path's present value, and from what.

        Returns:
            None if the path holds no value.
        """
        found = self._engine.provenance(self._look(path))
        if found is None:
            return None
        version, run, process, source_hash, inputs, at = found
        return Provenance(
            path=check_path(path),
            version=version,
            run_id=None if run is None else f"r{run}",
            process=process,
            source_hash=source_hash or None,
            inputs=dict(inputs),
            seconds=at / 1e9,
        )

    def accept(self, path: str) -> list[str]:
        """Take a failed path as it is: its preceding value is the present one again.

        Args:
            path: A failed path, or an ancestor of failed ones.

        Returns:
            The paths that were failed and are no longer.

        Raises:
            ContractError: Nothing is failed there.
        """
        full = check_path(path)
        lifted, above = self._engine.accept(full)
        if not lifted and "." not in path:
            lifted, above = self._engine.accept(path)  # a zone, not a variable
        if not lifted:
            failed = ", ".join(name for name, _ in self._engine.failed_paths()) or "none"
            hint = f"; {above!r} above it is: accept that one" if above else ""
            msg = f"{full!r} is not failed{hint}. Failed at present: {failed}"
            raise ContractError(msg, path=full)
        return lifted

    def failed(self) -> dict[str, BaseException | None]:
        """Return the failed paths and the exceptions that left them so."""
        return dict(self._engine.failed_paths())

    def get(self, path: str, default: object = None) -> Any:  # noqa: ANN401 - any value
        """Return the value of a path, or a default if it holds none."""
        try:
            return self[path]
        except MissingInputError:
            return default

    def __getitem__(self, path: str) -> Any:  # noqa: ANN401 - any value
        access = current.get()
        if access is not None and not access.ended:
            return read(access, check_path(path))
        full = self._look(path)
        kind, value, _ = self._engine.present(full)
        if kind == "leaf":
            return value
        if kind == "branch":
            return StateBranch(self, full)
        if kind == "failed":
            where, cause = value
            msg = (
                f"{where!r} is failed ({type(cause).__name__}: {text_of(cause)}): run its process "
                f"again, or take the value before it with theus.state.accept({where!r})"
            )
            raise UpstreamError(msg, path=where) from cause
        msg = f"{full!r} has never been written"
        raise MissingInputError(msg, path=full)

    def __setitem__(self, path: str, value: object) -> None:
        access = current.get()
        full = check_path(path)
        if access is not None and not access.ended:
            write(access, full, value)
            return
        if full == NOTEBOOK_ZONE or "." not in full:
            msg = f"{path!r} is a zone: assign to a path in it, such as {path}.name"
            raise ContractError(msg, path=full)
        self._engine.put(full, value)
        zone, _, name = full.partition(".")
        if zone == NOTEBOOK_ZONE:
            self._zone.assign(name, value)

    def __contains__(self, path: object) -> bool:
        return isinstance(path, str) and self._engine.present(self._look(path))[0] in (
            "leaf",
            "branch",
        )

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - any value
        if name.startswith("_"):
            raise AttributeError(name)
        zone = name[:-1] if name.endswith("_") and keyword.iskeyword(name[:-1]) else name
        return StateBranch(self, zone)

    def __setattr__(self, name: str, value: object) -> None:
        msg = (
            f"theus.state.{name} is a zone and holds no value: assign a path in it, such as "
            f"theus.state.{name}.raw, or theus.state[{name!r}] for the notebook variable"
        )
        raise ContractError(msg, path=name)

    def __iter__(self) -> Iterator[str]:
        """Iterate over the paths that hold values."""
        return self._leaves("")

    def __dir__(self) -> list[str]:
        return [*object.__dir__(self), *self._engine.children("")]

    def __repr__(self) -> str:
        rows = [f"  {p}: version {self.version(p)}" for p in self]
        rows += [f"  {p}: failed" for p in self.failed()]
        return "<State" + ("".join("\n" + row for row in rows) or " empty") + ">"

    def _leaves(self, path: str) -> Iterator[str]:
        for name in self._engine.children(path):
            below = f"{path}.{name}" if path else name
            kind = self._engine.present(below)[0]
            if kind == "leaf":
                yield below
            elif kind == "branch":
                yield from self._leaves(below)

    def _look(self, path: str) -> str:
        """Return the full path, after taking notice of what plain cells did to a variable."""
        # A zone by itself is looked at as it is; check_path would take it for a variable.
        if path in self._engine.children(""):
            return path
        full = check_path(path)
        if full.startswith(f"{NOTEBOOK_ZONE}."):
            self._zone.sync(self._engine, (full.partition(".")[2],))
        return full


class StateBranch:
    """A path with children in the state: ``theus.state.domain``."""

    __slots__ = ("_path", "_state")

    _path: str
    _state: State

    def __init__(self, state: State, path: str) -> None:
        object.__setattr__(self, "_state", state)
        object.__setattr__(self, "_path", path)

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - any value
        if name.startswith("_"):
            raise AttributeError(name)
        return self._state[f"{self._path}.{name}"]

    def __setattr__(self, name: str, value: object) -> None:
        self._state[f"{self._path}.{name}"] = value

    def __getitem__(self, name: str) -> Any:  # noqa: ANN401 - any value
        return self._state[f"{self._path}.{name}"]

    def __setitem__(self, name: str, value: object) -> None:
        self._state[f"{self._path}.{name}"] = value

    def __iter__(self) -> Iterator[str]:
        return iter(dir(self))

    def __dir__(self) -> list[str]:
        return self._state._engine.children(self._path)  # noqa: SLF001 - the same idea

    def __repr__(self) -> str:
        return f"<{self._path}: {', '.join(dir(self)) or 'empty'}>"


__all__ = ["MISSING", "Namespace", "Provenance", "State", "StateBranch"]
