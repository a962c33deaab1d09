"""Waiting for the disk, on an event loop: one thread waits for everybody."""

from __future__ import annotations

import collections
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import asyncio

    from theus_nb._core import AuditLog

STEP: Final = 0.2
"""Seconds between looks while something waits for the disk: an executor must be able to leave."""


class SyncGroup:
    """Those who wait on one loop for the disk: one thread waits for them all."""

    def __init__(self, log: AuditLog) -> None:
        self._log = log
        self._pending: collections.deque[tuple[int, asyncio.Future[None]]] = collections.deque()
        self._server: asyncio.Task[None] | None = None

    async def join(self, seq: int, loop: asyncio.AbstractEventLoop) -> None:
        """Wait until an entry is synced.

        Raises:
            AuditWriteError: It never will be.
        """
        future: asyncio.Future[None] = loop.create_future()
        self._pending.append((seq, future))
        if self._server is None or self._server.done():
            self._server = loop.create_task(self._serve(loop), name="theus.audit.sync")
        await future

    async def _serve(self, loop: asyncio.AbstractEventLoop) -> None:
        while self._pending:
            # Numbers only grow: the first is served first, together with whoever it reaches.
            try:
                await loop.run_in_executor(None, self._log.wait, self._pending[0][0], STEP)
            except Exception as error:  # noqa: BLE001 - each of those who wait is told
                self._settle(error, all_of_them=True)
            else:
                self._settle(None)
        # The task knows its loop, and the loop is what this group is remembered by, weakly.
        self._server = None

    def _settle(self, error: Exception | None, *, all_of_them: bool = False) -> None:
        synced = self._log.position()[1]
        while self._pending and (all_of_them or self._pending[0][0] <= synced):
            seq, future = self._pending.popleft()
            if future.done():
                continue  # cancelled
            if error is None or seq <= synced:
                future.set_result(None)
            else:
                future.set_exception(error)
