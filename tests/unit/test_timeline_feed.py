"""The engine's feed, and the table that is put together from it."""

from __future__ import annotations

import asyncio
import itertools
import random
import threading
from typing import TYPE_CHECKING

import pytest

from tests.unit.support import Gate, on_loop
from theus_nb import Session, process
from theus_nb._core import Feed
from theus_nb.timeline.model import Packed, Row, Table, lane_of, pack_lanes

if TYPE_CHECKING:
    from theus_nb.context import Context


def feed_of(theus: Session) -> Feed:
    return Feed(theus._dispatcher.engine)


def read(theus: Session, cursor: int = 0, names: int = 0, limit: int = 10_000) -> Packed:
    return Packed(*feed_of(theus).read(cursor, names, limit))


def table_of(theus: Session) -> Table:
    table = Table()
    table.apply(read(theus))
    return table


@on_loop
async def test_nothing_is_kept_before_it_is_opened(theus: Session) -> None:
    @process
    async def quiet(ctx: Context) -> None:
        pass

    await theus.run(quiet)
    packed = read(theus)
    assert (packed.cursor, packed.rows) == (0, 0)


@on_loop
async def test_how_much_of_its_time_a_thread_computed(theus: Session) -> None:
    gate = Gate()

    @process
    def compute(_ctx: Context) -> None:
        for _ in range(300_000):
            pass

    @process
    def wait(_ctx: Context) -> None:
        gate.hold()

    feed_of(theus).open()
    await theus.run(compute)
    waiting = theus.start(wait)
    await gate.reached()
    assert [row.cpu > 0 for row in table_of(theus).rows.values()] == [True, False]
    gate.open()
    await waiting
    computed, waited = (row.cpu for row in table_of(theus).rows.values())
    assert 0 < computed <= 100
    assert waited <= 100


@on_loop
async def test_opening_begins_with_what_is_on_record(theus: Session) -> None:
    release = asyncio.Event()

    @process
    async def done(ctx: Context) -> None:
        pass

    @process
    async def running(ctx: Context) -> None:  # noqa: ARG001
        await release.wait()

    await theus.run(done)
    run = theus.start(running)
    await asyncio.sleep(0)
    feed_of(theus).open()
    rows = table_of(theus).rows
    assert [row.status for row in rows.values()] == ["finished", "running"]
    release.set()
    await run


@on_loop
async def test_runs_are_seen_from_submission_to_end(theus: Session) -> None:
    feed_of(theus).open()
    gate = threading.Event()

    @process(outputs=["domain.x"])
    def make(ctx: Context) -> int:  # noqa: ARG001
        gate.wait(10)
        return 1

    @process(inputs=["domain.x"])
    async def use(ctx: Context) -> None:
        assert ctx.domain.x == 1

    first, second = theus.start(make), theus.start(use)
    rows = table_of(theus).rows
    assert rows[second.number].status == "waiting"
    assert lane_of(rows[second.number]) == "waiting"
    gate.set()
    await asyncio.gather(first, second)
    table = table_of(theus)
    assert table.rows[first.number].lane == "worker 1"
    assert table.rows[second.number].lane == "loop"
    assert {row.status for row in table.rows.values()} == {"finished"}
    assert table.reads == [(second.number, first.number, "domain.x")]


@on_loop
async def test_children_know_their_parent(theus: Session) -> None:
    feed_of(theus).open()

    @process
    async def child(ctx: Context) -> None:
        pass

    @process
    async def parent(ctx: Context) -> None:  # noqa: ARG001
        await theus.run(child)

    await theus.run(parent)
    rows = {row.process: row for row in table_of(theus).rows.values()}
    assert rows["child"].parent == rows["parent"].run


@on_loop
async def test_readings_in_pieces_are_the_same_as_one(theus: Session) -> None:
    feed_of(theus).open()

    @process
    async def step(ctx: Context) -> None:
        pass

    for _ in range(20):
        await theus.run(step)
    whole, pieces = table_of(theus), Table()
    cursor = names = 0
    while (packed := read(theus, cursor, names, 7)).cursor > cursor:
        pieces.apply(packed)
        cursor, names = packed.cursor, names + len(packed.names)
    assert pieces.rows == whole.rows


@on_loop
async def test_closing_forgets(theus: Session) -> None:
    feed_of(theus).open()

    @process
    async def step(ctx: Context) -> None:
        pass

    await theus.run(step)
    before = read(theus).cursor
    feed_of(theus).close()
    await theus.run(step)
    packed = read(theus, before)
    assert (packed.rows, packed.lost) == (0, 0)


def test_a_damaged_reading_is_refused() -> None:
    with pytest.raises(ValueError, match="damaged"):
        Table().apply(Packed(1, 0, 2, 0, b"abc", []))


def test_lanes_have_few_lines_and_count_the_rest() -> None:
    rows = [Row(i, 0, "p", "loop", "running", i, i, 0) for i in range(1, 30)]
    [lane] = pack_lanes(rows, 1_000, most_lines=8)
    assert (len(lane.lines), lane.hidden) == (8, 21)


def test_what_tells_most_finds_a_line_first() -> None:
    rows = [Row(i, 0, "p", "loop", "finished", i, i, 100 + i) for i in range(1, 30)]
    rows[20].ended = 5_000  # the longest
    [lane] = pack_lanes(rows, 1_000, 3, telling={7, 9})
    assert {row.run for line in lane.lines for row in line} == {7, 9, 21}
    assert lane.hidden == 26


@pytest.mark.parametrize("most_lines", [500, 3])
def test_no_line_ever_overlaps_itself(most_lines: int) -> None:
    source = random.Random(7)  # noqa: S311 - nothing to guess here
    rows = []
    for run in range(1, 400):
        begin = source.randrange(1, 10_000)
        end = begin + source.choice([0, 1, 50, 2_000])
        lane = source.choice(["loop", "worker 1", "worker 12", "worker 2", "cell"])
        rows.append(Row(run, 0, "p", lane, "finished", begin, begin, end))
    lanes = pack_lanes(rows, 0, most_lines, telling=range(0, 400, 7))
    assert [lane.name for lane in lanes] == ["loop", "cell", "worker 1", "worker 2", "worker 12"]
    placed = sum(len(line) for packed in lanes for line in packed.lines)
    assert placed + sum(packed.hidden for packed in lanes) == len(rows)
    for packed in lanes:
        assert (packed.hidden > 0) is (most_lines == 3)
        for line in packed.lines:
            for one, other in itertools.pairwise(line):
                assert one.ended <= other.begin
