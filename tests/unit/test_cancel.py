"""Cancelling: what stops, what is abandoned, and who is told."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from tests.unit.support import Gate, Signal, on_loop
from theus_nb.decorator import process
from theus_nb.errors import RunCancelledError, RunEndedError
from theus_nb.session import Session

if TYPE_CHECKING:
    from theus_nb.context import Context
    from theus_nb.process import Process


pytestmark = pytest.mark.usefixtures("tidy")


@process(outputs=["domain.raw"])
async def fetch(_ctx: Context, gate: Gate) -> str:
    await gate.wait()
    return "data"


@process(outputs=["domain.raw"])
def fetch_in_thread(_ctx: Context, gate: Gate) -> str:
    gate.hold()
    return "data"


@process(inputs=["domain.raw?"])
def read(ctx: Context) -> object:
    return ctx["domain.raw"]


@process(inputs=["domain.raw?"])
async def read_async(ctx: Context) -> object:
    return ctx["domain.raw"]


@on_loop
async def test_a_running_coroutine_is_cancelled(theus: Session) -> None:
    cleaned: list[str] = []

    @process
    async def tidy(_ctx: Context, gate: Gate) -> None:
        try:
            await gate.wait()
        finally:
            cleaned.append("up")

    gate = Gate()
    run = theus.start(tidy, gate)
    await gate.reached()
    assert run.cancel("enough")
    with pytest.raises(RunCancelledError, match="enough") as caught:
        await run
    assert "'tidy'" in str(caught.value)
    assert (caught.value.process, caught.value.run_id) == ("tidy", run.id)
    assert cleaned == ["up"]
    assert run.status == "cancelled"
    assert run.done()


@on_loop
async def test_cancelling_without_a_reason(theus: Session) -> None:
    run = theus.start(fetch, Gate())
    assert run.cancel()
    with pytest.raises(RunCancelledError, match="'fetch'"):
        await run
    with pytest.raises(RunCancelledError):
        run.result()
    assert isinstance(run.exception(), RunCancelledError)


@pytest.mark.parametrize("reader", [read, read_async], ids=["sync", "async"])
def test_a_waiting_run_never_starts(reader: Process) -> None:
    @on_loop
    async def check(theus: Session) -> None:
        gate = Gate()
        producer, waiting = theus.start(fetch, gate), theus.start(reader)
        assert waiting.status == "waiting"
        assert waiting.cancel("no longer needed")
        with pytest.raises(RunCancelledError, match="no longer needed"):
            await waiting
        assert waiting.status == "cancelled"
        assert waiting.started_ns is None
        gate.open()
        assert await producer == "data"

    check()


def test_a_queued_run_never_starts() -> None:
    async def main() -> None:
        async with Session(workers=1) as theus:
            gate, ran = Gate(), list[str]()

            @process
            def late(_ctx: Context) -> None:
                ran.append("late")

            holder = theus.start(fetch_in_thread, gate)
            await gate.reached()
            queued = theus.start(late)
            assert queued.status == "queued"
            queued.cancel()
            with pytest.raises(RunCancelledError):
                await queued
            gate.open()
            await holder
            await theus.run(read)
            assert ran == []

    asyncio.run(main())


@on_loop
async def test_a_thread_cannot_be_stopped_and_is_abandoned(theus: Session) -> None:
    gate = Gate()
    run = theus.start(fetch_in_thread, gate)
    await gate.reached()
    assert run.cancel("too slow")
    with pytest.raises(RunCancelledError, match="too slow"):
        await run
    assert run.status == "abandoned"
    gate.open()
    theus.state.accept("domain.raw")
    assert await theus.run(read) is None  # what the thread wrote is dropped


@on_loop
async def test_an_abandoned_thread_loses_its_context(theus: Session) -> None:
    gate, errors, ended = Gate(), list[BaseException](), Signal()

    @process(outputs=["domain.raw"])
    def stubborn(ctx: Context) -> None:
        gate.hold()  # and not `block`: a slow thread would be stopped before it waits
        try:
            ctx["domain.raw"] = "too late"
        except RunEndedError as error:
            errors.append(error)
        ended.set()

    run = theus.start(stubborn)
    await gate.reached()
    run.cancel()
    await asyncio.wait([run])  # type: ignore[type-var]  # all but its class
    gate.open()
    await ended.wait()
    assert len(errors) == 1
    assert "'stubborn'" in str(errors[0])


@on_loop
async def test_a_body_may_ignore_its_cancellation(theus: Session) -> None:
    @process(outputs=["domain.raw"])
    async def stubborn(_ctx: Context, gate: Gate) -> str:
        try:
            await gate.wait()
        except asyncio.CancelledError:
            return "finished all the same"
        return "undisturbed"

    gate = Gate()
    run = theus.start(stubborn, gate)
    await gate.reached()
    run.cancel()
    assert await run == "finished all the same"  # as with any task
    assert run.status == "finished"
    assert await theus.run(read) == "finished all the same"


@on_loop
async def test_cancelling_what_has_ended_does_nothing(theus: Session) -> None:
    run = theus.start(read)
    assert await run is None
    assert not run.cancel()
    assert run.status == "finished"
    assert run.result() is None


@on_loop
async def test_cancelling_twice(theus: Session) -> None:
    gate = Gate()
    run = theus.start(fetch, gate)
    await gate.reached()
    run.cancel("first")
    run.cancel("second")
    with pytest.raises(RunCancelledError, match="first"):
        await run


@on_loop
async def test_cancelling_at_once_before_the_first_step(theus: Session) -> None:
    gate = Gate()
    run = theus.start(fetch, gate)
    run.cancel()
    with pytest.raises(RunCancelledError):
        await run
    assert not gate.arrived.is_set()


@on_loop
async def test_a_cancelled_task_cancels_the_run_it_awaits(theus: Session) -> None:
    gate = Gate()
    run = theus.start(fetch, gate)

    async def wait() -> object:
        return await run

    task = asyncio.create_task(wait())
    await gate.reached()
    task.cancel("the task's message")
    with pytest.raises(asyncio.CancelledError, match="the task's message"):
        await task
    assert run.status == "cancelled"


@on_loop
async def test_the_other_awaiters_of_a_cancelled_run_are_not_cancelled(theus: Session) -> None:
    gate = Gate()
    run = theus.start(fetch, gate)

    async def wait() -> object:
        return await run

    first, second = asyncio.create_task(wait()), asyncio.create_task(wait())
    await gate.reached()
    first.cancel()
    await asyncio.wait([first, second])
    assert first.cancelled()
    assert not second.cancelled()
    assert isinstance(second.exception(), RunCancelledError)
    with pytest.raises(RunCancelledError):
        run.result()


@pytest.mark.parametrize("definition", [fetch, fetch_in_thread], ids=["async", "sync"])
def test_a_cancelled_task_cancels_the_run_inside_it(definition: Process) -> None:
    @on_loop
    async def check(theus: Session) -> None:
        gate = Gate()
        task = asyncio.create_task(theus.run(definition, gate))
        await gate.reached()
        task.cancel("the task's message")
        with pytest.raises(asyncio.CancelledError):
            await task
        assert [run.status for run in theus.runs] == [
            "cancelled" if definition.is_async else "abandoned"
        ]
        gate.open()

    check()


@on_loop
async def test_a_task_cancelled_while_its_run_waits(theus: Session) -> None:
    gate = Gate()
    producer = theus.start(fetch, gate)
    tasks = [asyncio.create_task(theus.run(reader)) for reader in (read, read_async)]
    await gate.reached()
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)
    assert all(task.cancelled() for task in tasks)
    gate.open()
    assert await producer == "data"
    assert [run.status for run in theus.runs if run.name != "fetch"] == ["cancelled"] * 2


@on_loop
async def test_uncancel_works_as_in_plain_asyncio(theus: Session) -> None:
    """A body that suppresses a cancellation of its task leaves the task usable."""

    @process
    async def shielded(_ctx: Context, gate: Gate) -> str:
        try:
            async with asyncio.timeout(0.01):
                await gate.wait()
        except TimeoutError:
            return "timed out inside"
        return "opened"

    assert await theus.run(shielded, Gate()) == "timed out inside"
    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0


@on_loop
async def test_cancelling_from_another_thread(theus: Session) -> None:
    gate = Gate()
    run = theus.start(fetch, gate)
    await gate.reached()
    await asyncio.to_thread(run.cancel, "from a thread")
    with pytest.raises(RunCancelledError, match="from a thread"):
        await run


@on_loop
async def test_a_body_that_raises_cancelled_error_itself(theus: Session) -> None:
    @process(outputs=["domain.raw"])
    async def odd(_ctx: Context) -> None:
        raise asyncio.CancelledError

    @process(outputs=["domain.raw"])
    def odd_in_thread(_ctx: Context) -> None:
        raise asyncio.CancelledError

    for definition in (odd, odd_in_thread):
        run = theus.start(definition)
        await asyncio.wait([run])  # type: ignore[type-var]  # all but its class
        assert run.done()
        assert isinstance(run.exception(), RunCancelledError)


@on_loop
async def test_the_lane_of_an_abandoned_thread_is_replaced(theus: Session) -> None:
    gates = [Gate() for _ in range(12)]
    runs = [theus.start(fetch_in_thread, gate) for gate in gates]
    await gates[0].reached()
    for run in runs:
        run.cancel()
    await asyncio.wait(runs)  # type: ignore[type-var]  # all but its class
    theus.state.accept("domain.raw")
    assert await theus.run(read) is None  # needs a lane, while the abandoned ones still block
    for gate in gates:
        gate.open()


@on_loop
async def test_the_message_of_a_cancelled_task_reaches_its_await(theus: Session) -> None:
    gate = Gate()

    @process
    async def waits(_ctx: Context) -> None:
        await gate.wait()

    task = asyncio.create_task(theus.run(waits))
    await asyncio.sleep(0)
    task.cancel("the reason")
    with pytest.raises(asyncio.CancelledError, match="the reason"):
        await task
