"""One name for two worlds: awaited where an event loop runs, blocking where none does."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import select
import threading
from asyncio import _get_running_loop
from typing import TYPE_CHECKING, Any, Final

from theus_nb.access import check_cancelled, over, watch_end
from theus_nb.lanes import bridge_for

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator

    from theus_nb._core import Access, Ticket

_STEP: Final = 0.1
"""Seconds between looks at what may end the waiting of a blocked thread."""


def either(coroutine: Coroutine[Any, Any, Any]) -> Any:  # noqa: ANN401 - its own value
    """Hand a coroutine out to be awaited; in a thread without a loop run it right here.

    It must wait by means of `wait_for_waker` and the like only: those block there, so that it
    never suspends.

    Returns:
        The coroutine, or its value.
    """
    if _get_running_loop() is not None:
        return coroutine
    try:
        coroutine.send(None)
    except StopIteration as stop:
        return stop.value
    coroutine.close()
    msg = "theus_nb waited for something of an event loop in a thread without one"
    raise RuntimeError(msg)


async def wait_for_waker(
    register: Callable[[Callable[[], object]], bool],
    forget: Callable[[Callable[[], object]], object],
    *,
    timeout: float | None = None,  # noqa: ASYNC109 - it holds for a blocked thread too
    access: Access | None = None,
) -> None:
    """Wait until a waker has been called, on the running loop or by blocking this thread.

    Args:
        register: Takes the waker; returns False if there is nothing to wait for.
        forget: Takes it back.
        timeout: Seconds to wait at most.
        access: A blocked thread's run: the thread is woken when that is to stop.

    Raises:
        TimeoutError: That took too long.
        RunCancelledError: The run of this thread is to stop.
        RunEndedError: It has ended.

    Cancellation: the waker is taken back.
    """
    loop = _get_running_loop()
    if loop is None:
        _block(register, forget, timeout, access)
        return
    future = loop.create_future()
    waker = functools.partial(bridge_for(loop).post, open_future, future)
    if register(waker):
        try:
            async with asyncio.timeout(timeout):
                await future
        finally:
            forget(waker)


async def finished(ticket: Ticket) -> Any:  # noqa: ANN401 - what the operation leaves
    """Wait for the disk, on the running loop or by blocking this thread; return the result.

    Cancellation: the result is dropped when it comes; a temporary goes with it.
    """
    loop = _get_running_loop()
    if loop is None:
        return block(ticket)
    try:
        future = loop.create_future()
        if ticket.tell(bridge_for(loop), open_future, future):
            await future
    except BaseException:
        ticket.forget()
        raise
    return ticket.take()


def block(
    ticket: Ticket,
    check: Callable[[], object] | None = None,
    step: float | None = None,
) -> Any:  # noqa: ANN401 - what the operation leaves
    """Wait for the disk by blocking this thread, even one whose loop runs; return the result.

    Args:
        ticket: The operation.
        check: Called now and then; what it raises ends the waiting.
        step: Seconds until the first look, if that is sooner than otherwise.
    """
    try:
        number = ticket.descriptor()
        if number is not None:
            # Not in Rust: a thread below a Rust frame must not be unwound by an exiting
            # interpreter.
            poll = select.poll()
            poll.register(number, select.POLLIN)
            pause = None if check is None else 1_000 * min(_STEP, _STEP if step is None else step)
            while not poll.poll(pause) and check is not None:
                check()
    except BaseException:
        ticket.forget()
        raise
    return ticket.take()


def open_future(future: asyncio.Future[None]) -> None:
    """Let the coroutine go on that awaits a future."""
    if not future.done():
        future.set_result(None)


def _block(
    register: Callable[[Callable[[], object]], bool],
    forget: Callable[[Callable[[], object]], object],
    timeout: float | None,
    access: Access | None,
) -> None:
    # Waiting for an event is interruptible in the main thread, and safe in a daemon thread while
    # the interpreter exits. Nobody raises an exception in a thread while it is in our code: so
    # whoever asks for the end of its run, or ends it, sets the event, and it looks itself.
    happened = threading.Event()
    waker = happened.set
    patience = None if timeout is None else min(timeout, threading.TIMEOUT_MAX)
    with left_with_its_run(access, waker):
        if register(waker):
            try:
                if not happened.wait(patience):
                    raise TimeoutError
            finally:
                forget(waker)
    if access is not None:
        check_cancelled(access)
        if access.run.has_ended:
            raise over(access)


@contextlib.contextmanager
def left_with_its_run(access: Access | None, waker: Callable[[], object]) -> Iterator[None]:
    """Have a waker called too when the run of this thread ends meanwhile, or is to stop."""
    if access is None:
        yield
        return
    interrupts = watch_end(access)
    interrupts.add(waker)
    try:
        if access.run.has_ended or access.run.cancel_requested:
            waker()
        yield
    finally:
        interrupts.discard(waker)
