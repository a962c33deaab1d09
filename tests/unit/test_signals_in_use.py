"""Signals as processes, callbacks and threads meet them."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from typing import TYPE_CHECKING, Any

import pytest

from tests.unit.support import PATIENCE, Signal, on_loop
from tests.unit.thread_support import hub, in_thread, joined
from theus_nb import process
from theus_nb.errors import (
    ContractError,
    RunCancelledError,
    RunTimeoutError,
    SessionError,
    UndeclaredSideEffectError,
)
from theus_nb.session import Session
from theus_nb.signals import Signals, Subscription

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from theus_nb import Context


@on_loop
async def test_callbacks_run_on_the_loop_one_after_another(theus: Session) -> None:
    loop_thread, seen, done = threading.get_ident(), [], asyncio.Event()

    async def slow(value: int) -> None:
        await asyncio.sleep(0)
        seen.append((value, threading.get_ident()))
        if value == 9:
            done.set()

    theus.signals.subscribe("n", slow)
    thread = in_thread(lambda: [theus.signals.publish("n", n) for n in range(10)])
    async with asyncio.timeout(PATIENCE):
        await done.wait()
    joined(thread)
    assert seen == [(n, loop_thread) for n in range(10)]


def test_a_failing_callback_is_reported_and_goes_on() -> None:
    async def main() -> None:
        problems: list[Any] = []
        asyncio.get_running_loop().set_exception_handler(lambda _, what: problems.append(what))
        async with Session() as theus:
            seen: list[int] = []

            def hears(value: int) -> None:
                seen.append(value)
                if value == 0:
                    raise LookupError
                theus.signals.close()

            theus.signals.subscribe("n", hears)
            theus.signals.publish("n", 0)
            theus.signals.publish("n", 1)
            await asyncio.wait(theus.signals._pumps, timeout=PATIENCE)
        assert seen == [0, 1]
        assert [type(what["exception"]) for what in problems] == [LookupError]

    asyncio.run(main())


def test_a_callback_needs_a_loop() -> None:
    with pytest.raises(SessionError, match="no event loop"):
        hub().subscribe("n", print)


@on_loop
async def test_a_callback_from_a_thread_is_called_on_the_sessions_loop(theus: Session) -> None:
    heard = Signal()
    await asyncio.to_thread(theus.signals.subscribe, "n", lambda _: heard.set())
    theus.signals.publish("n", 1)
    await heard.wait()


@on_loop
async def test_for_on_a_loop_is_refused(theus: Session) -> None:
    with pytest.raises(SessionError, match="async for"):
        next(theus.signals.subscribe("n"))


@on_loop
async def test_a_process_declares_what_it_publishes(theus: Session) -> None:
    @process(side_effects=["signal:prices.*"])
    async def declared(_ctx: Context) -> int:
        return theus.signals.publish("prices.oil", 1)

    @process(side_effects=["net"])
    async def undeclared(_ctx: Context) -> None:
        theus.signals.publish("prices.oil", 1)

    heard = theus.signals.subscribe("prices.oil")
    assert await theus.run(declared) == 1
    with pytest.raises(UndeclaredSideEffectError) as caught:
        await theus.run(undeclared)
    assert "@process(side_effects=['net', 'signal:prices.oil'])" in str(caught.value)
    assert caught.value.process == "undeclared"
    assert heard.pending == 1


@on_loop
async def test_a_swallowed_violation_fails_the_run(theus: Session) -> None:
    @process
    def swallows(_ctx: Context) -> None:
        with contextlib.suppress(UndeclaredSideEffectError):
            theus.signals.publish("prices", 1)

    with pytest.raises(UndeclaredSideEffectError):
        await theus.run(swallows)


@on_loop
async def test_a_worker_that_waits_is_left_when_its_run_is_cancelled(theus: Session) -> None:
    heard, waits, left = theus.signals.subscribe("n"), Signal(), Signal()

    @process
    def listener(_ctx: Context) -> None:
        waits.set()
        try:
            heard.get()
        except RunCancelledError:
            left.set()
            raise

    run = theus.start(listener)
    await waits.wait()
    run.cancel()
    with pytest.raises(RunCancelledError):
        await run
    await left.wait()


class Watched(Subscription):
    """Tells when somebody has begun to wait for it."""

    waits: Signal

    def wait(self, waker: Callable[[], object]) -> bool:
        registered = super().wait(waker)
        self.waits.set()
        return registered


@pytest.mark.parametrize("timeout", [None, 0.05], ids=["cancelled", "out of time"])
def test_a_worker_that_waits_is_woken_at_once_to_be_stopped(
    monkeypatch: pytest.MonkeyPatch, timeout: float | None
) -> None:
    """By the request itself: not by the end of its run, nor by anybody who looks again."""
    monkeypatch.setattr("theus_nb.stopper._AGAIN", PATIENCE)
    ended_with: list[tuple[type[BaseException], bool]] = []

    @process(timeout=timeout)
    def listener(_ctx: Context, heard: Subscription, runs: list[Any]) -> None:
        try:
            heard.get()
        except BaseException as error:
            ended_with.append((type(error), runs[0].has_ended))
            raise

    async def main() -> None:
        async with Session(grace=PATIENCE) as theus:
            heard = Watched(theus.signals._hub, "n", 1, "raise", 0)
            heard.waits = Signal()
            runs: list[Any] = []
            runs.append(theus.start(listener, heard, runs))
            await heard.waits.wait()
            if timeout is None:
                assert runs[0].cancel()
            with pytest.raises(RunCancelledError if timeout is None else RunTimeoutError):
                await runs[0]
            assert runs[0].status == ("cancelled" if timeout is None else "failed")
            assert ended_with == [(RunCancelledError, False)]

    asyncio.run(main())


@on_loop
async def test_a_thread_iterates_until_the_session_closes(theus: Session) -> None:
    heard = theus.signals.subscribe("n")
    seen: list[int] = []
    thread = in_thread(lambda: seen.extend(heard))
    for number in range(5):
        theus.signals.publish("n", number)
    theus.signals.close()
    await asyncio.to_thread(joined, thread)
    assert seen == list(range(5))


@pytest.mark.parametrize("awaited", [False, True])
def test_a_callback_whose_work_was_cancelled_is_reported_and_goes_on(*, awaited: bool) -> None:
    told: list[dict[str, Any]] = []
    heard: list[int] = []

    async def main() -> None:
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _loop, context: told.append(context))
        done = loop.create_future()

        def hear(value: int) -> object:
            if value < 2:
                raise asyncio.CancelledError
            heard.append(value)
            done.set_result(None)
            return None

        async def hear_later(value: int) -> None:
            if value < 2:
                cancelled = loop.create_future()
                cancelled.cancel()
                await cancelled
            hear(value)

        async with Session(audit=False) as theus:
            subscription = theus.signals.subscribe("n", hear_later if awaited else hear)
            for value in range(3):
                theus.signals.publish("n", value)
            await asyncio.wait_for(done, PATIENCE)
            assert not subscription.closed

    asyncio.run(main())
    assert heard == [2]
    assert [type(context["exception"]) for context in told] == [asyncio.CancelledError] * 2


def test_what_makes_no_sense_is_refused_in_words() -> None:
    signals: Any = Signals(lambda: None)
    refused: list[Callable[[], object]] = [
        lambda: signals.publish(["a"], 1),
        lambda: signals.subscribe(["a"]),
        lambda: signals.subscribe({"a": 1}),
        lambda: signals.subscribe("a", history=1 << 70),
        lambda: signals.subscribe("a", maxsize=1 << 70),
        *(lambda n=n: setattr(signals, "history", n) for n in (-1, 1 << 70, "x", True)),
    ]
    for use in refused:
        with pytest.raises(ContractError):
            use()


def test_a_topic_that_is_too_long_to_be_recorded_reaches_nobody(tmp_path: Path) -> None:
    theus = Session(audit_dir=tmp_path)
    heard = theus.signals.subscribe("*")
    with pytest.raises(ContractError, match="a topic has at most 1000 characters"):
        theus.signals.publish("x" * (2 << 20), 1)
    assert heard.pending == 0
    theus.close()
