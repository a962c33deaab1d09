"""The part of ``theus_nb._core`` that leads to event loops. A stub: there is no such module."""

import asyncio
import contextvars
from collections.abc import Callable
from typing import Any, final

@final
class Bridge:
    """Carries completions from any thread to one event loop, with one wake-up per batch.

    Args:
        event_loop: The loop. The bridge starts with one ``call_soon_threadsafe`` per batch;
            `open` makes it cheaper where the loop has readers.
    """

    def __new__(cls, event_loop: asyncio.AbstractEventLoop) -> Bridge: ...
    @property
    def event_loop(self) -> asyncio.AbstractEventLoop:
        """The loop."""
    @property
    def thread(self) -> int:
        """The loop's thread, as ``threading.get_ident`` numbers it."""
    @property
    def descriptor(self) -> int | None:
        """The number given to ``add_reader``; None where there is none."""
    def open(self) -> int:
        """Open a descriptor that becomes readable when something is to be done.

        Returns:
            Its number, for ``loop.add_reader(number, bridge.drain)``. The bridge owns it.

        Raises:
            OSError: None could be opened (too many files, or a system without them).
        """
    def use_threadsafe(self) -> None:
        """Go back to one ``call_soon_threadsafe`` per batch; closes the descriptor."""
    def close(self) -> None:
        """Close the descriptor. What still arrives is settled, and nobody is called back."""
    def drain(self) -> None:
        """Handle everything queued. On the loop's thread. Calls no continuation itself."""
    def run_callbacks(self) -> None:
        """Call the done-callbacks that are waiting. Scheduled by the bridge itself."""
    def post(self, function: Callable[..., object], *arguments: object) -> None:
        """Have a function called on the loop's thread. Its errors are unraisable."""

@final
class Waiter:
    """What ``await run`` suspends on: one per await. Speaks the asyncio future protocol.

    Cancellation: cancelling it (the awaiting task was cancelled) raises ``CancelledError`` at this
        await only. It cancels the run, unless the hooks said that this await only waits.
    """

    _asyncio_future_blocking: bool
    def __iter__(self) -> Waiter: ...
    def __next__(self) -> Waiter: ...
    def send(self, _value: object) -> Waiter: ...
    def throw(self, error: BaseException, *_details: object) -> None: ...
    def close(self) -> None: ...
    def get_loop(self) -> asyncio.AbstractEventLoop: ...
    def add_done_callback(
        self, callback: Callable[..., object], /, *, context: contextvars.Context | None = None
    ) -> None: ...
    def remove_done_callback(self, callback: Callable[..., object]) -> int: ...
    def cancel(self, msg: object = None) -> bool: ...
    def cancelled(self) -> bool: ...
    def done(self) -> bool: ...
    def result(self) -> Any: ...
    def exception(self) -> BaseException | None: ...
