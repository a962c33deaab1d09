"""Long-lived processes publish with ``ctx.commit()``."""

from __future__ import annotations

import asyncio
import itertools
from typing import TYPE_CHECKING

import pytest

from tests.unit.support import Gate, on_loop
from theus_nb.decorator import process
from theus_nb.errors import RunCancelledError, RunEndedError, UndeclaredWriteError

if TYPE_CHECKING:
    from theus_nb.context import Context
    from theus_nb.process import Process
    from theus_nb.session import Session


@process(inputs=["domain.tick"])
def read(ctx: Context) -> object:
    return ctx["domain.tick"]


@process(outputs=["domain.tick"])
async def ticker(ctx: Context, gates: list[Gate]) -> None:
    for number, gate in enumerate(gates):
        await gate.wait()
        ctx["domain.tick"] = number
        await ctx.commit()


@process(outputs=["domain.tick"])
def ticker_in_thread(ctx: Context, gates: list[Gate]) -> None:
    for number, gate in enumerate(gates):
        gate.block()
        ctx["domain.tick"] = number
        ctx.commit()


@pytest.mark.parametrize("definition", [ticker, ticker_in_thread], ids=["async", "sync"])
def test_readers_wait_for_the_first_commit_only(definition: Process) -> None:
    @on_loop
    async def check(theus: Session) -> None:
        gates = [Gate() for _ in range(3)]
        running = theus.start(definition, gates)
        waiting = theus.start(read)
        await gates[0].reached()
        assert waiting.status == "waiting"
        gates[0].open()
        assert await waiting == 0
        assert running.status == "running"
        await gates[1].reached()
        assert await theus.run(read) == 0
        gates[1].open()
        await gates[2].reached()
        assert await theus.run(read) == 1
        assert theus.state["domain.tick"] == 1
        gates[2].open()
        await running
        assert await theus.run(read) == 2

    check()


@on_loop
async def test_published_values_have_rising_versions(theus: Session) -> None:
    gates = [Gate() for _ in range(3)]
    running = theus.start(ticker, gates)
    versions = []
    for before, after in itertools.pairwise(gates):
        before.open()
        await after.reached()
        versions.append(theus.state.version("domain.tick"))
    gates[-1].open()
    await running
    versions.append(theus.state.version("domain.tick"))
    assert versions == sorted(set(versions))


@on_loop
async def test_what_is_published_stays_when_the_run_is_cancelled(theus: Session) -> None:
    gates = [Gate(), Gate()]
    running = theus.start(ticker, gates)
    gates[0].open()
    await gates[1].reached()
    running.cancel()
    with pytest.raises(RunCancelledError):
        await running
    assert await theus.run(read) == 0


@on_loop
async def test_a_later_writer_is_not_overwritten_by_a_commit(theus: Session) -> None:
    gates = [Gate(), Gate()]
    running = theus.start(ticker, gates)
    theus.state["domain.tick"] = "later"
    for gate in gates:
        gate.open()
    await running
    assert theus.state["domain.tick"] == "later"


@on_loop
async def test_an_unpublished_output_still_fails(theus: Session) -> None:
    @process(outputs=["domain.tick", "domain.rest"])
    async def half(ctx: Context) -> None:
        ctx["domain.tick"] = "published"
        await ctx.commit()
        raise KeyError("boom")

    @process(inputs=["domain.rest"])
    def read_rest(ctx: Context) -> object:
        return ctx["domain.rest"]

    with pytest.raises(KeyError):
        await theus.run(half)
    assert await theus.run(read) == "published"
    with pytest.raises(RuntimeError, match=r"domain\.rest"):
        await theus.run(read_rest)


@on_loop
async def test_a_published_output_counts_as_written(theus: Session) -> None:
    @process(outputs=["domain.tick"])
    async def once(ctx: Context) -> None:
        ctx["domain.tick"] = "published"
        await ctx.commit()

    await theus.run(once)
    assert theus.state["domain.tick"] == "published"


@on_loop
async def test_the_run_reads_back_what_it_published(theus: Session) -> None:
    seen: list[object] = []

    @process(inputs=["domain.tick"], outputs=["domain.tick"])
    async def twice(ctx: Context) -> None:
        for _ in range(2):
            seen.append(ctx["domain.tick"])
            ctx["domain.tick"] = int(ctx["domain.tick"]) + 1
            await ctx.commit()
        seen.append(ctx["domain.tick"])

    theus.state["domain.tick"] = 1
    await theus.run(twice)
    assert seen == [1, 2, 3]
    assert theus.state["domain.tick"] == 3


@on_loop
async def test_what_is_published_hides_what_a_child_had_written(theus: Session) -> None:
    seen: list[object] = []

    @process(outputs=["domain.tick"])
    def child(_ctx: Context, value: object) -> object:
        return value

    @process(inputs=["domain.tick?"], outputs=["domain.tick"])
    async def parent(ctx: Context) -> None:
        for value in ("first", "second"):
            await theus.run(child, f"{value} of the child")
            seen.append(ctx["domain.tick"])
            ctx["domain.tick"] = value
            await ctx.commit()
            seen.append(ctx["domain.tick"])

    await theus.run(parent)
    assert seen == ["first of the child", "first", "second of the child", "second"]
    assert theus.state["domain.tick"] == "second"


@on_loop
async def test_awaiting_the_commit_lets_others_run(theus: Session) -> None:
    steps: list[str] = []

    @process(outputs=["domain.tick"])
    async def busy(ctx: Context) -> None:
        for number in range(3):
            ctx["domain.tick"] = number
            await ctx.commit()
            steps.append("busy")

    async def other() -> None:
        for _ in range(3):
            steps.append("other")
            await asyncio.sleep(0)

    await asyncio.gather(theus.run(busy), other())
    assert "other" in steps[:2]


@on_loop
async def test_a_broken_contract_publishes_nothing(theus: Session) -> None:
    @process(outputs=["domain.tick"])
    async def sly(ctx: Context) -> None:
        ctx["domain.tick"] = 1
        with pytest.raises(UndeclaredWriteError):
            ctx["domain.secret"] = 1
        with pytest.raises(UndeclaredWriteError):
            await ctx.commit()

    with pytest.raises(UndeclaredWriteError):
        await theus.run(sly)
    assert "domain.tick" not in theus.state


@on_loop
async def test_commit_after_the_end(theus: Session) -> None:
    kept: list[Context] = []

    @process
    def keep(ctx: Context) -> None:
        kept.append(ctx)

    await theus.run(keep)
    with pytest.raises(RunEndedError, match="'keep'"):
        kept[0].commit()
