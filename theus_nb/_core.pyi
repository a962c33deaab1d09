"""The Rust core, as Python sees it.

Everything here is internal to theus_nb except `Run`, the handle that ``theus.start`` returns.
The classes hold no policy: what to say, where to commit and when to give up is decided by the
Python modules that use them. All methods may be called from any thread unless they say so.

Times are nanoseconds since the session began.
"""

import asyncio
from collections.abc import Callable, Generator, Iterator
from contextvars import Context, ContextVar
from typing import Any, Self, final

from typing_extensions import disjoint_base

__all__ = [
    "Bridge",
    "Definition",
    "DraftFile",
    "Engine",
    "FileWriter",
    "Lane",
    "Run",
    "SignalHub",
    "StagedFile",
    "Subscription",
    "Ticket",
    "Waiter",
    "WorkQueue",
]

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

    Cancellation: cancelling it (the awaiting task was cancelled) cancels the run, and raises
        ``CancelledError`` at this await only.
    """

    _asyncio_future_blocking: bool
    def __iter__(self) -> Waiter: ...
    def __next__(self) -> Waiter: ...
    def send(self, _value: object) -> Waiter: ...
    def throw(self, error: BaseException, *_details: object) -> None: ...
    def close(self) -> None: ...
    def get_loop(self) -> asyncio.AbstractEventLoop: ...
    def add_done_callback(
        self, callback: Callable[..., object], /, *, context: Context | None = None
    ) -> None: ...
    def remove_done_callback(self, callback: Callable[..., object]) -> int: ...
    def cancel(self, msg: object = None) -> bool: ...
    def cancelled(self) -> bool: ...
    def done(self) -> bool: ...
    def result(self) -> Any: ...
    def exception(self) -> BaseException | None: ...

@final
class Run:
    """One execution of a process: await it, gather it, cancel it, look at it.

    It is an asyncio future of the loop on which it was started, and may be awaited on any other
    loop as well. A failure that nobody looks at is reported to the loop's exception handler when
    the handle goes away.
    """

    _asyncio_future_blocking: bool
    @property
    def _loop(self) -> asyncio.AbstractEventLoop: ...
    @property
    def id(self) -> str:
        """Identifier, unique in the session: ``"r7"``."""
    @property
    def number(self) -> int:
        """The number in it; also the version of what the run writes."""
    @property
    def process(self) -> Any:
        """The process."""
    @property
    def name(self) -> str:
        """Name of the process."""
    @property
    def status(self) -> str:
        """Where it stands, or how it ended.

        ``waiting`` (for inputs), ``queued`` (for a worker), ``running``, ``finished``,
        ``failed``, ``cancelled`` or ``abandoned`` (given up while its thread goes on).
        """
    @property
    def ready(self) -> bool:
        """Whether all inputs are there."""
    @property
    def has_ended(self) -> bool:
        """Whether it has ended, even if its loop does not know yet (then ``done()`` is False)."""
    @property
    def lane(self) -> str:
        """``"loop"``, ``"cell"`` or ``"worker 2"``; empty before a worker has taken it."""
    @property
    def engine(self) -> Engine:
        """The engine it belongs to."""
    @property
    def bridge(self) -> Bridge:
        """Leads to the loop it belongs to."""
    @property
    def submitted_ns(self) -> int:
        """When it was submitted."""
    @property
    def started_ns(self) -> int | None:
        """When its body started."""
    @property
    def ended_ns(self) -> int | None:
        """When it ended."""
    @property
    def elapsed(self) -> float:
        """Seconds from start to end, or to now; 0.0 before the start."""
    @property
    def outputs(self) -> dict[str, Any]:
        """What it committed by path; or would have, after a `NotebookConflictError`."""
    @property
    def cancel_requested(self) -> bool:
        """Whether somebody asked for its end."""
    @property
    def cancelled_by_asyncio(self) -> bool:
        """Whether that was asyncio (a cancelled task, a gather) and not its owner."""

    task: Any
    def keep_outputs(self, outputs: dict[str, object]) -> None:
        """Show what would have been written in `outputs`."""
    def begin_commit(self) -> bool:
        """Let the run not be cancelled from here on. False if it has been, or has ended."""
    def begin_wait(self) -> None:
        """Record that the process we are in, if any, waits for this run from here on.

        Raises:
            DeadlockError: It could never end.
        """
    def set_gate(self, gate: asyncio.Future[None]) -> bool:
        """Have a future opened when the inputs are there. False if they are, or never will be."""
    def failure(self) -> BaseException | None:
        """The exception it has ended with; None if it has not, or not so."""
    def watch(self, function: Callable[[], object]) -> None:
        """Have a function called when it becomes ready and when it ends.

        In the thread where that happens; at once if it has ended.
        """
    def take(self) -> Any:
        """Return the value, or raise the exception, of a run that has ended.

        Raises:
            RunPendingError: It has not.
        """
    def __await__(self) -> Generator[Any, None, Any]:
        """Wait for the end.

        Returns:
            What the function returned.

        Raises:
            RunCancelledError: The run was cancelled by its owner.
            DeadlockError: It waits for the process that awaits it.

        Cancellation: cancelling the awaiting task cancels the run.
        """
    def __iter__(self) -> Iterator[Any]: ...
    def get_loop(self) -> asyncio.AbstractEventLoop:
        """The loop it belongs to."""
    def add_done_callback(
        self, callback: Callable[[Run], object], /, *, context: Context | None = None
    ) -> None:
        """Have a function called on the loop when the run is done, in a context (this one)."""
    def remove_done_callback(self, callback: Callable[[Run], object]) -> int:
        """Forget a callback; return how many there were."""
    def cancel(self, reason: object = None, *, msg: object = None) -> bool:
        """Ask for the end of the run.

        A waiting or queued run ends at once. A coroutine is cancelled. A thread cannot be
        stopped: the run ends as abandoned, and what the thread goes on to write is dropped.

        Args:
            reason: Shown to whoever awaits the run.
            msg: asyncio's own argument; awaiters then get ``CancelledError``.

        Returns:
            False if the run had ended already.
        """
    def _make_cancelled_error(self) -> asyncio.CancelledError: ...
    def cancelled(self) -> bool:
        """Whether it was cancelled by asyncio; a run its owner cancelled has an exception."""
    def done(self) -> bool:
        """Whether it has ended and its loop knows."""
    def result(self) -> Any:
        """Return the value or raise the exception; never blocks.

        Raises:
            RunPendingError: It is not done.
        """
    def exception(self) -> BaseException | None:
        """Return the exception, or None.

        Raises:
            RunPendingError: It is not done.
            asyncio.CancelledError: It was cancelled by asyncio.
        """

@final
class WorkQueue:
    """Runs that are ready, for the threads of one kind of lane.

    Args:
        name: Name of the lanes.
        limit: How many threads there may be; one thread's lane has the bare name.
        spawn: ``spawn(queue)`` starts one more thread, which serves a `Lane` of the queue.
    """

    def __new__(cls, name: str, limit: int, spawn: Callable[[WorkQueue], None]) -> WorkQueue: ...
    limit: int
    @property
    def threads(self) -> int:
        """Threads that exist, busy or idle."""
    def block(self) -> None:
        """A thread of the queue is about to block on another run: it may be replaced."""
    def unblock(self) -> None:
        """It goes on; one thread too many leaves when it has nothing to do."""
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
    def take(
        self,
    ) -> (
        tuple[
            Callable[..., Any],
            Run,
            Any,
            tuple[tuple[Any, ...], dict[str, Any], Callable[[], None] | None] | None,
        ]
        | None
    ):
        """Wait for the next run and mark it running; the interpreter is free meanwhile.

        Returns:
            ``Context.run`` of its context, the run, its process, and its
            ``(args, kwargs, setup)`` if there are any; None when the thread is to leave.
        """

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
    def take(self) -> Any:
        """Return what the operation leaves.

        Raises:
            FileWriteError: It did not succeed.
        """

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

@final
class Definition:
    """What a process is to one engine. Made by `Engine.define`."""

@final
class Engine:
    """One session: the scheduler, the versioned values, the unfinished runs and the records.

    Args:
        hooks: The Python side, called to make exceptions and to do things on the loop's thread.
        current: Holds the access of the process we are in; its ``run`` attribute is the run.
        records: How many finished runs to remember.

    All methods raise `ForkedProcessError` in a forked child, and those that submit or write
    raise `SessionClosedError` after `close`.
    """

    def __new__(cls, hooks: object, current: ContextVar[Any], records: int) -> Engine: ...
    def define(
        self,
        name: str,
        source_hash: str,
        inputs: list[tuple[str, bool]],
        outputs: list[tuple[str, bool]],
    ) -> Definition:
        """Make a process known; the lists hold ``(path, optional)`` in declared order."""
    def submit(
        self,
        definition: Definition,
        process: object,
        bridge: Bridge,
        queue: WorkQueue,
        call: tuple[tuple[Any, ...], dict[str, Any], Callable[[], None] | None] | None,
        parent: Run | None,
    ) -> Run:
        """Submit a run to worker threads, with a copy of the caller's context variables.

        Raises:
            PathShapeError: An output lies beneath a path that holds a value.
        """
    def admit(
        self,
        definition: Definition,
        process: object,
        bridge: Bridge,
        task: object,
        parent: Run | None,
        awaited: bool,
        lane: str | None,
    ) -> tuple[Run, bool, dict[str, object] | None]:
        """Admit a run that the caller executes itself, and start it if its inputs are there.

        Returns:
            The run, whether it was started, and then what `begin` returns.

        Raises:
            DeadlockError: The parent waits for it, and it for the parent: it leaves no trace.
            PathShapeError: An output lies beneath a path that holds a value.
        """
    def begin(self, run: Run) -> dict[str, object] | None:
        """Start a ready run.

        Returns:
            The values of its inputs by path, those never written left out; None without inputs.

        Raises:
            MissingInputError: A required input was never written.
        """
    def finish(self, run: Run, value: object, writes: dict[str, object] | None = None) -> bool:
        """Commit a run and end it. False if it had ended: then nothing was committed.

        Raises:
            PathShapeError: A written path would hold a value and children. Nothing was
                committed, the run has not ended.
        """
    def fail(self, run: Run, error: BaseException, *, reported: bool = False) -> bool:
        """End a run with an exception; its required outputs are failed. False if it had ended."""
    def cancelled(self, run: Run) -> bool:
        """End a run whose body was stopped by a cancellation. False if it had ended."""
    def withdraw(self, run: Run, error: BaseException) -> bool:
        """End a run as if it had not been submitted. False if it had ended."""
    def publish(self, run: Run, writes: dict[str, object]) -> int:
        """Commit values in the middle of a run; return their version (0 if it had ended)."""
    def put(self, path: str, value: object = None, *, remove: bool = False) -> int:
        """Write or remove a path outside of any run; return the version.

        Raises:
            PathShapeError: The path would hold a value and children.
        """
    def present(self, path: str) -> tuple[str, Any, int]:
        """What a path holds: ``(kind, value, version)``.

        Kind is ``"leaf"``, ``"branch"``, ``"missing"`` or ``"failed"``; the value is then
        ``(failed path, exception)``.
        """
    def provenance(
        self, path: str
    ) -> tuple[int, int | None, str | None, str | None, list[tuple[str, int]], int] | None:
        """Where a value comes from: version, run, process, source hash, inputs, time."""
    def look(self, run: Run, path: str) -> Any:
        """What a running run would read at a path now; None if there is no value."""
    def children(self, path: str) -> list[str]:
        """Names directly beneath a path that hold something; zones for the empty path."""
    def accept(self, path: str) -> tuple[list[str], str | None]:
        """Lift the failed marks at and beneath a path: those lifted, and a failed ancestor."""
    def failed_paths(self) -> list[tuple[str, BaseException | None]]:
        """Failed paths and why; None where a circle of waits was broken."""
    @property
    def hooks(self) -> Any:
        """The Python side."""
    def writers(self, path: str) -> list[Run]:
        """Unfinished runs that may write a path."""
    def blockers(self, run: Run) -> list[Run]:
        """Runs that a run waits for at present."""
    def unfinished(self) -> list[Run]:
        """Unfinished runs, oldest first."""
    def spans(self) -> list[tuple[int, int | None, str, str, str, int, int, int]]:
        """Finished runs, oldest first.

        Each is run, parent, process, lane, status, submitted, started (0 if it never did), ended.
        """
    def now(self) -> int:
        """Nanoseconds since the session began."""
    def close(self) -> None:
        """Refuse new runs and writes from here on. Unfinished runs can still end."""
