"""Order: reads bind at submission, and nothing waits that does not have to."""

from __future__ import annotations

import asyncio
import random
from typing import TYPE_CHECKING

import pytest

from tests.unit.support import Gate, on_loop
from theus_nb.decorator import process
from theus_nb.errors import MissingInputError

if TYPE_CHECKING:
    from theus_nb.context import Context
    from theus_nb.session import Session


@process(inputs=["domain.count"], outputs=["domain.count"])
def increment(ctx: Context) -> int:
    return int(ctx["domain.count"]) + 1


@process(inputs=["domain.count"], outputs=["domain.count"])
async def increment_async(ctx: Context) -> int:
    count = int(ctx["domain.count"])
    await asyncio.sleep(0)
    return count + 1


@process(outputs=["domain.raw"])
async def fetch(_ctx: Context, value: object = "data", gate: Gate | None = None) -> object:
    if gate:
        await gate.wait()
    return value


@process(outputs=["domain.raw"])
def produce(_ctx: Context, value: object, gate: Gate | None = None) -> object:
    if gate:
        gate.block()
    return value


@process(inputs=["domain.raw"], outputs=["domain.result"])
def heavy(ctx: Context) -> object:
    return f"result of {ctx.domain.raw}"


@process(inputs=["domain.raw"])
async def read(ctx: Context, gate: Gate | None = None) -> object:
    if gate:
        await gate.wait()
    return ctx["domain.raw"]


@process(inputs=["domain.items"], outputs=["domain.items"])
def append(ctx: Context, item: object) -> None:
    items = ctx["domain.items"]
    items.append(item)
    ctx["domain.items"] = items


@process(inputs=["domain.items"])
def length(ctx: Context, gate: Gate) -> int:
    gate.block()
    return len(ctx["domain.items"])


@pytest.mark.parametrize("definition", [increment, increment_async], ids=["sync", "async"])
def test_ten_concurrent_increments_give_ten(definition: object) -> None:
    @on_loop
    async def check(theus: Session) -> None:
        theus.state["domain.count"] = 0
        returned = await asyncio.gather(*(theus.run(definition) for _ in range(10)))
        assert theus.state["domain.count"] == 10
        assert returned == list(range(1, 11))

    check()


@on_loop
async def test_handles_of_both_kinds_in_one_row(theus: Session) -> None:
    theus.state["domain.count"] = 0
    both = [increment, increment_async]
    await asyncio.gather(*(theus.start(both[n % 2]) for n in range(40)))
    assert theus.state["domain.count"] == 40


@on_loop
async def test_gather_of_fetch_and_heavy_reads_the_data(theus: Session) -> None:
    gate = Gate()
    together = asyncio.gather(theus.run(fetch, "data", gate), theus.run(heavy))
    await gate.reached()
    assert [run.status for run in theus.runs] == ["running", "waiting"]
    gate.open()
    assert await together == ["data", "result of data"]  # type: ignore[comparison-overlap]
    assert theus.state["domain.result"] == "result of data"


@on_loop
async def test_heavy_before_fetch_has_nothing_to_read(theus: Session) -> None:
    together = asyncio.gather(theus.run(heavy), theus.run(fetch), return_exceptions=True)
    error, value = await together
    assert isinstance(error, MissingInputError)
    assert value == "data"


@on_loop
async def test_a_slow_earlier_writer_never_overwrites_a_later_one(theus: Session) -> None:
    gate = Gate()
    slow, fast = theus.start(produce, "early", gate), theus.start(produce, "late")
    assert await fast == "late"
    assert theus.state["domain.raw"] == "late"
    gate.open()
    assert await slow == "early"
    assert theus.state["domain.raw"] == "late"
    assert theus.state.version("domain.raw") == fast.number
    assert await theus.run(read) == "late"


@on_loop
async def test_a_reader_never_sees_a_later_version(theus: Session) -> None:
    await theus.run(fetch, "early")
    gate = Gate()
    reader = theus.start(read, gate)
    await gate.reached()
    await theus.run(fetch, "late")
    gate.open()
    assert await reader == "early"
    assert theus.state["domain.raw"] == "late"


@on_loop
async def test_a_waiting_reader_is_bound_to_its_writer(theus: Session) -> None:
    gates = Gate(), Gate()
    theus.start(produce, "first", gates[0])
    readers = [theus.start(read)]
    theus.start(produce, "second", gates[1])
    readers.append(theus.start(read))
    gates[1].open()
    assert await readers[1] == "second"
    assert readers[0].status == "waiting"
    gates[0].open()
    assert await readers[0] == "first"


@on_loop
async def test_a_writer_waits_for_no_reader_and_no_writer(theus: Session) -> None:
    await theus.run(fetch, "old")
    gate = Gate()
    held = [theus.start(read, gate), theus.start(produce, "held", gate)]
    assert await theus.run(produce, "new") == "new"
    assert [run.done() for run in held] == [False, False]
    gate.open()
    assert await asyncio.gather(*held) == ["old", "held"]


@on_loop
async def test_unrelated_paths_never_wait(theus: Session) -> None:
    @process(outputs=["domain.other"])
    def other(_ctx: Context) -> str:
        return "other"

    gate = Gate()
    held = theus.start(produce, "held", gate)
    assert await theus.run(other) == "other"
    gate.open()
    await held


@on_loop
async def test_an_update_waits_for_the_readers_of_its_version(theus: Session) -> None:
    theus.state["domain.items"] = [1]
    gate = Gate()
    reader, update = theus.start(length, gate), theus.start(append, 2)
    await gate.reached()
    assert update.status == "waiting"
    gate.open()
    assert await reader == 1
    await update
    assert theus.state["domain.items"] == [1, 2]


@on_loop
async def test_readers_share_a_version(theus: Session) -> None:
    theus.state["domain.items"] = [1]
    gates = [Gate() for _ in range(3)]
    readers = [theus.start(length, gate) for gate in gates]
    for gate in gates:
        await gate.reached()
        gate.open()
    assert await asyncio.gather(*readers) == [1, 1, 1]


@on_loop
async def test_reading_a_branch_binds_everything_beneath(theus: Session) -> None:
    @process(outputs=["domain.tree.left"])
    async def left(_ctx: Context, gate: Gate) -> str:
        await gate.wait()
        return "L"

    @process(outputs=["domain.tree"])
    def right(ctx: Context, gate: Gate) -> None:
        gate.block()
        ctx["domain.tree.right"] = "R"

    @process(inputs=["domain.tree"])
    def both(ctx: Context) -> tuple[object, object]:
        return ctx["domain.tree.left"], ctx.domain.tree.right

    gates = Gate(), Gate()
    writers = theus.start(left, gates[0]), theus.start(right, gates[1])
    reader = theus.start(both)
    for gate in gates:
        await gate.reached()
        assert reader.status == "waiting"
        gate.open()
    assert await reader == ("L", "R")
    await asyncio.gather(*writers)


@on_loop
async def test_an_optional_output_that_stays_unwritten(theus: Session) -> None:
    @process(outputs=["domain.raw?"])
    def perhaps(_ctx: Context, gate: Gate, value: object) -> object:
        gate.block()
        return value

    await theus.run(fetch, "before")
    gates = Gate(), Gate()
    theus.start(perhaps, gates[0], None)
    first = theus.start(read)
    theus.start(perhaps, gates[1], "written")
    second = theus.start(read)
    assert first.status == second.status == "waiting"
    gates[0].open()
    assert await first == "before"
    gates[1].open()
    assert await second == "written"


@on_loop
async def test_an_optional_input_that_was_never_written(theus: Session) -> None:
    @process(inputs=["domain.raw?"])
    def reader(ctx: Context) -> object:
        return ctx["domain.raw"]

    assert await theus.run(reader) is None
    await theus.run(fetch, "now")
    assert await theus.run(reader) == "now"


@on_loop
async def test_run_submits_at_its_first_step_and_start_at_the_call(theus: Session) -> None:
    await theus.run(fetch, "old")
    late = theus.run(read)
    early = theus.start(read)
    theus.start(produce, "new")
    assert await late == "new"
    assert await early == "old"


@on_loop
async def test_versions_are_numbered_by_submission(theus: Session) -> None:
    gate = Gate()
    first = theus.start(produce, 1, gate)
    second = theus.start(produce, 2)
    assert first.number < second.number
    assert (first.id, second.id) == (f"r{first.number}", f"r{second.number}")
    await second
    assert theus.state.version("domain.raw") == second.number
    gate.open()
    await first
    assert theus.state.version("domain.raw") == second.number


@on_loop
async def test_writing_the_state_takes_its_place_in_the_order(theus: Session) -> None:
    gate = Gate()
    slow = theus.start(produce, "slow", gate)
    bound = theus.start(read)
    theus.state["domain.raw"] = "by hand"
    gate.open()
    assert await bound == "slow"
    await slow
    assert theus.state["domain.raw"] == "by hand"
    assert await theus.run(read) == "by hand"


@on_loop
async def test_a_long_mixed_row(theus: Session) -> None:
    choose = random.Random(4)  # noqa: S311 - the same row every time
    theus.state["domain.items"] = []
    theus.state["domain.count"] = 0
    gate = Gate()
    gate.open()
    expected: list[int] = []
    runs = []
    for number in range(200):
        if choose.random() < 0.5:
            runs.append(theus.start(append, number))
            expected.append(number)
        else:
            runs.append(theus.start(length, gate))
            runs.append(theus.start(increment))
    await asyncio.gather(*runs)
    assert theus.state["domain.items"] == expected
    assert theus.state["domain.count"] == 200 - len(expected)
