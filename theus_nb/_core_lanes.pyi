"""The part of ``theus_nb._core`` for worker threads. A stub: there is no such module."""

from collections.abc import Callable
from typing import Any, final

from theus_nb._core import Run
from theus_nb._core_body import Access

@final
class WorkQueue:
    """Runs that are ready, for the threads of one kind of lane.

    Args:
        name: Name of the lanes.
        limit: How many threads there may be; one thread's lane has the bare name.
        spawn: ``spawn(queue)`` starts one more thread, which serves a `Lane` of the queue.
    """

    def __new__(cls, name: str, limit: int, spawn: Callable[[WorkQueue], None]) -> WorkQueue: ...
    @property
    def workers(self) -> int:
        """How many threads there may be as long as none of them blocks."""
    def resize(self, workers: int) -> None:
        """Change that number at once: idle threads leave, busy ones after their run."""
    @property
    def limit(self) -> int:
        """How many there may be now."""
    @property
    def threads(self) -> int:
        """Threads that exist, busy or idle."""
    def block(self) -> None:
        """A thread of the queue is about to block on another run: it may be replaced."""
    def unblock(self) -> None:
        """It goes on; one thread too many leaves when it has nothing to do."""
    @property
    def abandoned(self) -> list[tuple[int, str]]:
        """Runs that were given up while their threads go on: number and process."""
    def close(self) -> list[Run]:
        """Let idle threads leave; return the runs that were queued."""

@final
class Lane:
    """One worker thread's end of a queue.

    Args:
        queue: The queue to serve.
    """

    def __new__(cls, queue: WorkQueue) -> Lane: ...
    @property
    def name(self) -> str:
        """Name of the lane, as the records show it."""
    @property
    def queue(self) -> WorkQueue:
        """The queue."""
    @property
    def innermost(self) -> Run | None:
        """The run whose body the thread is in; None between runs."""
    def enter(self, run: Run) -> None:
        """Note that the thread executes a run inside the body of another one."""
    def leave(self, run: Run) -> None:
        """Note its end."""
    def holds(self, run: Run) -> bool:
        """Whether the thread executes a run, however deep inside others."""
    def interrupt(self, run: Run, error: type[BaseException]) -> bool:
        """Raise an exception in the body of a run.

        It appears at the body's next bytecode; a call into C that does not return is not
        disturbed by it.

        Returns:
            False if the thread is not in that body, or in something that must be left alone (an
            import, logging, our own code): ask again in a few milliseconds.
        """
    def take(
        self,
    ) -> tuple[Callable[..., Any], Run, Any, Any, Access | None] | None:
        """Wait for the next run and mark it running; the interpreter is free meanwhile.

        Returns:
            ``Context.run`` of its context, the run, its process, what it was submitted with as
            its call, and its access, if `Engine.begin` was done at once (nothing is missing,
            nothing has to be guarded); None when the thread is to leave.
        """
