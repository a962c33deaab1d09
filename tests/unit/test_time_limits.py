"""Time limits: what ends when its time is up, and what is said of it."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

import pytest

from tests.unit.support import PATIENCE, Gate
from tests.unit.test_attempts import both
from tests.unit.test_stopping import patient, with_session
from theus_nb.decorator import process
from theus_nb.errors import RunTimeoutError, UpstreamError

if TYPE_CHECKING:
    from theus_nb.context import Context
    from theus_nb.session import Session


pytestmark = pytest.mark.usefixtures("tidy")


@patient
async def test_time_is_up_in_a_thread(theus: Session) -> None:
    @process(outputs=["domain.raw"], timeout=0.02)
    def endless(ctx: Context) -> None:
        ctx["domain.raw"] = "half done"
        while True:
            pass

    with pytest.raises(RunTimeoutError, match=r"'endless' took longer than its timeout of 0.02 s"):
        await theus.run(endless)
    assert theus.runs[-1].status == "failed"

    @process(inputs=["domain.raw"])
    def read(_ctx: Context) -> None: ...

    with pytest.raises(UpstreamError, match="RunTimeoutError"):
        await theus.run(read)


@patient
async def test_time_is_up_on_the_loop(theus: Session) -> None:
    cleaned = list[str]()

    @process(timeout=0.02)
    async def endless(_ctx: Context) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            cleaned.append("up")

    with pytest.raises(RunTimeoutError) as caught:
        await theus.run(endless)
    assert isinstance(caught.value, TimeoutError)
    assert cleaned == ["up"]
    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0


@with_session(grace=0.02)
async def test_time_is_up_in_c_code(theus: Session) -> None:
    gate = Gate()

    @process(timeout=0.02)
    def blocked(_ctx: Context) -> None:
        gate.hold()

    run = theus.start(blocked)
    with pytest.raises(RunTimeoutError, match="what it wrote was dropped") as caught:
        await run
    assert run.status == "abandoned"
    (note,) = caught.value.__notes__
    assert note.startswith("its thread did not stop and goes on")
    gate.open()


@patient
async def test_a_body_that_looks_sees_that_its_time_is_up(theus: Session) -> None:
    seen = list[bool]()

    @process(timeout=0.02)
    def polite(ctx: Context) -> None:
        try:
            while True:
                ctx.check_cancelled()
        finally:
            seen.append(ctx.cancelled)

    with pytest.raises(RunTimeoutError):
        await theus.run(polite)
    assert seen == [True]


@patient
async def test_a_timeout_can_be_worth_another_attempt(theus: Session) -> None:
    calls = list[int]()

    def first_is_slow() -> bool:
        calls.append(1)
        return len(calls) == 1

    @process(timeout=0.05, retries=1, retry_on=[TimeoutError])
    def in_worker(_ctx: Context) -> str:
        while first_is_slow():
            while True:
                pass
        return "second"

    @process(timeout=0.05, retries=1, retry_on=[TimeoutError])
    async def on_loop(_ctx: Context) -> str:
        if first_is_slow():
            await asyncio.Event().wait()
        return "second"

    for definition in (in_worker, on_loop):
        calls.clear()
        assert await theus.run(definition) == "second"
        assert [r.status for r in theus.runs][-2:] == ["retried", "finished"]


@patient
async def test_waiting_does_not_count(theus: Session) -> None:
    gate = Gate()

    @process(outputs=["domain.raw"])
    async def slow(_ctx: Context) -> int:
        await gate.wait()
        return 1

    def body(ctx: Context) -> object:
        return ctx["domain.raw"]

    theus.start(slow)
    runs = [theus.start(p) for p in both(body, inputs=["domain.raw"], timeout=0.05)]
    await gate.reached()
    await asyncio.sleep(0.1)  # longer than the limit, which must not have begun
    gate.open()
    assert [await run for run in runs] == [1, 1]


@patient
async def test_a_bodys_own_timeout_stays_its_own(theus: Session) -> None:
    @process(timeout=PATIENCE)
    async def impatient(_ctx: Context) -> None:
        async with asyncio.timeout(0):
            await asyncio.Event().wait()

    with pytest.raises(TimeoutError) as caught:
        await theus.run(impatient)
    assert not isinstance(caught.value, RunTimeoutError)


@patient
async def test_the_thread_is_usable_after_a_timeout(theus: Session) -> None:
    @process(timeout=0.001)
    def short(_ctx: Context) -> int:
        return sum(range(2_000))

    for _ in range(200):
        run = theus.start(short)
        await asyncio.wait([run])  # type: ignore[type-var]  # all but its class
        assert run.status in {"finished", "failed"}
        if run.status == "failed":
            assert isinstance(run.exception(), RunTimeoutError)


@patient
async def test_a_body_that_swallows_the_news_is_late_all_the_same(theus: Session) -> None:
    @process(outputs=["domain.raw"], timeout=0.02)
    def thread(_ctx: Context) -> int:
        try:
            while True:
                pass
        except asyncio.CancelledError:
            return 1

    @process(outputs=["domain.raw"], timeout=0.02)
    async def coroutine(_ctx: Context) -> int:
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.Event().wait()
        return 1

    for late in (thread, coroutine):
        with pytest.raises(RunTimeoutError):
            await theus.run(late)
        assert theus.runs[-1].status == "failed"
    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0
