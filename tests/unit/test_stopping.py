"""Bodies in worker threads: what stops them, what does not, and what is left afterwards."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest

from tests.unit.support import PATIENCE, Gate, Signal
from theus_nb.decorator import process
from theus_nb.errors import AbandonedThreadsError, ContractError, RunCancelledError
from theus_nb.session import Session

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from theus_nb.context import Context


pytestmark = pytest.mark.usefixtures("tidy")


def with_session(**options: Any) -> Callable[..., Callable[[], None]]:  # noqa: ANN401 - of Session
    """Turn ``async def test(theus)`` into a plain test with a session of its own."""

    def decorate(test: Callable[[Session], Awaitable[None]]) -> Callable[[], None]:
        def plain_test() -> None:
            async def main() -> None:
                async with Session(**options) as theus:
                    await test(theus)

            asyncio.run(main())

        plain_test.__name__ = test.__name__
        return plain_test

    return decorate


patient = with_session(grace=PATIENCE)
"""Whoever can be stopped is stopped long before the grace is over; giving up would be a failure."""


@process
def spin(_ctx: Context, started: Signal) -> None:
    started.set()
    while True:
        pass


@process
def hold(_ctx: Context, gate: Gate) -> None:
    gate.hold()


@patient
async def test_pure_python_stops(theus: Session) -> None:
    started = Signal()
    run = theus.start(spin, started)
    await started.wait()
    assert run.cancel("enough")
    with pytest.raises(RunCancelledError, match="enough"):
        await run
    assert run.status == "cancelled"


@patient
async def test_a_cancelled_task_stops_the_thread_it_awaits(theus: Session) -> None:
    started = Signal()
    task = asyncio.create_task(theus.run(spin, started))
    await started.wait()
    task.cancel("the task's own")
    with pytest.raises(asyncio.CancelledError, match="the task's own"):
        await task
    assert [record.status for record in theus.runs] == ["cancelled"]


@patient
async def test_a_thread_that_looks_stops_by_itself(theus: Session) -> None:
    arrived = Signal()

    @process
    def polite(ctx: Context) -> None:
        arrived.set()
        while not ctx.cancelled:
            time.sleep(0.001)
        ctx.check_cancelled()

    run = theus.start(polite)
    await arrived.wait()
    run.cancel("please")
    with pytest.raises(RunCancelledError, match="please"):
        await run  # it looks, or is stopped: whichever is first
    assert run.status == "cancelled"


@patient
async def test_cleaning_up_is_not_disturbed(theus: Session) -> None:
    started, steps = Signal(), list[str]()

    @process
    def tidy(_ctx: Context) -> None:
        try:
            started.set()
            while True:
                pass
        except asyncio.CancelledError:
            for _ in range(100_000):
                pass
            steps.append("cleaned")
            raise

    run = theus.start(tidy)
    await started.wait()
    run.cancel()
    with pytest.raises(RunCancelledError):
        await run
    assert steps == ["cleaned"]


@patient
async def test_a_body_may_swallow_the_request_and_finish(theus: Session) -> None:
    started = Signal()

    @process
    def stubborn(_ctx: Context) -> str:
        with contextlib.suppress(asyncio.CancelledError):
            started.set()
            while True:
                pass
        return "finished all the same"

    run = theus.start(stubborn)
    await started.wait()
    run.cancel()
    assert await run == "finished all the same"
    assert run.status == "finished"


@with_session(workers=1, grace=PATIENCE)
async def test_the_lane_lives_on(theus: Session) -> None:
    """The exception is delivered in the body, or not at all: never to the next run."""

    @process
    def number(_ctx: Context, value: int) -> int:
        return value

    for value in range(200):
        started = Signal()
        run, following = theus.start(spin, started), theus.start(number, value)
        await started.wait()
        run.cancel()
        assert await following == value
        with pytest.raises(RunCancelledError):
            await run
    assert {record.lane for record in theus.runs} == {"worker"}


@with_session(workers=1, grace=PATIENCE)
async def test_runs_that_are_ending_lose_nothing_either(theus: Session) -> None:
    """Cancelled at any instant, a short run has finished or was cancelled, and the next is well."""

    @process
    def short(_ctx: Context) -> int:
        return sum(range(50))

    outcomes = set()
    for _ in range(500):
        run = theus.start(short)
        cancel = threading.Thread(target=run.cancel)
        cancel.start()
        await asyncio.wait([run])  # type: ignore[type-var]  # all but its class
        cancel.join(PATIENCE)
        outcomes.add(run.status)
        assert await theus.run(short) == 1225
    assert outcomes <= {"finished", "cancelled"}


@patient
async def test_logging_and_imports_are_left_alone(theus: Session) -> None:
    """The lock of a handler is released by whoever took it: others can still log."""
    inside, go_on = Signal(), Signal()

    class Slow(logging.Handler):
        def emit(self, _record: logging.LogRecord) -> None:
            inside.set()
            go_on.block()

    logger = logging.getLogger("theus_nb.tests.stopping")
    logger.propagate = False
    handler = Slow()
    logger.addHandler(handler)
    reached = list[str]()

    @process
    def chatty(_ctx: Context) -> None:
        logger.warning("on its way")
        reached.append("after the call")
        while True:
            pass

    try:
        run = theus.start(chatty)
        await inside.wait()
        run.cancel()
        assert run.status == "running"
        go_on.set()
        with pytest.raises(RunCancelledError):
            await run
        assert run.status == "cancelled"
        assert handler.lock is not None
        assert handler.lock.acquire(timeout=PATIENCE)
        handler.lock.release()
    finally:
        logger.removeHandler(handler)


@patient
async def test_a_run_inside_another_is_stopped_with_it(theus: Session) -> None:
    started, seen = Signal(), list[str]()

    @process
    def outer(_ctx: Context) -> None:
        try:
            theus.run_sync(spin, started)
        except BaseException as error:
            seen.append(type(error).__name__)
            raise

    run = theus.start(outer)
    await started.wait()
    run.cancel()
    with pytest.raises(RunCancelledError):
        await run
    assert seen == ["CancelledError"]  # not an error that a body would handle
    assert [record.status for record in theus.runs] == ["cancelled", "cancelled"]


@patient
async def test_the_inner_run_alone(theus: Session) -> None:
    started = Signal()

    @process
    def outer(_ctx: Context) -> str:
        with pytest.raises(RunCancelledError):
            theus.run_sync(spin, started)
        return "goes on"

    run = theus.start(outer)
    await started.wait()
    inner = next(r for r in theus.runs.unfinished() if r.name == "spin")
    inner.cancel()
    assert await run == "goes on"


@patient
async def test_a_thread_that_waits_for_an_async_run_stops(theus: Session) -> None:
    gate = Gate()

    @process
    async def inner(_ctx: Context) -> None:
        await gate.wait()

    @process
    def outer(_ctx: Context) -> None:
        theus.run_sync(inner)

    run = theus.start(outer)
    await gate.reached()
    run.cancel()
    with pytest.raises(RunCancelledError):
        await run
    assert sorted(record.status for record in theus.runs) == ["cancelled", "cancelled"]


@with_session(workers=1, grace=0.0)
async def test_a_thread_in_c_code_is_given_up_and_replaced(theus: Session) -> None:
    gate = Gate()
    run = theus.start(hold, gate)
    await gate.reached()
    run.cancel("too slow")
    with pytest.raises(RunCancelledError, match="did not stop and goes on"):
        await run
    assert run.status == "abandoned"

    @process
    def after(_ctx: Context) -> str:
        return "here"

    assert await theus.run(after) == "here"
    gate.open()


@with_session(workers=1, grace=0.0)
async def test_too_many_given_up_threads(theus: Session) -> None:
    gates = [Gate() for _ in range(4)]
    for gate in gates:
        run = theus.start(hold, gate)
        await gate.reached()
        run.cancel()
        await asyncio.wait([run])  # type: ignore[type-var]  # all but its class
    with pytest.raises(AbandonedThreadsError, match=r"r1 of 'hold'.*r4 of 'hold'"):
        theus.start(hold, Gate())
    gates[0].open()

    async def accepted() -> None:
        gate = Gate()
        gate.open()
        while True:
            with contextlib.suppress(AbandonedThreadsError):
                await theus.run(hold, gate)
                return
            await asyncio.sleep(0)

    async with asyncio.timeout(PATIENCE):
        await accepted()
    for gate in gates:
        gate.open()


def test_closing_stops_threads() -> None:
    async def main() -> None:
        started, stopped = Signal(), Signal()

        @process
        def spin_and_tell(_ctx: Context) -> None:
            try:
                started.set()
                while True:
                    pass
            finally:
                stopped.set()

        theus = Session(grace=PATIENCE)
        run = theus.start(spin_and_tell)
        await started.wait()
        await theus.aclose()
        assert stopped.is_set()
        assert run.status == "cancelled"

    asyncio.run(main())


@pytest.mark.parametrize("grace", [-1, "2", None, True, float("nan")])
def test_a_grace_that_makes_no_sense(grace: Any) -> None:  # noqa: ANN401 - that is the point
    with pytest.raises(ContractError, match="grace is a number of seconds"):
        Session(grace=grace)
