"""The end of a session in a notebook: runs are cancelled, and named if they go on all the same."""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import logging
from typing import TYPE_CHECKING, Final

from theus_nb.deadline import COROUTINES, EXIT, Deadline
from theus_nb.installed import current
from theus_nb.lanes import release_bridge
from theus_nb.notebook.waiting import until_ended

if TYPE_CHECKING:
    from collections.abc import Callable

    from theus_nb._core import Run
    from theus_nb.session import Session

_GRACE: Final = 2.0
"""Seconds that cancelled runs are given before they are named, when the extension is unloaded."""


def end_session(
    session: Session, find_loop: Callable[[], asyncio.AbstractEventLoop | None]
) -> None:
    """Close the session; the loop carries the ends of cancelled runs and is released then.

    Args:
        session: The session.
        find_loop: Returns the kernel's loop.
    """
    loop = find_loop()
    runs = session.runs.unfinished()
    session.close()
    if loop is None:
        return
    if not runs:
        release_bridge(loop)
        return

    async def release_later() -> None:
        await _grace(runs, _GRACE)
        left = _going_on(runs)
        if left:
            print(left)  # noqa: T201 - in the cell that unloads
        await asyncio.gather(*runs, return_exceptions=True)
        if current() is None:  # otherwise the extension was loaded again, and needs it
            release_bridge(loop)

    _endings.add(task := loop.create_task(release_later()))
    task.add_done_callback(_endings.discard)


_endings: Final[set[asyncio.Task[None]]] = set()
"""asyncio holds tasks weakly."""


class CloseAtExit:
    """When the kernel exits, lets coroutines see their cancellation before the session ends.

    The kernel stops its loop first; so the loop is run once more, for a moment.

    Args:
        session: The session.
        loop: The kernel's loop.
    """

    def __init__(self, session: Session, loop: asyncio.AbstractEventLoop) -> None:
        self._session = session
        self._loop = loop
        atexit.register(self._close)

    def forget(self) -> None:
        """Do nothing at exit: the session has been ended before."""
        atexit.unregister(self._close)

    def _close(self) -> None:
        deadline = Deadline(EXIT)
        runs = self._session.runs.unfinished()
        self._session.cancel_all(deadline)
        self._end_coroutines(runs, deadline.within(COROUTINES))
        left = _going_on(runs)
        for run in runs:
            run.engine.cancelled(run)  # recorded: nobody will be there when it ends
        self._session.close_at_exit(deadline)
        if left:
            logging.getLogger(__name__).warning(left)

    def _end_coroutines(self, runs: list[Run], deadline: Deadline) -> None:
        if runs and not self._loop.is_running() and not self._loop.is_closed():
            grace = self._loop.create_task(_grace(runs, deadline.left()))
            while not grace.done():
                # The kernel may have asked the loop to stop more often than once.
                with contextlib.suppress(RuntimeError):
                    self._loop.run_until_complete(grace)


async def _grace(runs: list[Run], seconds: float) -> None:
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(until_ended(runs), seconds)


def _going_on(runs: list[Run]) -> str:
    """Say which runs did not end when they were cancelled; nothing if all did."""
    left = [run for run in runs if not run.has_ended or run.status == "abandoned"]
    if not left:
        return ""
    listed = ", ".join(f"{run.id} {run.name!r}" for run in left)
    return f"theus_nb: {listed} could not be stopped and may go on; what they write is dropped"
