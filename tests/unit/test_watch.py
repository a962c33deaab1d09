"""The loop is watched while runs are there; blocks that held up a run are recorded."""

from __future__ import annotations

import asyncio
import gc
import inspect
import sys
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest

from tests.unit.support import PATIENCE, Gate, on_loop
from theus_nb.decorator import process
from theus_nb.session import Session

if TYPE_CHECKING:
    from collections.abc import Callable

    from theus_nb.context import Context
    from theus_nb.watch import LoopBlocked

BLOCK = 0.25
"""Seconds: well above what counts as a block."""


async def until(true: Callable[[], object], what: str = "this") -> None:
    """Let the loop turn until something is true."""
    deadline = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < deadline, f"{what} never happened"
        await asyncio.sleep(0.005)


def watchers() -> set[threading.Thread]:
    """Return the watching threads there are; of sessions in other tests, too."""
    return {thread for thread in threading.enumerate() if thread.name == "theus watch"}


async def let_judge(theus: Session) -> None:
    """Wait until the watch has parked: whatever there was to be judged has been judged."""
    for run in theus.runs.unfinished():
        run.cancel()

    @process
    def marker(_ctx: Context) -> None: ...

    await theus.run(marker)
    # The interval is put back by the thread that judges, when it has nothing left to do.
    await until(lambda: sys.getswitchinterval() > 0.0006, "parking")


@process
async def due_soon(_ctx: Context) -> None:
    """Resume in the middle of the block."""
    await asyncio.sleep(0.02)


@process
async def sleeps_on_the_loop(_ctx: Context) -> None:
    time.sleep(BLOCK)  # noqa: ASYNC251 - the sin that is to be found


@on_loop
async def test_block_between_runs_names_line_and_function(theus: Session) -> None:
    heard: list[LoopBlocked] = []
    theus.watch.on_blocked = heard.append
    run = theus.start(due_soon)
    await asyncio.sleep(0)
    line = inspect.currentframe().f_lineno + 1  # type: ignore[union-attr]
    time.sleep(BLOCK)  # noqa: ASYNC251 - likewise
    await run
    await until(lambda: theus.blocks, "a record")
    await let_judge(theus)
    (block,) = theus.blocks
    assert heard == [block]
    assert (block.file, block.line) == (__file__, line)
    assert block.function.endswith("test_block_between_runs_names_line_and_function")
    assert block.process is None
    assert block.delayed == (run.id,)
    assert (block.lane, block.status) == ("loop", "blocked")
    assert "time.sleep on the loop" in block.hint
    assert 100 < block.ms < PATIENCE * 1000
    assert f"line {line}" in block.where


@on_loop
async def test_async_process_that_sleeps_is_told_to_become_sync(theus: Session) -> None:
    await asyncio.gather(theus.run(due_soon), theus.run(sleeps_on_the_loop))
    await until(lambda: theus.blocks, "a record")
    (block,) = theus.blocks
    assert block.process == "sleeps_on_the_loop"
    assert block.hint == "time.sleep in an async process: remove `async`, it will run in a worker"


@on_loop
async def test_end_of_a_worker_that_could_not_be_delivered_counts(theus: Session) -> None:
    began = threading.Event()

    @process
    def in_worker(_ctx: Context) -> None:
        began.set()
        time.sleep(BLOCK / 5)

    waiting = asyncio.ensure_future(theus.run(in_worker))
    await until(began.is_set)
    time.sleep(BLOCK)  # noqa: ASYNC251 - likewise
    await waiting
    await until(lambda: theus.blocks, "a record")
    assert len(theus.blocks) == 1
    assert theus.blocks[0].delayed == ()


@on_loop
async def test_nothing_is_recorded_when_nothing_was_delayed(theus: Session) -> None:
    gate = Gate()

    @process
    async def waits(_ctx: Context) -> None:
        await gate.wait()

    judged, judge = [], theus.watch._judge

    def listen(start: int, end: int, waiting: int) -> None:
        judge(start, end, waiting)
        judged.append(start)

    theus.watch._judge = listen  # type: ignore[method-assign]
    run = theus.start(waits)
    await gate.reached()
    time.sleep(BLOCK)  # noqa: ASYNC251 - likewise
    await until(lambda: judged, "the judgement")
    assert theus.blocks == []
    gate.open()
    await run
    await theus.run(sleeps_on_the_loop)  # nobody else was there
    await let_judge(theus)
    assert theus.blocks == []


@on_loop
async def test_idle_session_has_no_thread_and_closed_one_neither(theus: Session) -> None:
    before = watchers()
    assert theus.blocks == []
    async with Session() as other:
        await other.run(due_soon)
        assert len(watchers() - before) == 1
        time.sleep(BLOCK)  # noqa: ASYNC251 - likewise
        await asyncio.sleep(0)
        assert other.blocks == []
    assert watchers() <= before


@on_loop
async def test_the_thread_goes_with_a_session_that_nobody_closes(theus: Session) -> None:
    before = watchers()
    forgotten = Session(audit=False)
    await forgotten.run(due_soon)
    thread = (watchers() - before).pop()
    del forgotten
    gc.collect()
    thread.join(PATIENCE)
    assert not thread.is_alive()
    assert theus.blocks == []


@on_loop
async def test_failing_hook_is_reported_and_the_watch_goes_on(theus: Session) -> None:
    told: list[Any] = []
    before, threading.excepthook = threading.excepthook, told.append

    def fail(_block: LoopBlocked) -> None:
        raise ZeroDivisionError

    theus.watch.on_blocked = fail
    try:
        for count in (1, 2):
            await asyncio.gather(theus.run(due_soon), theus.run(sleeps_on_the_loop))
            await until(lambda: len(told) == count, "the report")  # noqa: B023 - awaited here
    finally:
        threading.excepthook = before
    assert [report.exc_type for report in told] == [ZeroDivisionError] * 2
    assert len(theus.blocks) == 2


def test_work_behind_a_loop_that_does_not_run_is_no_block() -> None:
    theus = Session(workers=1)
    gate = Gate()

    @process
    def in_worker(_ctx: Context) -> None:
        gate.block()

    async def begin() -> Any:  # noqa: ANN401 - a run
        return theus.start(in_worker)

    loop = asyncio.new_event_loop()
    run = loop.run_until_complete(begin())
    time.sleep(BLOCK)
    gate.open()
    loop.run_until_complete(asyncio.wait_for(run, PATIENCE))
    loop.run_until_complete(let_judge(theus))
    theus.close()
    loop.close()
    assert theus.blocks == []


# --- The switch interval ------------------------------------------------------------------------


@process
def interval(_ctx: Context) -> float:
    return sys.getswitchinterval()


@pytest.fixture
def found() -> Any:  # noqa: ANN401 - a generator of a float
    before = sys.getswitchinterval()
    sys.setswitchinterval(0.003)
    yield 0.003
    sys.setswitchinterval(before)


def test_interval_is_short_in_a_worker_and_put_back_after(found: float) -> None:
    @on_loop
    async def body(theus: Session) -> None:
        assert await theus.run(interval) == pytest.approx(0.0005)
        await until(lambda: sys.getswitchinterval() == pytest.approx(found), "putting it back")
        assert await theus.run(interval) == pytest.approx(0.0005)

    body()
    assert sys.getswitchinterval() == pytest.approx(found)


def test_interval_that_somebody_else_set_is_left_alone(found: float) -> None:
    @on_loop
    async def body(theus: Session) -> None:
        assert await theus.run(interval) != found
        sys.setswitchinterval(0.002)

    body()  # closing it puts back what is ours
    assert sys.getswitchinterval() == pytest.approx(0.002)


def test_interval_that_is_shorter_already_is_left_alone(found: float) -> None:
    del found
    sys.setswitchinterval(0.0001)

    @on_loop
    async def body(theus: Session) -> None:
        assert await theus.run(interval) == pytest.approx(0.0001)

    body()
    assert sys.getswitchinterval() == pytest.approx(0.0001)


def test_interval_stays_short_while_another_session_is_busy(found: float) -> None:
    @on_loop
    async def body(theus: Session) -> None:
        gate = Gate()

        @process
        def holds(_ctx: Context) -> None:
            gate.block()

        run = theus.start(holds)
        await gate.reached()
        async with Session() as other:
            await other.run(interval)
        assert sys.getswitchinterval() == pytest.approx(0.0005)
        gate.open()
        await run

    body()
    assert sys.getswitchinterval() == pytest.approx(found)


def test_threads_that_compute_share_the_short_interval(found: float) -> None:
    @on_loop
    async def body(theus: Session) -> None:
        gate = Gate()

        @process
        def holds(_ctx: Context) -> None:
            gate.block()

        runs = [theus.start(holds) for _ in range(4)]
        await until(lambda: sys.getswitchinterval() == pytest.approx(0.000125), "sharing it")
        gate.open()
        for run in runs:
            await run
        await until(lambda: sys.getswitchinterval() == pytest.approx(found), "putting it back")

    body()
    assert sys.getswitchinterval() == pytest.approx(found)


# --- Times of a run -----------------------------------------------------------------------------


@on_loop
async def test_record_tells_computing_from_waiting(theus: Session) -> None:
    @process
    def computes(_ctx: Context) -> None:
        end = time.thread_time() + 0.02
        while time.thread_time() < end:
            pass

    @process
    def waits(_ctx: Context) -> None:
        time.sleep(0.02)

    await theus.run(computes)
    await theus.run(waits)
    await theus.run(due_soon)
    busy, idle, on_loop_lane = theus.runs
    assert busy.cpu is not None
    assert idle.cpu is not None
    assert busy.elapsed is not None
    assert 0.02 <= busy.cpu <= busy.elapsed + 0.001
    assert idle.cpu < 0.02
    assert busy.gil_wait is not None
    assert busy.gil_wait >= 0
    assert (on_loop_lane.cpu, on_loop_lane.gil_wait) == (None, None)


@on_loop
async def test_short_processes_are_measured_once(theus: Session) -> None:
    @process
    def short(_ctx: Context) -> None: ...

    for _ in range(50):
        await theus.run(short)
    unmeasured = [record for record in theus.runs if record.cpu is None]
    assert unmeasured, "reading the clock each time costs more than the run"
