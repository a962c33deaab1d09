"""Started async runs: each has a task of its own on its loop, and is held until that ends."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from theus_nb.admitted import Handle, run_of

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from theus_nb._core import Engine, Run
    from theus_nb.admitted import Admitted


class Tasks:
    """The tasks of one session's started runs.

    Args:
        engine: Is told of runs whose tasks were cancelled before their first step.
        execute: ``execute(handle, *args, **kwargs)`` runs the body.
    """

    def __init__(self, engine: Engine, execute: Callable[..., Coroutine[Any, Any, Any]]) -> None:
        self._engine = engine
        self._execute = execute
        # asyncio holds tasks weakly; a started run must not vanish half-way.
        self._tasks: set[asyncio.Task[None]] = set()

    def launch(self, admitted: Admitted, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """Give an admitted run its task. On its loop."""
        run = run_of(admitted)
        if not run.has_ended:
            coroutine = self._drive(admitted, args, kwargs)
            run.task = self.keep(run, run.get_loop().create_task(coroutine, name=run.name))

    async def _drive(
        self, admitted: Admitted, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> None:
        """Execute a started run; its handle tells how it ended."""
        run = run_of(admitted)
        try:
            await self._execute(Handle(run.process, admitted), *args, **kwargs)
        except asyncio.CancelledError:
            self._engine.cancelled(run)
        except BaseException as error:  # noqa: BLE001 - the handle tells, or reports it at its end
            self._engine.fail(run, error)

    def keep(self, run: Run, task: asyncio.Task[None]) -> asyncio.Task[None]:
        """Hold a task until it ends, and end its run if the task could not."""

        def ended(task: asyncio.Task[None]) -> None:
            self._tasks.discard(task)
            if task.cancelled():  # before its first step: the coroutine never saw it
                self._engine.cancelled(run)

        self._tasks.add(task)
        task.add_done_callback(ended)
        return task

    def unfinished(self) -> list[asyncio.Task[None]]:
        """Return the tasks that have not ended."""
        return list(self._tasks)
