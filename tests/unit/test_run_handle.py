"""What a run tells about itself."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

import pytest

from tests.unit.support import Gate, on_loop
from theus_nb.decorator import process
from theus_nb.errors import RunPendingError
from theus_nb.session import Session

if TYPE_CHECKING:
    from theus_nb.context import Context


@process(outputs=["domain.raw"])
async def fetch(_ctx: Context, gate: Gate) -> str:
    await gate.wait()
    return "data"


@process(inputs=["domain.raw"], outputs=["domain.result"])
def crunch(ctx: Context, gate: Gate) -> object:
    gate.block()
    return ctx["domain.raw"]


@process
def failing(_ctx: Context) -> None:
    raise KeyError("boom")


@on_loop
async def test_from_waiting_to_finished(theus: Session) -> None:
    gates = Gate(), Gate()
    first, second = theus.start(fetch, gates[0]), theus.start(crunch, gates[1])
    await gates[0].reached()
    assert (first.status, second.status) == ("running", "waiting")
    assert second.elapsed == 0.0
    gates[0].open()
    await gates[1].reached()
    assert (first.status, second.status) == ("finished", "running")
    gates[1].open()
    assert await second == "data"
    assert second.status == "finished"


def test_queued_is_ready_without_a_lane() -> None:
    async def main() -> None:
        async with Session(workers=1) as theus:
            gate = Gate()
            theus.state["domain.raw"] = 1
            first, second = theus.start(crunch, gate), theus.start(crunch, gate)
            await gate.reached()
            assert (first.status, second.status) == ("running", "queued")
            gate.open()
            await asyncio.gather(first, second)

    asyncio.run(main())


@on_loop
async def test_who_it_is(theus: Session) -> None:
    run = theus.start(failing)
    assert run.process is failing
    assert run.name == "failing"
    assert run.id == f"r{run.number}"
    with pytest.raises(KeyError):
        await run
    assert run.status == "failed"
    again = theus.start(failing)
    assert again.number > run.number
    with pytest.raises(KeyError):
        await again


@on_loop
async def test_the_lane_it_ran_on(theus: Session) -> None:
    gate = Gate()
    gate.open()
    async_run, sync_run = theus.start(fetch, gate), theus.start(crunch, gate)
    await asyncio.gather(async_run, sync_run)
    assert async_run.lane == "loop"
    assert sync_run.lane
    assert sync_run.lane != "loop"


@on_loop
async def test_its_times_are_in_order(theus: Session) -> None:
    gate = Gate()
    run = theus.start(fetch, gate)
    await gate.reached()
    assert run.ended_ns is None
    before = run.elapsed
    time.sleep(0.002)  # noqa: ASYNC251 - a clock is what is under test
    assert run.elapsed >= before + 0.002
    gate.open()
    await run
    assert run.started_ns is not None
    assert run.ended_ns is not None
    assert run.submitted_ns <= run.started_ns <= run.ended_ns
    assert run.elapsed == pytest.approx((run.ended_ns - run.started_ns) / 1e9)
    assert run.elapsed == run.elapsed


@on_loop
async def test_result_never_blocks(theus: Session) -> None:
    gate = Gate()
    run = theus.start(fetch, gate)
    with pytest.raises(RunPendingError, match=rf"{run.id}.*'fetch'.*await") as caught:
        run.result()
    assert (caught.value.process, caught.value.run_id) == ("fetch", run.id)
    gate.open()
    await run
    assert run.result() == "data"


@on_loop
async def test_its_repr(theus: Session) -> None:
    gate = Gate()
    run = theus.start(fetch, gate)
    for part in (run.id, "fetch"):
        assert part in repr(run)
    gate.open()
    await run
    assert "finished" in repr(run)
    assert "data" not in repr(run)


@on_loop
async def test_statuses_compare_as_strings(theus: Session) -> None:
    run = theus.start(failing)
    with pytest.raises(KeyError):
        await run
    assert isinstance(run.status, str)
    assert str(run.status) == "failed"
    assert f"{run.status}" == "failed"


@on_loop
async def test_records_of_ended_runs(theus: Session) -> None:
    gate = Gate()
    gate.open()
    await theus.run(fetch, gate)
    with pytest.raises(KeyError):
        await theus.run(failing)
    records = list(theus.runs)
    assert [(r.name, r.status) for r in records] == [("fetch", "finished"), ("failing", "failed")]
    assert [record.id for record in records] == ["r1", "r2"]
    assert records[0].lane == "loop"
    assert records[0].elapsed is not None
    assert records[0].elapsed >= 0.0
    assert theus.runs[-1].name == "failing"
    assert len(theus.runs) == 2


@on_loop
async def test_unfinished_runs_are_listed_too(theus: Session) -> None:
    gate = Gate()
    run = theus.start(fetch, gate)
    await gate.reached()
    assert [(r.id, r.status) for r in theus.runs] == [(run.id, "running")]
    gate.open()
    await run


@on_loop
async def test_the_last_thousand_are_kept(theus: Session) -> None:
    @process
    async def nothing(_ctx: Context) -> None:
        """Do nothing."""

    for _ in range(1010):
        await theus.run(nothing)
    records = list(theus.runs)
    assert len(records) == 1000
    numbers = [int(record.id[1:]) for record in records]
    assert numbers == sorted(numbers)
    last = theus.start(nothing)
    await last
    assert theus.runs[-1].id == last.id


@on_loop
async def test_tracebacks_begin_in_the_body(theus: Session) -> None:
    @process
    async def failing_async(_ctx: Context) -> None:
        raise KeyError("boom")

    for definition in (failing, failing_async):
        run = theus.start(definition)
        await asyncio.wait([run])  # type: ignore[type-var]  # all but its class
        error = run.exception()
        assert error is not None
        trace = error.__traceback__
        frames = []
        while trace is not None:
            frames.append(trace.tb_frame.f_code)
            trace = trace.tb_next
        assert [code.co_name for code in frames] == [definition.name]


@on_loop
async def test_an_undeclared_error_type_is_noted(theus: Session) -> None:
    @process(errors=[ValueError])
    def honest(_ctx: Context) -> None:
        raise ValueError("declared")

    @process(errors=[ValueError])
    def surprising(_ctx: Context) -> None:
        raise KeyError("undeclared")

    with pytest.raises(ValueError, match="declared") as first:
        await theus.run(honest)
    assert not getattr(first.value, "__notes__", [])
    with pytest.raises(KeyError) as second:
        await theus.run(surprising)
    assert "KeyError" in "".join(second.value.__notes__)
