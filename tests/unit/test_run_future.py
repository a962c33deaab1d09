"""A run is an asyncio future: everything that asyncio does with futures works on it."""

from __future__ import annotations

import asyncio
import contextvars
from typing import TYPE_CHECKING

import pytest

from tests.unit.support import PATIENCE, Gate, on_loop, reported, settled
from theus_nb.decorator import process
from theus_nb.errors import RunCancelledError, RunPendingError

if TYPE_CHECKING:
    from theus_nb.context import Context
    from theus_nb.run import Run
    from theus_nb.session import Session

VARIABLE: contextvars.ContextVar[str] = contextvars.ContextVar("VARIABLE", default="nothing")


@process
def quick(_ctx: Context, value: object = "done") -> object:
    return value


@process
async def quick_async(_ctx: Context, value: object = "done") -> object:
    return value


@process
def failing(_ctx: Context) -> None:
    raise KeyError("boom")


@process
async def held(_ctx: Context, gate: Gate) -> str:
    await gate.wait()
    return "released"


@process
def held_in_thread(_ctx: Context, gate: Gate) -> str:
    gate.block()
    return "released"


@on_loop
async def test_it_is_a_future(theus: Session) -> None:
    run = theus.start(quick)
    assert asyncio.isfuture(run)
    assert asyncio.ensure_future(run) is run
    assert run.get_loop() is asyncio.get_running_loop()
    assert await run == "done"


@on_loop
async def test_awaiting_gives_the_value_every_time(theus: Session) -> None:
    for definition in (quick, quick_async):
        value = object()
        run = theus.start(definition, value)
        assert await run is value
        assert await run is value
        assert run.done()
        assert run.result() is value
        assert run.exception() is None


@on_loop
async def test_awaiting_raises_the_body_s_exception_every_time(theus: Session) -> None:
    run = theus.start(failing)
    with pytest.raises(KeyError, match="boom") as first:
        await run
    with pytest.raises(KeyError) as second:
        await run
    assert first.value is second.value
    assert run.exception() is first.value
    with pytest.raises(KeyError):
        run.result()


@on_loop
async def test_many_tasks_await_one_run(theus: Session) -> None:
    gate = Gate()
    run = theus.start(held_in_thread, gate)

    async def wait() -> object:
        return await run

    tasks = [asyncio.create_task(wait()) for _ in range(10)]
    await gate.reached()
    gate.open()
    assert await asyncio.gather(*tasks) == ["released"] * 10


@on_loop
async def test_gather_of_runs(theus: Session) -> None:
    runs = [theus.start(p, n) for n in range(50) for p in (quick, quick_async)]
    assert await asyncio.gather(*runs) == [n for n in range(50) for _ in (1, 2)]


@on_loop
async def test_gather_returns_exceptions(theus: Session) -> None:
    bad = theus.start(failing)
    good, error = await asyncio.gather(theus.start(quick), bad, return_exceptions=True)
    assert good == "done"
    assert isinstance(error, KeyError)


@on_loop
async def test_gather_of_a_run_that_its_owner_cancels(theus: Session) -> None:
    gate = Gate()
    run, other = theus.start(held, gate), theus.start(quick)
    together = asyncio.gather(run, other)
    run.cancel("changed my mind")
    with pytest.raises(RunCancelledError, match="changed my mind"):
        await together
    assert await other == "done"


@on_loop
async def test_cancelling_a_gather_cancels_its_runs(theus: Session) -> None:
    gate = Gate()
    runs = [theus.start(held, gate), theus.start(held, gate)]

    async def wait() -> None:
        await asyncio.gather(*runs)

    task = asyncio.create_task(wait())
    await gate.reached()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert [run.status for run in runs] == ["cancelled", "cancelled"]


@on_loop
async def test_wait_for_the_first(theus: Session) -> None:
    gate = Gate()
    slow, fast = theus.start(held_in_thread, gate), theus.start(quick)
    done, pending = await asyncio.wait({slow, fast}, return_when=asyncio.FIRST_COMPLETED)  # type: ignore[type-var]  # all but its class
    assert done == {fast}
    assert pending == {slow}
    gate.open()
    done, pending = await asyncio.wait({slow, fast})  # type: ignore[type-var]  # all but its class
    assert (done, pending) == ({slow, fast}, set())
    assert {run.result() for run in done} == {"released", "done"}


@on_loop
async def test_as_completed(theus: Session) -> None:
    gate = Gate()
    slow, fast = theus.start(held_in_thread, gate), theus.start(quick)
    order = []
    for following in asyncio.as_completed([slow, fast]):
        order.append(await following)
        gate.open()
    assert order == ["done", "released"]


@on_loop
async def test_wait_for_in_time(theus: Session) -> None:
    assert await asyncio.wait_for(theus.start(quick), PATIENCE) == "done"
    with pytest.raises(KeyError):
        await asyncio.wait_for(theus.start(failing), PATIENCE)


@pytest.mark.parametrize("limit", [0.0, 0.01])
def test_wait_for_out_of_time(limit: float) -> None:
    @on_loop
    async def check(theus: Session) -> None:
        run = theus.start(held, Gate())
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(run, limit)
        assert run.status == "cancelled"

    check()


@on_loop
async def test_timeout_around_an_await(theus: Session) -> None:
    run = theus.start(held, Gate())
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await run
    assert run.status == "cancelled"


@on_loop
async def test_timeout_around_session_run(theus: Session) -> None:
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await theus.run(held, Gate())
    assert [run.status for run in theus.runs] == ["cancelled"]


@on_loop
async def test_a_shielded_run_goes_on(theus: Session) -> None:
    gate = Gate()
    run = theus.start(held, gate)

    async def wait() -> object:
        return await asyncio.shield(run)

    task = asyncio.create_task(wait())
    await gate.reached()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert run.status == "running"
    gate.open()
    assert await run == "released"


@on_loop
async def test_task_group(theus: Session) -> None:
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(theus.run(quick, n)) for n in range(10)]
    assert [task.result() for task in tasks] == list(range(10))


@on_loop
async def test_a_failing_run_ends_its_task_group(theus: Session) -> None:
    with pytest.raises(ExceptionGroup) as caught:
        async with asyncio.TaskGroup() as group:
            group.create_task(theus.run(held, Gate()))
            group.create_task(theus.run(failing))
    assert [type(error) for error in caught.value.exceptions] == [KeyError]
    assert sorted(run.status for run in theus.runs) == ["cancelled", "failed"]


@on_loop
async def test_a_cancelled_run_does_not_end_a_task_group_silently(theus: Session) -> None:
    run = theus.start(held, Gate())

    async def wait() -> None:
        await run

    with pytest.raises(ExceptionGroup) as caught:
        async with asyncio.TaskGroup() as group:
            group.create_task(wait())
            run.cancel()
    assert [type(error) for error in caught.value.exceptions] == [RunCancelledError]


@on_loop
async def test_callbacks_run_once_in_order_on_the_loop_with_the_run(theus: Session) -> None:
    run, called = theus.start(quick), list[tuple[int, object]]()
    run.add_done_callback(lambda done: called.append((1, done)))
    run.add_done_callback(lambda done: called.append((2, done)))
    assert called == []
    await run
    await settled()
    assert called == [(1, run), (2, run)]


@on_loop
async def test_a_callback_added_late_is_called_soon_and_not_at_once(theus: Session) -> None:
    run, called = theus.start(quick), list[object]()
    await run
    run.add_done_callback(called.append)
    assert called == []
    await settled()
    assert called == [run]


@on_loop
async def test_callbacks_run_in_their_context(theus: Session) -> None:
    run, seen = theus.start(quick), list[str]()

    def look(_run: Run) -> None:
        seen.append(VARIABLE.get())

    VARIABLE.set("at registration")
    run.add_done_callback(look)
    other = contextvars.copy_context()
    other.run(VARIABLE.set, "given")
    run.add_done_callback(look, context=other)
    VARIABLE.set("afterwards")
    await run
    run.add_done_callback(look, context=other)
    run.add_done_callback(look)
    await settled()
    assert seen == ["at registration", "given", "given", "afterwards"]


@on_loop
async def test_remove_done_callback_tells_how_many(theus: Session) -> None:
    gate, called = Gate(), list[object]()
    run = theus.start(held_in_thread, gate)
    run.add_done_callback(called.append)
    run.add_done_callback(called.append)
    run.add_done_callback(lambda _run: called.append("kept"))
    assert run.remove_done_callback(called.append) == 2
    assert run.remove_done_callback(called.append) == 0
    gate.open()
    await run
    await settled()
    assert called == ["kept"]


@on_loop
async def test_a_failing_comparison_removes_nothing(theus: Session) -> None:
    class Touchy:
        __hash__ = None  # type: ignore[assignment]  # not hashable, since not comparable

        def __eq__(self, other: object) -> bool:
            raise ZeroDivisionError

        def __call__(self, run: Run) -> None:
            """Do nothing."""

    gate, called = Gate(), list[object]()
    run = theus.start(held_in_thread, gate)
    run.add_done_callback(called.append)
    with pytest.raises(ZeroDivisionError):
        run.remove_done_callback(Touchy())
    gate.open()
    await run
    await settled()
    assert called == [run]


@on_loop
async def test_a_failing_callback_reaches_the_exception_handler(theus: Session) -> None:
    problems, called = reported(), list[object]()

    def fail(_run: Run) -> None:
        raise ZeroDivisionError

    run = theus.start(quick)
    run.add_done_callback(fail)
    run.add_done_callback(called.append)
    assert await run == "done"
    await settled()
    assert called == [run]
    assert [type(problem["exception"]) for problem in problems] == [ZeroDivisionError]


@on_loop
async def test_a_result_asked_for_too_early(theus: Session) -> None:
    gate = Gate()
    run = theus.start(held_in_thread, gate)
    for ask in (run.result, run.exception):
        with pytest.raises(RunPendingError, match=r"'held_in_thread'.*await") as caught:
            ask()
        assert isinstance(caught.value, asyncio.InvalidStateError)
    assert not run.done()
    assert not run.cancelled()
    gate.open()
    await run


@on_loop
async def test_a_run_awaited_from_a_foreign_coroutine_protocol(theus: Session) -> None:
    gate = Gate()
    run = theus.start(held_in_thread, gate)
    steps = run.__await__()
    assert steps.__next__() is not None  # suspends on something the loop can wait for
    steps.close()
    gate.open()
    await run
