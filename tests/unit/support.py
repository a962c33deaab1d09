"""What the engine's tests share: a loop with a session, gates, and patience with an end."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import threading
from typing import TYPE_CHECKING, Any, Final

from theus_nb.session import Session

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

PATIENCE: Final = 10.0
"""Seconds after which something that should happen counts as never happening."""

SHORT_GRACE: Final = 0.05
"""Seconds until the bodies here are given up that block outside of Python; nothing waits for
one that would have stopped."""


def on_loop(test: Callable[[Session], Awaitable[None]]) -> Callable[[], None]:
    """Turn ``async def test(theus)`` into a plain test with a loop and a session of its own.

    Whatever reaches the loop's exception handler fails the test: forgotten exceptions and
    failing callbacks are errors here. A test that wants some uses `reported`.
    """

    def plain_test() -> None:
        asyncio.run(_in_session(test))

    plain_test.__name__ = test.__name__
    plain_test.__doc__ = test.__doc__
    plain_test.__module__ = test.__module__
    return plain_test


async def _in_session(test: Callable[[Session], Awaitable[None]]) -> None:
    problems = reported()
    async with Session(grace=SHORT_GRACE) as theus:
        await test(theus)
    await settled()
    assert not problems, problems


def reported() -> list[dict[str, Any]]:
    """Collect what reaches the running loop's exception handler from now on."""
    found: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _loop, what: found.append(what))
    return found


async def settled() -> None:
    """Let everything run that is ready to, and everything unreachable be collected."""
    for _ in range(3):
        gc.collect()
        await asyncio.sleep(0)


class Signal:
    """An event that any thread may set and anybody may wait for, on a thread or on a loop."""

    def __init__(self) -> None:
        self._event = threading.Event()
        self._lock = threading.Lock()
        self._wakes: list[Callable[[], object]] = []

    def set(self) -> None:
        """Wake whoever waits; who comes later passes."""
        self._event.set()
        with self._lock:
            wakes, self._wakes = self._wakes, []
        for wake in wakes:
            wake()

    def is_set(self) -> bool:
        """Tell whether it has been set."""
        return self._event.is_set()

    def block(self) -> None:
        """Wait in a thread."""
        assert self._event.wait(PATIENCE), "this never happened"

    async def wait(self) -> None:
        """Wait on the loop, which stays free."""
        loop, happened = asyncio.get_running_loop(), asyncio.Event()

        def wake() -> None:
            loop.call_soon_threadsafe(happened.set)

        with self._lock:
            if self.is_set():
                return
            self._wakes.append(wake)
        try:
            async with asyncio.timeout(PATIENCE):
                await happened.wait()
        finally:
            with self._lock:
                if wake in self._wakes:
                    self._wakes.remove(wake)


class Gate:
    """Holds a body, on a thread or on the loop, and tells when it has arrived."""

    def __init__(self) -> None:
        self.arrived = Signal()
        self.opened = Signal()

    def open(self) -> None:
        """Let whoever waits, or comes later, pass."""
        self.opened.set()

    def block(self) -> None:
        """Wait in a worker thread."""
        self.arrived.set()
        self.opened.block()

    def hold(self) -> None:
        """Wait in a worker thread, like a call into C: no request to stop gets through."""
        while not self.opened.is_set():
            with contextlib.suppress(asyncio.CancelledError):
                self.block()

    async def wait(self) -> None:
        """Wait on the loop."""
        self.arrived.set()
        await self.opened.wait()

    async def reached(self) -> None:
        """Wait on the loop until a body has arrived."""
        await self.arrived.wait()
