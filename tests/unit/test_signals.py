"""Signals: who hears what, how much is lost, how waiting ends."""

from __future__ import annotations

import asyncio
import gc
import threading
import weakref
from typing import TYPE_CHECKING, Any

import pytest

from tests.unit.support import PATIENCE, on_loop
from tests.unit.thread_support import hub, in_thread, joined
from theus_nb.errors import (
    ContractError,
    LaggedError,
    SignalClosedError,
)

if TYPE_CHECKING:
    from typing import Literal

    from theus_nb.session import Session


@on_loop
async def test_values_arrive_in_order_from_a_thread(theus: Session) -> None:
    heard = theus.signals.subscribe("prices")
    thread = in_thread(lambda: [theus.signals.publish("prices", n) for n in range(500)])
    assert [await heard.get(timeout=PATIENCE) for _ in range(500)] == list(range(500))
    joined(thread)


@on_loop
async def test_async_for_ends_when_the_hub_closes(theus: Session) -> None:
    heard = theus.signals.subscribe("prices")
    theus.signals.publish("prices", 1)
    theus.signals.publish("prices", 2)
    theus.signals.close()
    assert [value async for value in heard] == [1, 2]
    with pytest.raises(SignalClosedError):
        await heard.get()
    with pytest.raises(SignalClosedError):
        theus.signals.publish("prices", 3)


@on_loop
async def test_closing_wakes_whoever_waits(theus: Session) -> None:
    heard = theus.signals.subscribe("prices")
    waiting = asyncio.create_task(heard.get())
    await asyncio.sleep(0)
    heard.close()
    with pytest.raises(SignalClosedError):
        await waiting


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("prices.oil", [2]),
        ("prices", [1]),
        ("prices.*", [2, 3]),
        ("*", [1, 2, 3, 4]),
    ],
)
def test_patterns(pattern: str, expected: list[int]) -> None:
    signals = hub()
    before = signals.subscribe(pattern)
    for number, topic in enumerate(["prices", "prices.oil", "prices.gas.eu", "pricesx"], start=1):
        signals.publish(topic, number)
    after = signals.subscribe(pattern, history=9)
    signals.close()
    assert list(before) == list(after) == expected


def test_a_pattern_hears_topics_that_come_later_and_names_them() -> None:
    signals = hub()
    heard = signals.subscribe("jobs.*")
    assert heard.topic is None
    assert signals.publish("jobs.new", "x") == 1
    assert heard.get() == "x"
    assert heard.topic == "jobs.new"


@pytest.mark.parametrize(
    "topic", ["", ".", "a.", "a b", "_private", "1", "prices.*", "a\0", "\udc80"]
)
def test_illegal_topics_are_refused(topic: str) -> None:
    with pytest.raises(ContractError, match="write dotted names"):
        hub().publish(topic, 1)


@pytest.mark.parametrize("pattern", ["**", "a.*.b", "*.a", "a*"])
def test_illegal_patterns_are_refused(pattern: str) -> None:
    with pytest.raises(ContractError, match="for everything beneath"):
        hub().subscribe(pattern)


@pytest.mark.parametrize(
    "options",
    [{"maxsize": 0}, {"maxsize": True}, {"lag": "drop"}, {"history": -1}, {"callback": 3}],
)
def test_options_that_make_no_sense_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ContractError):
        hub().subscribe("prices", **options)


@pytest.mark.parametrize("lag", ["raise", "block"])
def test_lag_is_said_once_and_the_newest_are_kept(lag: Literal["raise", "block"]) -> None:
    signals = hub()
    heard = signals.subscribe("n", maxsize=3, lag=lag)
    for number in range(10):
        signals.publish("n", number)
    with pytest.raises(LaggedError, match="7 values were lost") as caught:
        heard.get()
    assert caught.value.missed == heard.lost == 7
    assert [heard.get() for _ in range(3)] == [7, 8, 9]


def test_lag_may_be_skipped_and_is_counted() -> None:
    signals = hub()
    heard = signals.subscribe("n", maxsize=3, lag="skip")
    for number in range(10):
        signals.publish("n", number)
    assert [heard.get() for _ in range(3)] == [7, 8, 9]
    assert (heard.lost, heard.pending) == (7, 0)


@on_loop
async def test_send_waits_for_a_blocking_subscriber(theus: Session) -> None:
    heard = theus.signals.subscribe("n", maxsize=2, lag="block")

    async def send_all() -> None:
        for number in range(50):
            await theus.signals.send("n", number)

    sending = asyncio.create_task(send_all())
    assert [await heard.get(timeout=PATIENCE) for _ in range(50)] == list(range(50))
    await sending
    assert heard.lost == 0


def test_send_blocks_in_a_thread() -> None:
    signals = hub()
    heard = signals.subscribe("n", maxsize=1, lag="block")
    thread = in_thread(lambda: [signals.send("n", number) for number in range(50)])
    assert [heard.get(timeout=PATIENCE) for _ in range(50)] == list(range(50))
    joined(thread)


@on_loop
async def test_a_cancelled_send_publishes_nothing(theus: Session) -> None:
    heard = theus.signals.subscribe("n", maxsize=1, lag="block")
    await theus.signals.send("n", 0)
    sending = asyncio.create_task(theus.signals.send("n", 1))
    await asyncio.sleep(0)
    sending.cancel()
    with pytest.raises(asyncio.CancelledError):
        await sending
    assert await heard.get() == 0
    assert heard.pending == 0


@on_loop
async def test_a_blocking_subscriber_that_leaves_lets_the_publisher_go(theus: Session) -> None:
    heard = theus.signals.subscribe("n", maxsize=1, lag="block")
    await theus.signals.send("n", 0)
    sending = asyncio.create_task(theus.signals.send("n", 1))
    await asyncio.sleep(0)
    heard.close()
    assert await sending == 0


@on_loop
async def test_get_gives_up_in_time(theus: Session) -> None:
    heard = theus.signals.subscribe("n")
    with pytest.raises(TimeoutError, match="no value came"):
        await heard.get(timeout=0.001)
    theus.signals.publish("n", 1)
    assert await heard.get(timeout=0) == 1


def test_get_gives_up_in_time_in_a_thread() -> None:
    with pytest.raises(TimeoutError, match="no value came"):
        hub().subscribe("n").get(timeout=0.001)


@on_loop
async def test_a_cancelled_get_loses_no_value(theus: Session) -> None:
    heard = theus.signals.subscribe("n")
    first = asyncio.create_task(heard.get())
    await asyncio.sleep(0)
    theus.signals.publish("n", 1)  # wakes it, and it is cancelled before it can take the value
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    assert await heard.get(timeout=PATIENCE) == 1


@on_loop
async def test_several_takers_share_what_comes(theus: Session) -> None:
    heard = theus.signals.subscribe("n")
    takers = [asyncio.create_task(heard.get(timeout=PATIENCE)) for _ in range(20)]
    await asyncio.sleep(0)
    for number in range(20):
        theus.signals.publish("n", number)
    assert sorted(await asyncio.gather(*takers)) == list(range(20))


@on_loop
async def test_values_that_never_run_out_leave_the_loop_running(theus: Session) -> None:
    heard = theus.signals.subscribe("n")
    ran = asyncio.Event()
    asyncio.get_running_loop().call_soon(ran.set)
    theus.signals.publish("n", 0)
    async with asyncio.timeout(PATIENCE):
        async for _ in heard:
            if ran.is_set():
                break
            theus.signals.publish("n", 0)


def test_history_comes_first_over_all_topics_in_order() -> None:
    signals = hub()
    for number in range(6):
        signals.publish(f"n.t{number % 2}", number)
    heard = signals.subscribe("n.*", history=4)
    signals.publish("n.t0", 6)
    signals.close()
    assert list(heard) == [2, 3, 4, 5, 6]


def test_history_is_bounded_and_can_be_switched_off() -> None:
    signals = hub()
    signals.history = 2
    for number in range(5):
        signals.publish("n", number)
    assert signals.subscribe("n", history=9).pending == 2
    signals.history = 0
    signals.publish("n", 5)
    assert signals.subscribe("n", history=9).pending == 0


class Held:
    """Something that can be seen to go."""


def test_a_subscription_that_nobody_holds_lets_go_of_its_values() -> None:
    signals = hub()
    signals.history = 0
    heard = signals.subscribe("n")
    value = Held()
    gone = weakref.ref(value)
    signals.publish("n", value)
    del value
    assert gone() is not None
    del heard
    assert gone() is None
    assert signals.publish("n", 1) == 0


def test_a_value_may_publish_when_it_goes() -> None:
    signals = hub()
    signals.history = 0
    heard = signals.subscribe("n", maxsize=1, lag="skip")

    class Last:
        def __del__(self) -> None:
            signals.publish("n", "last words")

    signals.publish("n", Last())
    signals.publish("n", 1)
    assert heard.get() == "last words"


def test_a_circle_through_the_hub_is_collected() -> None:
    signals = hub()
    value = Held()
    value.hub = signals  # type: ignore[attr-defined]
    signals.publish("n", value)
    gone = weakref.ref(value)
    del value, signals
    gc.collect()
    assert gone() is None


@pytest.mark.parametrize("patience", ["1", float("nan"), True])
def test_a_wait_that_is_no_time_is_refused(patience: float) -> None:
    with pytest.raises(ContractError, match="timeout is a number of seconds or None, not"):
        hub().subscribe("prices").get(patience)


def test_a_thread_may_wait_for_longer_than_the_system_takes() -> None:
    signals = hub()
    heard = signals.subscribe("prices")
    alarm = threading.Timer(0.05, lambda: signals.publish("prices", 1))
    alarm.start()
    assert heard.get(timeout=1e300) == 1
    alarm.join()
