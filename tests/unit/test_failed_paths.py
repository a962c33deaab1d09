"""Failure is not a race: a failed path stays failed until it is written again or accepted."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from tests.unit.support import Gate, on_loop
from theus_nb.decorator import process
from theus_nb.errors import MissingInputError, RunCancelledError, UpstreamError

if TYPE_CHECKING:
    from theus_nb.context import Context
    from theus_nb.session import Session


@process(outputs=["domain.raw"])
async def fetch(_ctx: Context, gate: Gate | None = None, *, fail: bool = True) -> str:
    if gate:
        await gate.wait()
    if fail:
        raise KeyError("boom")
    return "data"


@process(outputs=["domain.raw"])
def produce(_ctx: Context) -> str:
    return "produced"


@process(inputs=["domain.raw"], outputs=["domain.result"])
def heavy(ctx: Context) -> object:
    return ctx["domain.raw"]


@process(inputs=["domain.result"])
async def show(ctx: Context) -> object:
    return ctx["domain.result"]


@process(inputs=["domain.raw?"])
def read_if_there(ctx: Context) -> object:
    return ctx["domain.raw"]


@on_loop
async def test_a_waiting_reader_ends_with_its_producer_s_failure(theus: Session) -> None:
    gate = Gate()
    producer, reader = theus.start(fetch, gate), theus.start(heavy)
    gate.open()
    with pytest.raises(KeyError):
        await producer
    with pytest.raises(UpstreamError) as caught:
        await reader
    assert caught.value.__cause__ is producer.exception()
    assert (caught.value.process, caught.value.path) == ("heavy", "domain.raw")
    assert reader.status == "failed"


@on_loop
async def test_a_reader_submitted_later_too(theus: Session) -> None:
    with pytest.raises(KeyError):
        await theus.run(fetch)
    for _ in range(2):
        with pytest.raises(UpstreamError) as caught:
            await theus.run(heavy)
        assert isinstance(caught.value.__cause__, KeyError)


@on_loop
async def test_the_message_names_both_ways_out(theus: Session) -> None:
    with pytest.raises(KeyError):
        await theus.run(fetch)
    with pytest.raises(UpstreamError) as caught:
        await theus.run(heavy)
    message = str(caught.value)
    for part in ("'heavy'", "domain.raw", "fetch", "KeyError"):
        assert part in message
    assert "%theus accept domain.raw" in message
    assert "again" in message


@on_loop
async def test_failure_is_handed_on(theus: Session) -> None:
    gate = Gate()
    runs = [theus.start(fetch, gate), theus.start(heavy), theus.start(show)]
    gate.open()
    await asyncio.wait(runs)  # type: ignore[type-var]  # all but its class
    first, second, third = (run.exception() for run in runs)
    assert isinstance(first, KeyError)
    assert isinstance(second, UpstreamError)
    assert isinstance(third, UpstreamError)
    assert third.path == "domain.result"
    causes, error = [], third.__cause__
    while error is not None:
        causes.append(error)
        error = error.__cause__
    assert causes[-1] is first


@on_loop
async def test_an_optional_input_is_not_excused(theus: Session) -> None:
    assert await theus.run(read_if_there) is None
    with pytest.raises(KeyError):
        await theus.run(fetch)
    with pytest.raises(UpstreamError, match=r"domain\.raw"):
        await theus.run(read_if_there)


@on_loop
async def test_writing_again_is_one_way_out(theus: Session) -> None:
    with pytest.raises(KeyError):
        await theus.run(fetch)
    await theus.run(fetch, fail=False)
    assert await theus.run(heavy) == "data"


@on_loop
async def test_a_retry_is_bound_by_those_submitted_after_it(theus: Session) -> None:
    gates = Gate(), Gate()
    first, early = theus.start(fetch, gates[0]), theus.start(heavy)
    theus.start(fetch, gates[1], fail=False)
    late = theus.start(heavy)
    gates[1].open()
    assert await late == "data"
    gates[0].open()
    with pytest.raises(KeyError):
        await first
    with pytest.raises(UpstreamError):
        await early
    assert theus.state["domain.raw"] == "data"
    assert theus.state["domain.result"] == "data"


@on_loop
async def test_writing_by_hand_is_the_same(theus: Session) -> None:
    with pytest.raises(KeyError):
        await theus.run(fetch)
    theus.state["domain.raw"] = "by hand"
    assert await theus.run(heavy) == "by hand"


@on_loop
async def test_accepting_is_the_other_way_out(theus: Session) -> None:
    await theus.run(produce)
    with pytest.raises(KeyError):
        await theus.run(fetch)
    with pytest.raises(UpstreamError, match=r"domain\.raw.*again.*accept") as caught:
        theus.state["domain.raw"]
    assert isinstance(caught.value.__cause__, KeyError)
    assert caught.value.path == "domain.raw"
    theus.state.accept("domain.raw")
    assert theus.state["domain.raw"] == "produced"
    assert await theus.run(heavy) == "produced"


@on_loop
async def test_accepting_what_was_never_written(theus: Session) -> None:
    with pytest.raises(KeyError):
        await theus.run(fetch)
    theus.state.accept("domain.raw")
    assert await theus.run(read_if_there) is None
    with pytest.raises(MissingInputError):
        await theus.run(heavy)


@on_loop
async def test_accepting_what_is_not_failed_says_so(theus: Session) -> None:
    await theus.run(produce)
    with pytest.raises(ValueError, match=r"domain\.raw"):
        theus.state.accept("domain.raw")


@on_loop
async def test_accepting_beneath_a_failed_branch_names_the_branch(theus: Session) -> None:
    @process(outputs=["domain.tree"])
    def grow(_ctx: Context) -> None:
        raise KeyError("boom")

    @process(inputs=["domain.tree.leaf?"])
    def look(ctx: Context) -> object:
        return ctx["domain.tree.leaf"]

    with pytest.raises(KeyError):
        await theus.run(grow)
    with pytest.raises(UpstreamError, match=r"%theus accept domain\.tree\b(?!\.)"):
        await theus.run(look)
    with pytest.raises(ValueError, match=r"domain\.tree\b(?!\.leaf)"):
        theus.state.accept("domain.tree.leaf")
    theus.state.accept("domain.tree")
    assert await theus.run(look) is None


@on_loop
async def test_accepting_a_branch_accepts_what_is_beneath(theus: Session) -> None:
    @process(outputs=["domain.tree.left", "domain.tree.right"])
    def grow(_ctx: Context) -> None:
        raise KeyError("boom")

    with pytest.raises(KeyError):
        await theus.run(grow)
    assert sorted(theus.state.accept("domain.tree")) == ["domain.tree.left", "domain.tree.right"]
    assert theus.state.failed() == {}


@on_loop
async def test_running_the_producer_of_a_branch_again_heals_it(theus: Session) -> None:
    @process(outputs=["domain.tree"])
    def grow(ctx: Context, *, fail: bool) -> None:
        if fail:
            raise KeyError("boom")
        ctx["domain.tree.leaf"] = 1

    @process(inputs=["domain.tree"])
    def look(ctx: Context) -> object:
        return ctx["domain.tree.leaf"]

    with pytest.raises(KeyError):
        await theus.run(grow, fail=True)
    with pytest.raises(UpstreamError):
        await theus.run(look)
    await theus.run(grow, fail=False)
    assert await theus.run(look) == 1


@on_loop
async def test_an_optional_output_is_not_failed(theus: Session) -> None:
    @process(outputs=["domain.raw?"])
    def perhaps(_ctx: Context) -> None:
        raise KeyError("boom")

    await theus.run(produce)
    with pytest.raises(KeyError):
        await theus.run(perhaps)
    assert await theus.run(heavy) == "produced"


@on_loop
async def test_a_run_that_lacks_an_input_fails_its_outputs(theus: Session) -> None:
    with pytest.raises(MissingInputError):
        await theus.run(heavy)
    with pytest.raises(UpstreamError) as caught:
        await theus.run(show)
    assert isinstance(caught.value.__cause__, MissingInputError)


@on_loop
async def test_a_cancelled_run_fails_its_outputs(theus: Session) -> None:
    gate = Gate()
    producer, reader = theus.start(fetch, gate), theus.start(heavy)
    await gate.reached()
    producer.cancel("not today")
    with pytest.raises(RunCancelledError):
        await producer
    with pytest.raises(UpstreamError) as caught:
        await reader
    assert isinstance(caught.value.__cause__, RunCancelledError)
    assert "not today" in str(caught.value.__cause__)


@on_loop
async def test_the_first_failed_input_in_declared_order_is_named(theus: Session) -> None:
    @process(outputs=["domain.a"])
    async def first(_ctx: Context, gate: Gate) -> None:
        await gate.wait()
        raise KeyError("a")

    @process(outputs=["domain.b"])
    def second(_ctx: Context) -> None:
        raise KeyError("b")

    @process(inputs=["domain.a", "domain.b"])
    def both(_ctx: Context) -> None:
        """Never runs."""

    gate = Gate()
    runs = [theus.start(first, gate), theus.start(second), theus.start(both)]
    await asyncio.wait([runs[1]])  # type: ignore[type-var]  # all but its class
    gate.open()
    await asyncio.wait(runs)  # type: ignore[type-var]  # all but its class
    errors = [run.exception() for run in runs]
    assert isinstance(errors[2], UpstreamError)
    assert errors[2].path == "domain.a"


@on_loop
async def test_what_was_published_stays_good(theus: Session) -> None:
    @process(outputs=["domain.raw"])
    async def live(ctx: Context) -> None:
        ctx["domain.raw"] = "published"
        await ctx.commit()
        raise KeyError("boom")

    with pytest.raises(KeyError):
        await theus.run(live)
    assert await theus.run(heavy) == "published"


@process(outputs=["domain.tree"])
async def grow(ctx: Context, gate: Gate | None = None, *, fail: bool) -> None:
    if gate:
        await gate.wait()
    if fail:
        raise KeyError("boom")
    ctx["domain.tree.leaf"] = "grown"


@process(inputs=["domain.raw", "domain.tree"])
def look(ctx: Context) -> object:
    return ctx["domain.tree.leaf"]


@on_loop
async def test_a_branch_is_healed_by_a_later_run_that_ended_earlier(theus: Session) -> None:
    gate = Gate()
    theus.state["domain.raw"] = 1
    slow = theus.start(grow, gate, fail=True)
    await theus.run(grow, fail=False)
    waiting = theus.start(look)
    gate.open()
    with pytest.raises(KeyError):
        await slow
    assert await waiting == "grown"
    assert await theus.run(look) == "grown"
    assert theus.state["domain.tree.leaf"] == "grown"
    assert theus.state.failed() == {}


@on_loop
async def test_a_reader_bound_to_the_failed_branch_is_not_healed_with_it(theus: Session) -> None:
    gate = Gate()
    theus.start(fetch, gate, fail=False)
    failing = theus.start(grow, fail=True)
    early = theus.start(look)  # waits for `fetch`, and is bound to what `failing` left
    await asyncio.wait([failing])  # type: ignore[type-var]  # all but its class
    assert isinstance(failing.exception(), KeyError)
    await theus.run(grow, fail=False)
    late = theus.start(look)
    gate.open()
    with pytest.raises(UpstreamError, match=r"domain\.tree"):
        await early
    assert await late == "grown"
