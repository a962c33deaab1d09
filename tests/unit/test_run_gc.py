"""Runs and the garbage collector; exceptions that nobody looked at."""

from __future__ import annotations

import asyncio
import gc
import weakref
from typing import TYPE_CHECKING, Any

import pytest

from tests.unit.support import Gate, on_loop, reported, settled
from theus_nb.decorator import process
from theus_nb.session import Session

if TYPE_CHECKING:
    from theus_nb.context import Context
    from theus_nb.run import Run


class Value:
    """Something a weak reference can point to."""


@process
def quick(_ctx: Context, value: object = None) -> object:
    return value


@process
def failing(_ctx: Context) -> None:
    raise KeyError("boom")


@process
async def failing_async(_ctx: Context) -> None:
    raise KeyError("boom")


@process
async def held(_ctx: Context, gate: Gate) -> None:
    await gate.wait()


@process
def held_in_thread(_ctx: Context, gate: Gate, _value: object = None) -> None:
    gate.block()


@on_loop
async def test_a_run_that_nobody_keeps_still_runs(theus: Session) -> None:
    gates = Gate(), Gate()
    theus.start(held, gates[0])
    theus.start(held_in_thread, gates[1])
    gc.collect()
    for gate in gates:
        await gate.reached()
        gate.open()


@on_loop
async def test_a_run_and_its_value_go_with_the_last_reference(theus: Session) -> None:
    value = Value()
    run = theus.start(quick, value)
    await run
    refs = weakref.ref(run), weakref.ref(value)
    del run, value
    await settled()
    assert [ref() for ref in refs] == [None, None]


@on_loop
async def test_arguments_are_let_go_when_the_run_ends(theus: Session) -> None:
    gate, value = Gate(), Value()
    run = theus.start(held_in_thread, gate, value)
    ref = weakref.ref(value)
    del value
    gate.open()
    await run
    await settled()
    assert ref() is None


@on_loop
async def test_a_cycle_of_run_and_callback_is_collected(theus: Session) -> None:
    class Listener:
        def __init__(self, run: Run) -> None:
            self.run = run
            run.add_done_callback(self.heard)

        def heard(self, _run: Run) -> None:
            """Do nothing."""

    gate = Gate()
    run = theus.start(held_in_thread, gate)
    listener = Listener(run)
    refs = weakref.ref(run), weakref.ref(listener)
    gate.open()
    await run
    del run, listener
    await settled()
    assert [ref() for ref in refs] == [None, None]


@on_loop
async def test_a_cycle_of_run_and_value_is_collected(theus: Session) -> None:
    holder = Value()
    run = theus.start(quick, holder)
    await run
    holder.run = run  # type: ignore[attr-defined]  # the cycle: run -> value -> run
    refs = weakref.ref(run), weakref.ref(holder)
    del run, holder
    await settled()
    assert [ref() for ref in refs] == [None, None]


def test_a_finished_run_needs_no_collector() -> None:
    async def main() -> None:
        async with Session(workers=1) as theus:
            first = theus.start(quick, Value())
            watched = weakref.ref(await first), weakref.ref(first)
            del first
            await theus.start(quick)  # the only worker has let go of the run before this one
            assert [reference() for reference in watched] == [None, None]

    gc.collect()
    gc.disable()
    try:
        asyncio.run(main())
    finally:
        gc.enable()


@on_loop
async def test_a_pending_run_that_is_traversed_stays_whole(theus: Session) -> None:
    gate = Gate()
    gc.freeze()  # traversing what other tests left behind would take longer than a gate waits
    try:
        runs = [theus.start(held_in_thread, gate) for _ in range(8)]
        for _ in range(20):
            gc.collect()
            assert all(gc.is_tracked(run) for run in runs)
    finally:
        gc.unfreeze()
        gate.open()
    await asyncio.gather(*runs)


@pytest.mark.parametrize("definition", [failing, failing_async])
def test_a_forgotten_exception_is_reported_once(definition: Any) -> None:  # noqa: ANN401
    @on_loop
    async def check(theus: Session) -> None:
        problems = reported()
        run = theus.start(definition)
        await asyncio.wait([run])  # type: ignore[type-var]  # all but its class
        name, number = run.name, run.id
        del run
        await settled()
        assert len(problems) == 1
        assert isinstance(problems[0]["exception"], KeyError)
        for word in (name, number, "never retrieved"):
            assert word in problems[0]["message"]

    check()


@pytest.mark.parametrize("how", ["await", "result", "exception", "gather", "wait_for"])
def test_an_exception_that_was_looked_at_is_not_reported(how: str) -> None:
    @on_loop
    async def check(theus: Session) -> None:
        run = theus.start(failing)
        await asyncio.wait([run])  # type: ignore[type-var]  # all but its class
        if how == "exception":
            assert isinstance(run.exception(), KeyError)
        else:
            with pytest.raises(KeyError):
                if how == "await":
                    await run
                elif how == "result":
                    run.result()
                elif how == "gather":
                    await asyncio.gather(run)
                else:
                    await asyncio.wait_for(run, 1)
        del run

    check()  # `on_loop` fails if anything is reported


@on_loop
async def test_one_look_is_enough_for_all(theus: Session) -> None:
    run = theus.start(failing)

    async def wait() -> object:
        return await run

    first, second = asyncio.create_task(wait()), asyncio.create_task(wait())
    await asyncio.wait([first, second])
    assert isinstance(first.exception(), KeyError)
    assert first.exception() is second.exception()


@on_loop
async def test_a_forgotten_cancellation_is_no_news(theus: Session) -> None:
    run = theus.start(held, Gate())
    run.cancel()
    await asyncio.wait([run])  # type: ignore[type-var]  # all but its class
    del run


@on_loop
async def test_records_keep_no_values(theus: Session) -> None:
    value = Value()
    ref = weakref.ref(value)
    await theus.run(quick, value)
    del value
    await settled()
    assert ref() is None
    assert [record.name for record in theus.runs] == ["quick"]


@on_loop
async def test_a_frame_of_a_failed_body_is_not_kept_by_the_lane(theus: Session) -> None:
    @process
    def leaky(_ctx: Context, value: object) -> None:
        raise KeyError(type(value))

    value = Value()
    ref = weakref.ref(value)
    run = theus.start(leaky, value)
    with pytest.raises(KeyError):
        await run
    del value, run
    await settled()
    assert ref() is None
