"""The part of ``theus_nb._core`` for signals and files. A stub: there is no such module."""

from collections.abc import Callable
from typing import Any, Self, final

from typing_extensions import disjoint_base

from theus_nb._core_loops import Bridge

@final
class SignalHub:
    """Topics, and what is on its way to their subscribers. `theus_nb.signals` waits for it.

    Topics are taken as they are: the caller has checked them. No method waits.

    Args:
        history: How many values of each topic are kept for subscribers to come.
    """

    def __new__(cls, history: int) -> SignalHub: ...
    history: int
    def publish(self, topic: str, value: object) -> int:
        """Hand a value to every subscriber of a topic; return how many there are.

        Raises:
            SignalClosedError: The hub is closed.
            ForkedProcessError: In a forked child.
        """
    def offer(self, topic: str, value: object) -> tuple[int, int | None]:
        """Do the same if every subscriber with ``lag="block"`` has room.

        Returns:
            How many subscribers there are, and None; or 0 and the number of one without room.
        """
    def wait_for_room(self, subscriber: int, waker: Callable[[], object]) -> bool:
        """Have a function called when a subscriber has room; False if it has, or is gone."""
    def forget(self, subscriber: int, waker: Callable[[], object]) -> None:
        """Forget a function of a publisher that waits no longer."""
    def close(self) -> None:
        """Publish nothing any more; subscribers take what is queued for them, and end."""

@disjoint_base
class Subscription:
    """One subscriber: a bounded queue. Ends when it is closed or nobody holds it.

    Args:
        hub: The hub.
        pattern: A topic, ``"prices.*"`` or ``"*"``.
        maxsize: Values that may wait.
        lag: ``"raise"``, ``"skip"`` or ``"block"``.
        history: How many of the values published last come first.
    """

    def __new__(
        cls, hub: SignalHub, pattern: str, maxsize: int, lag: str, history: int
    ) -> Self: ...
    def take(self, nothing: object, pause: object | None = None) -> Any:
        """Take the next value, or return ``nothing`` if there is none at present.

        Args:
            nothing: Returned then.
            pause: Returned instead of a value when the loop has waited for 5 ms.

        Raises:
            LaggedError: Values were lost before the next one.
            SignalClosedError: Nothing will come any more.
        """
    def rested(self) -> None:
        """Say that the loop has been let run just now."""
    def wait(self, waker: Callable[[], object]) -> bool:
        """Have a function called, once, when there is something to take; False if there is.

        It is called in the thread that publishes or closes.
        """
    def forget(self, waker: Callable[[], object]) -> None:
        """Forget a function that need not be called any more."""
    def close(self) -> None:
        """End it: what is queued is dropped, whoever waits is told."""
    @property
    def closed(self) -> bool:
        """Whether nothing will come beyond what is queued."""
    @property
    def pending(self) -> int:
        """Values that wait to be taken."""
    @property
    def lost(self) -> int:
        """Values lost so far."""
    @property
    def topic(self) -> str | None:
        """Topic of the value taken last."""

@final
class Ticket:
    """A disk operation that is under way. Its result is taken once, by one caller."""

    def tell(self, bridge: Bridge, function: Callable[..., object], *arguments: object) -> bool:
        """Have a function called on a loop when it is done; False if it is."""
    def descriptor(self) -> int | None:
        """Return the number of a descriptor that becomes readable when it is done; None if it is.

        The ticket owns it.

        Raises:
            OSError: None could be opened.
        """
    @property
    def done(self) -> bool:
        """Whether it is done."""
    def take(self) -> Any:
        """Return what the operation leaves.

        Raises:
            FileWriteError: It did not succeed.
            AuditWriteError: Likewise.
        """
    def forget(self) -> None:
        """Drop the result, now or when it comes: a temporary is removed."""

@final
class FileWriter:
    """Writes complete files, on threads that hold no Python objects. Nothing here waits.

    All methods raise `ForkedProcessError` in a forked child.
    """

    def __new__(cls) -> FileWriter: ...
    def write(self, path: str, content: bytes) -> Ticket:
        """Write a file durably.

        Returns:
            A ticket for ``([(path, bytes, sha256)], [exceptions])``.
        """
    def open(self, path: str) -> Ticket:
        """Make a temporary for a file; the ticket is for a `DraftFile`."""
    def publish(self, files: list[StagedFile]) -> Ticket:
        """Put staged files in their places; each directory is synced once for all that come.

        Returns:
            A ticket for ``([(path, bytes, sha256)], [exceptions])``.
        """

@final
class DraftFile:
    """A temporary that is being written. It is removed when nobody holds it."""

    def write(self, content: bytes) -> Ticket:
        """Append bytes; wait for the ticket before the next."""
    def seal(self) -> Ticket:
        """Sync it; the ticket is for a `StagedFile`."""
    def discard(self) -> None:
        """Remove it, soon."""

@final
class StagedFile:
    """A synced temporary that is not visible yet. It is removed when nobody holds it."""

    @property
    def row(self) -> tuple[str, int, str]:
        """Its target, its length, and the SHA-256 of its content."""
    def discard(self) -> None:
        """Remove it, soon."""
