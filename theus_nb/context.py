"""What the body of a process sees: the paths of its contract, and nothing else."""

from __future__ import annotations

import keyword
from typing import TYPE_CHECKING, Any, Final

from theus_nb.contract import check_path

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Mapping

    from theus_nb.access import Access


class Branch:
    """A path with children, inside a context: ``ctx.domain`` in ``ctx.domain.raw``."""

    __slots__ = ("_access", "_path")

    _access: Access
    _path: str

    def __init__(self, access: Access, path: str) -> None:
        _SET_BRANCH_ACCESS(self, access)
        _SET_BRANCH_PATH(self, path)

    # Not __getattr__: that would first raise and swallow an AttributeError at every step.
    def __getattribute__(self, name: str) -> Any:  # noqa: ANN401 - whatever the state holds
        if name[0] == "_":  # display probes look such names up: never a contract violation
            return object.__getattribute__(self, name)
        leaf = name if name[-1] != "_" else _plain(name)
        return _BRANCH_ACCESS(self).read(f"{_BRANCH_PATH(self)}.{leaf}")

    def __setattr__(self, name: str, value: object) -> None:
        self._access.write(f"{self._path}.{_plain(name)}", value)

    def __getitem__(self, name: str) -> Any:  # noqa: ANN401 - whatever the state holds
        return self._access.read(check_path(f"{self._path}.{name}"))

    def __setitem__(self, name: str, value: object) -> None:
        self._access.write(check_path(f"{self._path}.{name}"), value)

    def __contains__(self, name: object) -> bool:
        return name in self._access.children(self._path)

    def __iter__(self) -> Iterator[str]:
        return iter(self._access.children(self._path))

    def __dir__(self) -> list[str]:
        return self._access.children(self._path)

    def __repr__(self) -> str:
        return f"<{self._path}: {', '.join(self._access.children(self._path)) or 'empty'}>"


class Context:
    """The first argument of a process: what one run may read and write.

    ``ctx.domain.raw`` and ``ctx["domain.raw"]`` are the same; ``ctx.global_`` stands for the
    zone ``global``, whose name is a keyword. ``ctx.table`` is short for the notebook variable
    ``nb.table`` if the contract names it. Undeclared reads and writes raise, and fail the run
    even when the body swallows the exception. Used after its run has ended, it raises
    `RunEndedError`.

    Attributes:
        run_id: Identifier of this run (``"r7"``).
        cancelled: Whether somebody asked for the end of this run.
    """

    __slots__ = ("_access",)

    _access: Access

    def __init__(self, access: Access) -> None:
        _SET_ACCESS(self, access)

    @property
    def run_id(self) -> str:
        """Identifier of this run."""
        return self._access.run.id

    @property
    def cancelled(self) -> bool:
        """Whether somebody asked for the end of this run. Long loops in threads look here."""
        return self._access.cancel_requested()

    def check_cancelled(self) -> None:
        """Raise `RunCancelledError` if somebody asked for the end of this run."""
        self._access.check_cancelled()

    def commit(self) -> Published:
        """Publish what has been written so far; the run goes on.

        Readers that wait for these paths go on at once and get these values; later commits
        reach later readers. What is published stays, however the run ends.

        Returns:
            An object that may be awaited (and need not be): the values are published when this
            returns. Awaiting it lets other tasks run.

        Raises:
            ContractViolationError: The run has broken its contract before.
            RunEndedError: The run has ended.

        Cancellation: nothing is undone.
        """
        self._access.publish()
        return Published()

    def define(self, names: Mapping[str, object]) -> None:
        """Have names bound in the notebook when the run commits (functions, classes, imports).

        For cells; the names are not paths and carry no versions.
        """
        self._access.define(names)

    def __getattribute__(self, name: str) -> Any:  # noqa: ANN401 - whatever the state holds
        if name[0] == "_" or name in _MEMBERS:
            return object.__getattribute__(self, name)
        return _ACCESS(self).zone(name if name[-1] != "_" else _plain(name))

    def __setattr__(self, name: str, value: object) -> None:
        self._access.write(check_path(_plain(name)), value)

    def __getitem__(self, path: str) -> Any:  # noqa: ANN401 - whatever the state holds
        return self._access.read(check_path(path))

    def __setitem__(self, path: str, value: object) -> None:
        self._access.write(check_path(path), value)

    def __repr__(self) -> str:
        run = self._access.run
        return f"<Context of run {run.id} of {run.name!r}>"


_MEMBERS: Final = frozenset({"run_id", "cancelled", "check_cancelled", "commit", "define"})

# The slots' own getters and setters: half the price of going through object, at every read.
_ACCESS: Final = Context.__dict__["_access"].__get__
_SET_ACCESS: Final = Context.__dict__["_access"].__set__
_BRANCH_ACCESS: Final = Branch.__dict__["_access"].__get__
_BRANCH_PATH: Final = Branch.__dict__["_path"].__get__
_SET_BRANCH_ACCESS: Final = Branch.__dict__["_access"].__set__
_SET_BRANCH_PATH: Final = Branch.__dict__["_path"].__set__


class Published:
    """What ``ctx.commit()`` returns: already done, awaiting it only yields to other tasks."""

    __slots__ = ()

    def __await__(self) -> Generator[None, None, None]:
        yield None


def _plain(name: str) -> str:
    """Return ``global`` for ``global_``; other names as they are."""
    if name[-1] == "_" and keyword.iskeyword(name[:-1]):
        return name[:-1]
    return name
