"""The part of ``theus_nb._core`` that bodies use. A stub: there is no such module."""

from collections.abc import Awaitable, Callable, Iterator, Mapping
from typing import Any, final

from theus_nb._core import Run

@final
class Access:
    """Reads and writes of one run, checked against its contract. Made when a run is started.

    Reads are the values bound when the run was submitted; writes are collected here and committed
    all at once. Used by one task or thread, and by tasks that inherited the context; children tell
    what they commit from threads of their own. What is not declared is left to the functions of
    ``theus_nb.access``.
    """

    @property
    def run(self) -> Run:
        """The run."""
    @property
    def process(self) -> Any:
        """Its process."""
    @property
    def parent(self) -> Access | None:
        """Access of the run in whose body this one was started."""
    @property
    def context(self) -> Context:
        """What the body is given; a new one each time."""
    @property
    def reads(self) -> dict[str, Any]:
        """Values of the inputs by path, those never written left out, and what was published."""
    @property
    def writes(self) -> dict[str, Any]:
        """What the body wrote and has not published."""
    @property
    def children_writes(self) -> dict[str, Any]:
        """What runs started in the body have committed."""
    @property
    def definitions(self) -> dict[str, Any]:
        """Names to be bound in the notebook at the commit."""
    @property
    def published(self) -> dict[str, Any]:
        """What was published in the middle of the run."""

    violation: BaseException | None
    """The first breach of the contract: it fails the run, even if the body swallows it."""
    staged: Any
    """The files that become visible when the run commits; None if there are none."""
    interrupts: Any
    """What is called when the run ends; None before somebody asks for it."""
    hand_over: Callable[[], None] | None
    """Called before anything is published: a cell writes what its names are bound to then."""
    ended: bool
    """Whether the body is over. It may be so before its run has ended."""
    def finish(self, value: object) -> bool:
        """Commit what the body returned and end the run, where nothing has to be looked at.

        Args:
            value: What the function returned.

        Returns:
            False, and nothing has happened, if it is no plain value, the contract was broken, or
            more is to be laid over the outputs than this value over a single one.

        Raises:
            PathShapeError: As for `Engine.finish`.
        """

@final
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

    @property
    def run_id(self) -> str:
        """Identifier of this run."""
    @property
    def cancelled(self) -> bool:
        """Whether somebody asked for the end of this run. Long loops in threads look here.

        A body in a thread that has been told leaves by itself: nothing is raised in it any more.
        If it has not left after the grace, it is given up.
        """
    def check_cancelled(self) -> None:
        """Raise `RunCancelledError` if somebody asked for the end of this run.

        Nothing else is raised in a body that has seen it: it cleans up undisturbed.
        """
    def commit(self) -> Awaitable[None]:
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
    def define(self, names: Mapping[str, object]) -> None:
        """Have names bound in the notebook when the run commits (functions, classes, imports).

        For cells; the names are not paths and carry no versions.
        """
    def __getattribute__(self, name: str, /) -> Any: ...
    def __setattr__(self, name: str, value: object, /) -> None: ...
    def __getitem__(self, path: str, /) -> Any: ...
    def __setitem__(self, path: str, value: object, /) -> None: ...

@final
class Branch:
    """A path with children, inside a context: ``ctx.domain`` in ``ctx.domain.raw``.

    Args:
        access: Access of the run.
        path: The path.
    """

    def __new__(cls, access: Access, path: str) -> Branch: ...
    def __getattribute__(self, name: str, /) -> Any: ...
    def __setattr__(self, name: str, value: object, /) -> None: ...
    def __getitem__(self, name: str, /) -> Any: ...
    def __setitem__(self, name: str, value: object, /) -> None: ...
    def __contains__(self, name: object, /) -> bool: ...
    def __iter__(self) -> Iterator[str]: ...
    def __dir__(self) -> list[str]: ...
