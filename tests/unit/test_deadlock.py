"""Awaiting what waits for oneself is refused at once; a full pool never deadlocks."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from tests.unit.support import Gate, on_loop
from theus_nb.decorator import process
from theus_nb.errors import DeadlockError
from theus_nb.run import Run
from theus_nb.session import Session

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from theus_nb.context import Context


@process(inputs=["domain.raw"], outputs=["domain.result"])
def reader(ctx: Context) -> object:
    return ctx["domain.raw"]


@process(inputs=["domain.result"])
def reader_of_reader(ctx: Context) -> object:
    return ctx["domain.result"]


async def by_await(run: Run) -> object:
    return await run


async def by_gather(run: Run) -> object:
    return await asyncio.gather(run)


async def by_shield(run: Run) -> object:
    return await asyncio.shield(run)


async def by_wait_for(run: Run) -> object:
    return await asyncio.wait_for(run, 20)


async def by_wait(run: Run) -> object:
    return await asyncio.wait([run])  # type: ignore[type-var]  # all but its class


async def by_task(run: Run) -> object:
    return await asyncio.create_task(by_await(run))


@pytest.mark.parametrize("how", [by_await, by_gather, by_shield, by_wait_for, by_wait, by_task])
@pytest.mark.parametrize("distance", [1, 2])
def test_awaiting_a_run_that_waits_for_the_awaiter(
    how: Callable[[Run], Awaitable[object]], distance: int
) -> None:
    @on_loop
    async def check(theus: Session) -> None:
        gate, waiting = Gate(), list[Run]()

        @process(outputs=["domain.raw"])
        async def writer(_ctx: Context) -> str:
            await gate.wait()
            with pytest.raises(DeadlockError) as caught:
                await how(waiting[-1])
            message = str(caught.value)
            names = ["'writer'", "'reader'", "'reader_of_reader'"][: distance + 1]
            for name in names:
                assert name in message
            return "written"

        first = theus.start(writer)
        waiting.append(theus.start(reader))
        if distance == 2:
            waiting.append(theus.start(reader_of_reader))
        gate.open()
        assert await first is not None
        assert [await run for run in waiting] == ["written"] * distance

    check()


@on_loop
async def test_the_circle_is_refused_from_a_thread_too(theus: Session) -> None:
    gate, waiting = Gate(), list[Run]()

    @process(outputs=["domain.raw"])
    def writer(_ctx: Context) -> str:
        gate.block()
        with pytest.raises(DeadlockError, match="'reader'"):
            theus.run_sync(wait_for_it)
        return "written"

    @process
    async def wait_for_it(_ctx: Context) -> object:
        return await waiting[0]

    first = theus.start(writer)
    waiting.append(theus.start(reader))
    gate.open()
    await first
    assert await waiting[0] == "written"


@on_loop
async def test_two_runs_that_await_each_other(theus: Session) -> None:
    gate, runs = Gate(), list[Run]()

    @process
    async def one(_ctx: Context) -> object:
        await gate.wait()
        return await runs[1]

    @process
    async def other(_ctx: Context) -> object:
        await gate.wait()
        return await runs[0]

    runs += [theus.start(one), theus.start(other)]
    gate.open()
    await asyncio.wait(runs)  # type: ignore[type-var]  # all but its class
    errors = [run.exception() for run in runs]
    assert any(isinstance(error, DeadlockError) for error in errors)
    assert all("'one'" in str(error) and "'other'" in str(error) for error in errors)


@on_loop
async def test_a_run_that_awaits_itself(theus: Session) -> None:
    runs: list[Run] = []

    @process
    async def narcissus(_ctx: Context) -> None:
        with pytest.raises(DeadlockError, match="'narcissus'"):
            await runs[0]

    runs.append(theus.start(narcissus))
    await asyncio.sleep(0)
    await asyncio.wait(runs)  # type: ignore[type-var]  # all but its class
    assert runs[0].exception() is None


@on_loop
async def test_an_awaited_run_that_comes_to_wait_for_the_awaiter(theus: Session) -> None:
    """The circle may close the other way round: the wait is there first, the order later."""
    ready, awaited, runs = asyncio.Event(), asyncio.Event(), list[Run]()

    @process(outputs=["domain.raw"])
    async def writer(_ctx: Context) -> object:
        await ready.wait()
        awaited.set()
        return await runs[1]  # in the same step: `idle` goes on after this

    @process
    async def idle(_ctx: Context) -> str:
        await awaited.wait()
        with pytest.raises(DeadlockError) as caught:
            await theus.run(reader)
        for name in ("'writer'", "'idle'", "'reader'"):
            assert name in str(caught.value)
        return "refused"

    runs += [theus.start(writer), theus.start(idle)]
    ready.set()
    assert await asyncio.gather(*runs) == ["refused", "refused"]
    assert theus.state["domain.raw"] == "refused"


@on_loop
async def test_a_wait_that_was_given_up_is_no_edge(theus: Session) -> None:
    gates, runs = [Gate(), Gate()], list[Run]()

    @process
    async def impatient(_ctx: Context) -> str:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01):
                await asyncio.shield(runs[1])
        gates[1].open()
        await gates[0].wait()
        return "patient"

    @process
    async def other(_ctx: Context) -> object:
        await gates[1].wait()
        return await runs[0]

    runs += [theus.start(impatient), theus.start(other)]
    await gates[0].reached()
    gates[0].open()
    assert await asyncio.gather(*runs) == ["patient", "patient"]


def test_a_full_pool_never_deadlocks() -> None:
    async def main() -> None:
        async with Session(workers=1) as theus:

            @process
            def leaf(_ctx: Context, number: int) -> int:
                return number

            @process
            async def hop(_ctx: Context, number: int) -> object:
                return await theus.run(nested, number - 1)

            @process
            def nested(_ctx: Context, number: int) -> object:
                return theus.run_sync(hop if number else leaf, number)

            assert await theus.run(nested, 6) == 0
            assert await asyncio.gather(*(theus.run(nested, 2) for _ in range(6))) == [0] * 6

    asyncio.run(main())


def test_a_lane_that_waits_for_a_producer_is_replaced() -> None:
    """The only worker starts a child that waits for a run which needs a worker itself."""

    async def main() -> None:
        async with Session(workers=1) as theus:
            gate = Gate()

            @process(outputs=["domain.raw"])
            def writer(_ctx: Context) -> str:
                return "written"

            @process(inputs=["domain.gate"], outputs=["domain.raw"])
            def late_writer(_ctx: Context) -> str:
                return "written late"

            @process(outputs=["domain.gate"])
            async def opener(_ctx: Context) -> str:
                await gate.wait()
                return "open"

            @process
            def parent(_ctx: Context) -> object:
                gate.open()
                return theus.run_sync(reader)

            await theus.run(writer)
            runs = [theus.start(opener), theus.start(late_writer), theus.start(parent)]
            assert (await asyncio.gather(*runs))[2] == "written late"

    asyncio.run(main())
