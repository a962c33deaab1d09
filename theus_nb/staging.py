"""Files of a run that are written and not visible yet."""

from __future__ import annotations

import asyncio
from asyncio import _get_running_loop
from typing import TYPE_CHECKING, Protocol

from theus_nb.access import over, watch_end

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from theus_nb._core import Access, Run, StagedFile

    Publish = Callable[[list[StagedFile]], Coroutine[None, None, None]]


class Journal(Protocol):
    """What is told about files that become visible. The audit log is one."""

    async def intent(self, files: list[tuple[str, int, str]]) -> None:
        """Say durably which files ``(path, bytes, sha256)`` a run is about to make visible.

        Awaited before the first of them is. In a thread without an event loop it must block
        instead of suspending. An exception fails the run, and nothing becomes visible.
        """

    def written(self, path: str, size: int, sha256: str) -> None:
        """Say that a file is in its place and durable."""


class Silent:
    """A journal that keeps nothing."""

    async def intent(self, files: list[tuple[str, int, str]]) -> None:
        """Let the files become visible."""

    def written(self, path: str, size: int, sha256: str) -> None:
        """Take notice."""


class Staging:
    """What one run has staged: dropped when the run ends, unless it was published before.

    Args:
        publish: Makes files visible.
    """

    def __init__(self, publish: Publish) -> None:
        self._publish = publish
        self._files: dict[str, StagedFile] = {}
        self._access: Access | None = None

    @classmethod
    def of(cls, access: Access, publish: Publish) -> Staging:
        """Return the staging of a run; its first file makes it."""
        staging: Staging | None = access.staged
        if staging is None:
            staging = access.staged = cls(publish)
            staging._access = access
            watch_end(access).add(staging._discard_at_end)
        return staging

    def add(self, file: StagedFile) -> None:
        """Keep a file until the run ends; an earlier one of the same name goes.

        Raises:
            RunEndedError: It has ended.
        """
        path = file.row[0]
        earlier = self._files.pop(path, None)
        if earlier is not None:
            earlier.discard()
        self._files[path] = file
        access = self._access
        if access is not None and (access.ended or access.run.has_ended):
            self.discard()
            raise over(access)

    def discard(self) -> None:
        """Remove what was not published."""
        while self._files:
            self._files.popitem()[1].discard()

    def _discard_at_end(self) -> None:
        # A body that is asked to stop may finish all the same.
        if self._access is not None and self._access.run.has_ended:
            self.discard()

    async def publish(self, run: Run) -> asyncio.CancelledError | None:
        """Make everything visible. From here on the run cannot be cancelled.

        Returns:
            A cancellation that came meanwhile, to be raised when the state is committed too.

        Raises:
            CancelledError: The run was given up before: nothing becomes visible.

        Cancellation: held back until it is done.
        """
        if not run.begin_commit():
            self.discard()
            raise asyncio.CancelledError
        files, self._files = list(self._files.values()), {}
        try:
            if _get_running_loop() is None:
                await self._publish(files)
                return None
            late = await _uncancelled(asyncio.ensure_future(self._publish(files)))
        finally:
            # Does nothing to what was published. What was not is removed here and not when nobody
            # holds it any more: an exception keeps these frames for whoever looks at it.
            for file in files:
                file.discard()
        # Its owner came too late, and its task is to go on.
        return None if run.cancel_requested and not run.cancelled_by_asyncio else late


async def _uncancelled(task: asyncio.Task[None]) -> asyncio.CancelledError | None:
    """Wait for a task to end, and return a cancellation that came meanwhile."""
    late: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.wait([task])
        except asyncio.CancelledError as error:
            late = error
    task.result()
    return late
