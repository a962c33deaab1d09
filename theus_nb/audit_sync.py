"""Waiting for the log: until its entries are durable, or until it has room for more."""

from __future__ import annotations

import contextlib
import functools
import time
from typing import TYPE_CHECKING, Any

from theus_nb.access import check_cancelled, current
from theus_nb.errors import AuditWriteError
from theus_nb.waiting import block, finished

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine

    from theus_nb._core import AuditLog

    Run = Callable[..., Coroutine[Any, Any, Any]]


def durably(run: Run, sync: Callable[[], Awaitable[None]]) -> Run:
    """Return what does the same as ``run``, and ends when its entries are durable.

    Args:
        run: ``await run(process, *args, **kwargs)``.
        sync: Waits for the disk.
    """

    @functools.wraps(run)
    async def runs(process: object, /, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - its own
        try:
            value = await run(process, *args, **kwargs)
        except Exception:
            with contextlib.suppress(AuditWriteError):  # what the run failed with says more
                await sync()
            raise
        await sync()
        return value

    return runs


def run_durably(run: Callable[[], Any], wait: Callable[[], None]) -> Any:  # noqa: ANN401 - its own
    """Do the same for what blocks."""
    try:
        value = run()
    except Exception:
        with contextlib.suppress(AuditWriteError):
            wait()
        raise
    wait()
    return value


def wait_for_disk(log: AuditLog, timeout: float | None) -> None:
    """Block until everything recorded so far is synced.

    Raises:
        AuditWriteError: It never will be, or not in time.
        RunCancelledError: The run of this thread is to stop.
    """
    deadline = None if timeout is None else time.monotonic() + timeout

    def check() -> None:
        stop_with_run()
        if deadline is not None and time.monotonic() >= deadline:
            msg = f"the disk has not confirmed the audit log within {timeout} s; it may later"
            raise AuditWriteError(msg)

    block(log.synced(), check, timeout)


async def room(log: AuditLog) -> None:
    """Wait on the loop until a body may begin: until the queue has room, if that is the policy."""
    while (ticket := log.room()) is not None:
        await finished(ticket)


def wait_for_room(log: AuditLog, check: Callable[[], object]) -> None:
    """Do the same in a thread.

    Args:
        log: The log.
        check: Called now and then; what it raises ends the waiting.
    """
    while (ticket := log.room()) is not None:
        block(ticket, check)


def stop_with_run() -> None:
    """Raise `RunCancelledError` if the run in whose body we are is to stop."""
    access = current.get()
    if access is not None and not access.ended:
        check_cancelled(access)
