"""Children: runs started inside a run take their parent's place in the order."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from tests.unit.support import Gate, on_loop
from theus_nb.decorator import process
from theus_nb.errors import MissingInputError, UpstreamError

if TYPE_CHECKING:
    from theus_nb.context import Context
    from theus_nb.process import Process
    from theus_nb.session import Session


@process(outputs=["domain.part"])
def write_part(_ctx: Context, value: object) -> object:
    return value


@process(outputs=["domain.part"])
async def write_part_async(_ctx: Context, value: object) -> object:
    return value


@process(inputs=["domain.part"])
def read_part(ctx: Context) -> object:
    return ctx["domain.part"]


@process(inputs=["domain.part?"])
async def read_part_or_none(ctx: Context) -> object:
    return ctx["domain.part"]


@process(outputs=["domain.part"])
def fail_part(_ctx: Context) -> None:
    raise KeyError("boom")


@pytest.mark.parametrize("child", [write_part, write_part_async], ids=["sync", "async"])
def test_a_child_s_commit_is_visible_to_its_parent(child: Process) -> None:
    @on_loop
    async def check(theus: Session) -> None:
        seen: list[object] = []

        @process(inputs=["domain.part"], outputs=["domain.part?"])
        async def parent(ctx: Context) -> None:
            seen.append(ctx["domain.part"])
            await theus.run(child, "first")
            seen.append(ctx["domain.part"])
            await theus.start(child, "second")
            seen.append(ctx["domain.part"])

        @process(inputs=["domain.part"], outputs=["domain.part?"])
        def parent_in_thread(ctx: Context) -> None:
            seen.append(ctx["domain.part"])
            theus.run_sync(child, "first")
            seen.append(ctx["domain.part"])
            theus.run_sync(child, "second")
            seen.append(ctx["domain.part"])

        for definition in (parent, parent_in_thread):
            theus.state["domain.part"] = "old"
            seen.clear()
            await theus.run(definition)
            assert seen == ["old", "first", "second"]
            assert theus.state["domain.part"] == "second"

    check()


@on_loop
async def test_children_s_commits_stay_though_the_parent_fails(theus: Session) -> None:
    @process(outputs=["domain.part?", "domain.whole?"])
    async def parent(ctx: Context) -> None:
        ctx["domain.whole"] = "never seen"
        await theus.run(write_part, "kept")
        raise KeyError("boom")

    with pytest.raises(KeyError):
        await theus.run(parent)
    assert theus.state["domain.part"] == "kept"
    assert "domain.whole" not in theus.state


@on_loop
async def test_a_child_does_not_see_what_its_parent_has_not_committed(theus: Session) -> None:
    @process(outputs=["domain.part"])
    async def parent(ctx: Context) -> None:
        ctx["domain.part"] = "first"
        assert await theus.run(read_part_or_none) is None
        await ctx.commit()
        assert await theus.run(read_part) == "first"
        ctx["domain.part"] = "second"
        assert await theus.run(read_part) == "first"

    await theus.run(parent)
    assert theus.state["domain.part"] == "second"


@on_loop
async def test_a_child_sees_what_its_parent_could_see(theus: Session) -> None:
    gate = Gate()

    @process(inputs=["domain.part"])
    async def parent(ctx: Context) -> tuple[object, object]:
        await gate.wait()
        return ctx["domain.part"], await theus.run(read_part)

    await theus.run(write_part, "old")
    run = theus.start(parent)
    await gate.reached()
    await theus.run(write_part, "new")
    gate.open()
    assert await run == ("old", "old")
    assert await theus.run(read_part) == "new"


@on_loop
async def test_children_are_ordered_among_themselves(theus: Session) -> None:
    gate = Gate()

    @process(outputs=["domain.part"])
    async def slow(_ctx: Context, value: object) -> object:
        await gate.wait()
        return value

    @process(outputs=["domain.part?"])
    async def parent(_ctx: Context) -> None:
        first = theus.start(slow, "slow"), theus.start(read_part)
        second = theus.start(write_part, "fast"), theus.start(read_part)
        assert await second[1] == "fast"
        assert first[1].status == "waiting"
        gate.open()
        assert await asyncio.gather(*first, *second) == ["slow", "slow", "fast", "fast"]  # type: ignore[comparison-overlap]

    await theus.run(parent)
    assert theus.state["domain.part"] == "fast"


@on_loop
async def test_a_parent_sees_its_children_in_their_order_and_not_in_that_of_the_clock(
    theus: Session,
) -> None:
    gate = Gate()

    @process(outputs=["domain.part"])
    async def slow(_ctx: Context) -> str:
        await gate.wait()
        return "earlier"

    @process(inputs=["domain.part?"], outputs=["domain.part?"])
    async def parent(ctx: Context) -> None:
        first, second = theus.start(slow), theus.start(write_part, "later")
        await second
        assert ctx["domain.part"] == "later"
        gate.open()
        await first
        assert ctx["domain.part"] == "later"

    await theus.run(parent)
    assert theus.state["domain.part"] == "later"


@on_loop
async def test_the_parent_commits_after_its_children(theus: Session) -> None:
    @process(outputs=["domain.part"])
    async def parent(ctx: Context) -> None:
        ctx["domain.part"] = "parent's"
        await theus.run(write_part, "child's")

    await theus.run(parent)
    assert theus.state["domain.part"] == "parent's"


@on_loop
async def test_a_later_run_waits_for_the_parent_and_not_only_for_the_child(theus: Session) -> None:
    gate = Gate()

    @process(outputs=["domain.part?"])
    async def parent(_ctx: Context) -> None:
        await theus.run(write_part, "child's")
        await gate.wait()

    running = theus.start(parent)
    reader = theus.start(read_part)
    await gate.reached()
    assert reader.status == "waiting"
    gate.open()
    assert await reader == "child's"
    await running


@on_loop
async def test_a_failing_child_is_an_exception_in_the_parent(theus: Session) -> None:
    @process(outputs=["domain.part?"])
    async def parent(_ctx: Context) -> None:
        with pytest.raises(KeyError):
            await theus.run(fail_part)
        with pytest.raises(UpstreamError):
            await theus.run(read_part)
        await theus.run(write_part, "again")
        assert await theus.run(read_part) == "again"

    await theus.run(parent)
    assert theus.state["domain.part"] == "again"


@on_loop
async def test_what_a_child_left_failed_is_failed_for_those_who_follow(theus: Session) -> None:
    @process(outputs=["domain.part?"])
    async def parent(_ctx: Context) -> str | None:
        with pytest.raises(KeyError):
            await theus.run(fail_part)
        return None

    await theus.run(write_part, "old")
    await theus.run(parent)
    with pytest.raises(UpstreamError, match=r"domain\.part"):
        await theus.run(read_part)


@on_loop
async def test_grandchildren(theus: Session) -> None:
    @process(outputs=["domain.part"])
    def child(_ctx: Context) -> str:
        theus.run_sync(write_part, "grandchild's")
        return str(theus.run_sync(read_part)) + ", child's"

    @process(outputs=["domain.part"])
    async def parent(_ctx: Context) -> str:
        await theus.run(child)
        return str(await theus.run(read_part)) + ", parent's"

    await theus.run(parent)
    assert theus.state["domain.part"] == "grandchild's, child's, parent's"


@on_loop
async def test_ten_children_increment_in_a_row(theus: Session) -> None:
    @process(inputs=["domain.count"], outputs=["domain.count"])
    def increment(ctx: Context) -> int:
        return int(ctx["domain.count"]) + 1

    @process(inputs=["domain.count"], outputs=["domain.count?"])
    async def parent(_ctx: Context) -> None:
        await asyncio.gather(*(theus.run(increment) for _ in range(10)))

    theus.state["domain.count"] = 0
    await asyncio.gather(theus.run(parent), theus.run(increment), theus.run(parent))
    assert theus.state["domain.count"] == 21


@on_loop
async def test_a_child_that_lacks_an_input(theus: Session) -> None:
    @process(inputs=["domain.part?"])
    async def parent(_ctx: Context) -> str:
        with pytest.raises(MissingInputError, match=r"domain\.part"):
            await theus.run(read_part)
        return "survived"

    assert await theus.run(parent) == "survived"


@on_loop
async def test_who_awaits_a_child_in_a_worker_sees_what_it_committed(theus: Session) -> None:
    """Every time: nobody hears of the end before the parent knows what was committed."""

    @process(inputs=["domain.n?"], outputs=["domain.n"])
    def step(_ctx: Context, number: int) -> int:
        return number

    @process(inputs=["domain.n?"], outputs=["domain.n"])
    async def parent(ctx: Context) -> None:
        for number in range(300):
            await theus.run(step, number)
            assert ctx["domain.n"] == number

    await theus.run(parent)
