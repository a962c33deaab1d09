"""Signals: values published under topics to whoever has subscribed, in this process."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import inspect
import sys
import time
from asyncio import _get_running_loop
from typing import TYPE_CHECKING, Any, Final, Literal, Self

from theus_nb._core import SignalHub
from theus_nb._core import Subscription as _Subscription
from theus_nb.access import current
from theus_nb.contract import check_topic
from theus_nb.effects import require
from theus_nb.errors import ContractError, SessionError, SignalClosedError
from theus_nb.waiting import either, wait_for_waker

if TYPE_CHECKING:
    from collections.abc import Callable

    from theus_nb._core import Access

Lag = Literal["raise", "skip", "block"]

_LAGS: Final = ("raise", "skip", "block")
_HISTORY: Final = 32
_NOTHING: Final = object()
_PAUSE: Final = object()


def _covers(topic: str, declared: str) -> bool:
    if declared.endswith("*"):  # "*", or "prices.*"
        return topic.startswith(declared[:-1])
    return declared == topic


def _check_history(values: object) -> None:
    if type(values) is not int or not 0 <= values <= sys.maxsize:
        msg = f"history is a number of values, 0 or more, not {values!r}"
        raise ContractError(msg)


class Signals:
    """The signals of one session: ``theus.signals``.

    Values are handed on as they are: any Python object, not copied. What a run publishes is out
    at once and stays, however the run ends. A process that publishes declares it:
    ``side_effects=["signal:prices"]``.

    Args:
        home: Returns the session's loop, for callbacks of subscribers in other threads.
        published: Called with the topic of each publication.

    Example:
        >>> theus.signals.publish("prices.oil", 71.3)          # doctest: +SKIP
    """

    def __init__(
        self,
        home: Callable[[], asyncio.AbstractEventLoop | None],
        published: Callable[[str], object] | None = None,
    ) -> None:
        self._hub = SignalHub(_HISTORY)
        self._home = home
        self.published = published
        self._pumps: set[asyncio.Task[None]] = set()

    def publish(self, topic: str, value: object) -> int:
        """Publish a value, from any thread. Returns at once.

        Nobody holds this up: a subscriber that is too slow loses its oldest values and is told.
        Use `send` to wait for slow ones.

        Args:
            topic: Dotted names: ``"prices"``, ``"prices.oil"``.
            value: Any object.

        Returns:
            How many subscribers it goes to.

        Raises:
            ContractError: The topic has illegal characters.
            UndeclaredSideEffectError: The running process does not declare ``signal:<topic>``.
            SignalClosedError: The session has ended.
        """
        self._check(topic)
        receivers = self._hub.publish(topic, value)
        if self.published is not None:
            self.published(topic)
        return receivers

    def send(self, topic: str, value: object) -> Any:  # noqa: ANN401 - awaitable, or the number
        """Publish a value when every subscriber with ``lag="block"`` has room for it.

        ``await`` it on an event loop; in a thread without one it blocks.

        Args:
            topic: As for `publish`.
            value: Any object.

        Returns:
            How many subscribers it goes to.

        Raises:
            ContractError: The topic has illegal characters.
            UndeclaredSideEffectError: The running process does not declare ``signal:<topic>``.
            SignalClosedError: The session has ended.
            RunCancelledError: The run of this thread was cancelled while it waited.

        Cancellation: the value is not published.

        Example:
            >>> await theus.signals.send("rows", row)          # doctest: +SKIP
        """
        return either(self._send(topic, value))

    async def _send(self, topic: str, value: object) -> int:
        access = self._check(topic)
        while True:
            receivers, full = self._hub.offer(topic, value)
            if full is None:
                if self.published is not None:
                    self.published(topic)
                return receivers
            await wait_for_waker(
                functools.partial(self._hub.wait_for_room, full),
                functools.partial(self._hub.forget, full),
                access=access,
            )

    def subscribe(
        self,
        topic: str,
        callback: Callable[[Any], object] | None = None,
        *,
        maxsize: int = 1024,
        lag: Lag = "raise",
        history: int = 0,
    ) -> Subscription:
        """Hear a topic from now on.

        Iterate over what is returned with ``async for`` (or ``for`` in a thread), or give a
        callback, which is then called on this loop, or from other threads on the session's, with
        one value after another; a coroutine function is awaited. Its errors go to the loop's
        exception handler.

        Args:
            topic: A topic, ``"prices.*"`` for all beneath, or ``"*"`` for all.
            callback: Called with each value.
            maxsize: Values that may wait, at least 1.
            lag: When more would wait, the oldest are lost. ``"raise"`` tells with `LaggedError`
                in their place, ``"skip"`` only counts them (``.lost``), ``"block"`` makes those
                wait that publish with `send`.
            history: How many of the values published last are to come first. At most
                ``theus.signals.history`` are kept of each topic.

        Returns:
            The subscription; it ends with ``close()``, with its ``with`` block, or when nobody
            holds it.

        Raises:
            ContractError: An argument that makes no sense.
            SessionError: A callback, and no event loop to call it on.
        """
        check_topic(topic, pattern=True)
        if type(maxsize) is not int or not 1 <= maxsize <= sys.maxsize:
            msg = f"maxsize is a number of values, at least 1, not {maxsize!r}"
            raise ContractError(msg)
        _check_history(history)
        if lag not in _LAGS:
            msg = f"lag is one of {', '.join(_LAGS)}, not {lag!r}"
            raise ContractError(msg)
        if callback is None:
            return Subscription(self._hub, topic, maxsize, lag, history)
        if not callable(callback):
            msg = f"a callback is a function of one value, not {callback!r}"
            raise ContractError(msg)
        loop = _get_running_loop() or self._home()
        if loop is None or loop.is_closed():
            msg = "no event loop is running to call the callback on: iterate over the subscription"
            raise SessionError(msg)
        subscription = Subscription(self._hub, topic, maxsize, lag, history)
        if loop is _get_running_loop():
            self._pump(subscription, callback)
        else:
            loop.call_soon_threadsafe(self._pump, subscription, callback)
        return subscription

    def _pump(self, subscription: Subscription, callback: Callable[[Any], object]) -> None:
        task = asyncio.get_running_loop().create_task(_call_back(subscription, callback))
        self._pumps.add(task)
        task.add_done_callback(self._pumps.discard)

    @property
    def history(self) -> int:
        """How many values of each topic are kept for subscribers to come; 0 keeps none."""
        return self._hub.history

    @history.setter
    def history(self, values: int) -> None:
        _check_history(values)
        self._hub.history = values

    def close(self) -> None:
        """End everything: subscribers get what is queued, and then their iteration ends."""
        self._hub.close()

    def _check(self, topic: str) -> Access | None:
        """Check a topic, and the contract of the process we are in; return its access."""
        check_topic(topic)
        access = current.get()
        if access is None or access.ended:
            return None
        require(access, "signal", topic, functools.partial(_covers, topic))
        return access

    def __repr__(self) -> str:
        return f"<Signals keeping {self.history} values of each topic>"


class Subscription(_Subscription):
    """What somebody hears of a topic: an iterator over values, on a loop or in a thread.

    Attributes:
        topic: Topic of the value taken last, None before.
        pending: Values that wait.
        lost: Values lost because they came too fast.
        closed: Whether nothing will come beyond what waits.

    Example:
        >>> async for price in theus.signals.subscribe("prices"):   # doctest: +SKIP
        ...     print(price)
    """

    def get(self, timeout: float | None = None) -> Any:  # noqa: ANN401 - awaitable, or the value
        """Take the next value, waiting for it.

        ``await`` it on an event loop; in a thread without one it blocks, and is left when the
        run in that thread is cancelled.

        Args:
            timeout: Seconds to wait at most.

        Returns:
            The value.

        Raises:
            TimeoutError: None came in time.
            LaggedError: Values were lost; the next call goes on with the oldest there is.
            SignalClosedError: Nothing will come any more.
            RunCancelledError: The run of this thread was cancelled while it waited.
            ContractError: ``timeout`` is no number of seconds.

        Cancellation: no value is lost.
        """
        if timeout is not None and (type(timeout) not in {int, float} or timeout != timeout):  # noqa: PLR0124 - NaN
            msg = f"timeout is a number of seconds or None, not {timeout!r}"
            raise ContractError(msg)
        return either(self._get(timeout))

    async def _get(self, timeout: float | None = None) -> Any:  # noqa: ANN401, ASYNC109 - any value
        value = self.take(_NOTHING)
        if value is not _NOTHING:
            return value
        access = current.get()
        if access is not None and access.ended:
            access = None
        deadline = None if timeout is None else time.monotonic() + timeout
        while value is _NOTHING:
            left = None if deadline is None else deadline - time.monotonic()
            if left is not None and left <= 0:
                msg = f"no value came within {timeout} s"
                raise TimeoutError(msg)
            with contextlib.suppress(TimeoutError):
                await wait_for_waker(self.wait, self.forget, timeout=left, access=access)
            value = self.take(_NOTHING)
        return value

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Any:  # noqa: ANN401 - any value
        try:
            value = self.take(_NOTHING, _PAUSE)
            if value is _PAUSE:
                # Values that never run out must not keep the loop from everything else.
                await asyncio.sleep(0)
                value = self.take(_NOTHING)
            if value is _NOTHING:
                value = await self._get()
                self.rested()
        except SignalClosedError:
            raise StopAsyncIteration from None
        return value

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Any:  # noqa: ANN401 - any value
        if _get_running_loop() is not None:
            msg = "iterating with 'for' would block the event loop: write 'async for'"
            raise SessionError(msg)
        try:
            return either(self._get())
        except SignalClosedError:
            raise StopIteration from None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def __repr__(self) -> str:
        state = "closed" if self.closed else "open"
        return f"<Subscription {state}, {self.pending} values wait, {self.lost} lost>"


async def _call_back(subscription: Subscription, callback: Callable[[Any], object]) -> None:
    """Call a function with each value until the subscription ends."""
    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    while True:
        caught: BaseException
        try:
            value = await subscription.__anext__()
            result = callback(value)
            if inspect.isawaitable(result):
                await result
        except StopAsyncIteration:
            return
        except asyncio.CancelledError as error:
            if task is None or task.cancelling():
                raise
            caught = error  # of something that the callback awaited
        except Exception as error:  # noqa: BLE001 - one bad value must not end the subscription
            caught = error
        else:
            continue
        context = {"message": f"Exception in signal callback {callback!r}", "exception": caught}
        loop.call_exception_handler(context)
