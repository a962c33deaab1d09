"""Which thread runs what, and with which context."""

from __future__ import annotations

import asyncio
import contextvars
import inspect
import threading
from collections.abc import Awaitable
from typing import TYPE_CHECKING

import pytest

from tests.unit.support import Gate, on_loop
from theus_nb.contract import Contract
from theus_nb.decorator import process
from theus_nb.errors import ContractError, TheusError, UnknownProcessError
from theus_nb.process import Process
from theus_nb.session import Session

if TYPE_CHECKING:
    from theus_nb.context import Context

VARIABLE: contextvars.ContextVar[str] = contextvars.ContextVar("VARIABLE", default="nothing")


@process
def where(_ctx: Context) -> threading.Thread:
    return threading.current_thread()


@process
async def where_async(_ctx: Context) -> threading.Thread:
    return threading.current_thread()


@on_loop
async def test_sync_in_a_worker_async_on_the_loop(theus: Session) -> None:
    here = threading.current_thread()
    assert await theus.run(where_async) is here
    assert await theus.run(where) is not here
    assert await theus.start(where_async) is here
    assert await theus.start(where) is not here


@on_loop
async def test_an_async_process_runs_in_the_caller_s_task(theus: Session) -> None:
    @process
    async def task(_ctx: Context) -> object:
        return asyncio.current_task()

    assert await theus.run(task) is asyncio.current_task()
    assert await theus.start(task) is not asyncio.current_task()


@on_loop
async def test_run_is_an_ordinary_async_def(theus: Session) -> None:
    assert inspect.iscoroutinefunction(theus.run)
    coroutine = theus.run(where)
    assert inspect.iscoroutine(coroutine)
    coroutine.close()
    assert list(theus.runs) == []  # never awaited, never submitted


@on_loop
async def test_awaiting_directly_takes_no_turn_of_the_loop(theus: Session) -> None:
    turns: list[str] = []

    @process
    async def quick(_ctx: Context) -> str:
        return "quick"

    asyncio.get_running_loop().call_soon(turns.append, "turn")
    assert await theus.run(quick) == "quick"
    assert turns == []


@on_loop
async def test_the_loop_ticks_while_a_sync_process_blocks(theus: Session) -> None:
    blocked, ticks = threading.Event(), 0

    @process
    def block(_ctx: Context) -> str:
        assert blocked.wait(10)
        return "released"

    run = theus.start(block)
    while not run.done():
        await asyncio.sleep(0)
        ticks += 1
        if ticks == 1000:  # a thousand turns of the loop, and only then the thread goes on
            blocked.set()
            break
    assert await run == "released"


@on_loop
async def test_contextvars_reach_the_worker_as_a_copy(theus: Session) -> None:
    @process
    def look(_ctx: Context) -> str:
        seen = VARIABLE.get()
        VARIABLE.set("set in the worker")
        return seen

    VARIABLE.set("set by the caller")
    assert await theus.run(look) == "set by the caller"
    assert await theus.start(look) == "set by the caller"
    assert VARIABLE.get() == "set by the caller"
    VARIABLE.set("changed")
    assert await theus.run(look) == "changed"


@on_loop
async def test_contextvars_are_those_of_the_submission(theus: Session) -> None:
    gate = Gate()

    @process(outputs=["domain.raw"])
    def first(_ctx: Context) -> int:
        gate.block()
        return 1

    @process(inputs=["domain.raw"])
    def look(_ctx: Context) -> str:
        return VARIABLE.get()

    theus.start(first)
    VARIABLE.set("at submission")
    waiting = theus.start(look)
    VARIABLE.set("later")
    gate.open()
    assert await waiting == "at submission"


@on_loop
async def test_an_async_process_shares_the_caller_s_context(theus: Session) -> None:
    @process
    async def change(_ctx: Context) -> None:
        VARIABLE.set("by the process")

    await theus.run(change)
    assert VARIABLE.get() == "by the process"  # awaited directly, as any coroutine
    await theus.start(change)


@on_loop
async def test_arguments_follow_the_context(theus: Session) -> None:
    @process
    def sync(_ctx: Context, *args: object, **kwargs: object) -> object:
        return args, kwargs

    @process
    async def asynchronous(_ctx: Context, *args: object, **kwargs: object) -> object:
        return args, kwargs

    for definition in (sync, asynchronous):
        expected = ((1, "two"), {"three": 3, "name": "x", "process": "y", "self": "z"})
        words = {"three": 3, "name": "x", "process": "y", "self": "z"}
        assert await theus.run(definition, 1, "two", **words) == expected
        assert await theus.start(definition, 1, "two", **words) == expected


@on_loop
async def test_wrong_arguments_are_the_caller_s_type_error(theus: Session) -> None:
    for definition in (where, where_async):
        with pytest.raises(TypeError, match="positional argument"):
            await theus.run(definition, 1, 2)


@on_loop
async def test_sync_processes_run_side_by_side(theus: Session) -> None:
    barrier = threading.Barrier(2)

    @process
    def meet(_ctx: Context) -> int:
        return barrier.wait(10)

    assert sorted(await asyncio.gather(theus.run(meet), theus.run(meet))) == [0, 1]


def test_no_more_threads_than_workers() -> None:
    async def main() -> None:
        async with Session(workers=3) as theus:
            gate = Gate()

            @process
            def hold(_ctx: Context) -> threading.Thread:
                gate.block()
                return threading.current_thread()

            runs = [theus.start(hold) for _ in range(12)]
            await gate.reached()
            gate.open()
            assert 1 <= len(set(await asyncio.gather(*runs))) <= 3

    asyncio.run(main())


@pytest.mark.parametrize("workers", [0, -1, 1.5, "four"])
def test_a_silly_number_of_workers(workers: object) -> None:
    with pytest.raises((ValueError, TypeError), match="workers"):
        Session(workers=workers)  # type: ignore[arg-type]  # that is the point


@on_loop
async def test_cells_share_one_lane(theus: Session) -> None:
    cell = Process.from_cell("cell", lambda _ctx: threading.current_thread(), Contract(), source="")
    threads = {await theus.run(cell) for _ in range(20)}
    assert len(threads) == 1
    assert threads != {threading.current_thread()}
    gate = Gate()

    @process
    def hold(_ctx: Context) -> None:
        gate.block()

    held = [theus.start(hold) for _ in range(64)]  # the pool is full: cells do not care
    assert {await theus.run(cell)} == threads
    gate.open()
    await asyncio.gather(*held)


@on_loop
async def test_sync_code_on_the_loop_knowingly(theus: Session) -> None:
    @process(lane="loop")
    def knowingly(_ctx: Context) -> threading.Thread:
        return threading.current_thread()

    here = threading.current_thread()
    assert await theus.run(knowingly) is here
    assert await theus.start(knowingly) is here
    assert await theus.run(where.options(lane="loop")) is here
    assert theus.runs[-1].lane == "loop"


@on_loop
async def test_an_object_bound_to_its_thread_suggests_the_loop(theus: Session) -> None:
    import sqlite3  # noqa: PLC0415 - the classic of thread-bound objects

    connection = sqlite3.connect(":memory:")

    @process
    def query(_ctx: Context) -> object:
        return connection.execute("select 1").fetchone()

    with pytest.raises(sqlite3.ProgrammingError) as caught:
        await theus.run(query)
    assert 'lane="loop"' in "".join(getattr(caught.value, "__notes__", []))
    assert await theus.run(query.options(lane="loop")) == (1,)
    connection.close()


@on_loop
async def test_a_def_that_returns_an_awaitable_is_awaited_on_the_loop(theus: Session) -> None:
    async def inner() -> threading.Thread:
        await asyncio.sleep(0)
        return threading.current_thread()

    @process(outputs=["domain.thread"])
    def outer(_ctx: Context) -> Awaitable[threading.Thread]:
        return inner()

    here = threading.current_thread()
    assert await theus.run(outer) is here
    assert await theus.start(outer) is here
    assert theus.state["domain.thread"] is here


@on_loop
async def test_an_awaitable_that_fails_or_is_cancelled(theus: Session) -> None:
    gate = Gate()

    async def fail() -> None:
        raise KeyError("boom")

    @process
    def failing(_ctx: Context) -> Awaitable[None]:
        return fail()

    @process
    def held(_ctx: Context) -> Awaitable[None]:
        return gate.wait()

    with pytest.raises(KeyError):
        await theus.run(failing)
    run = theus.start(held)
    await gate.reached()
    run.cancel()
    with pytest.raises(TheusError, match="'held'"):
        await run
    assert run.status == "cancelled"


@on_loop
async def test_a_sync_process_inside_a_worker_runs_there(theus: Session) -> None:
    @process
    def outer(_ctx: Context) -> tuple[object, object]:
        return threading.current_thread(), theus.run_sync(where)

    mine, childs = await theus.run(outer)
    assert mine is childs


@on_loop
async def test_an_async_process_inside_a_worker_runs_on_the_loop(theus: Session) -> None:
    @process
    def outer(_ctx: Context) -> object:
        return theus.run_sync(where_async)

    assert await theus.run(outer) is threading.current_thread()


@on_loop
async def test_work_posted_from_another_thread(theus: Session) -> None:
    def elsewhere() -> list[object]:
        runs = [theus.start(where), theus.start(where_async)]
        assert [run.get_loop() for run in runs] == [loop, loop]
        found.extend(runs)
        return [run.name for run in runs]

    loop, found = asyncio.get_running_loop(), list[Awaitable[object]]()
    assert await asyncio.to_thread(elsewhere) == ["where", "where_async"]
    threads = [await run for run in found]
    assert threads[0] is not threading.current_thread()
    assert threads[1] is threading.current_thread()


@on_loop
async def test_a_task_that_a_process_creates_goes_on(theus: Session) -> None:
    gate, tasks = Gate(), list[asyncio.Task[str]]()

    async def background() -> str:
        await gate.wait()
        return "really ran"

    @process(side_effects=["background_job"])
    async def spawn(_ctx: Context) -> None:
        tasks.append(asyncio.create_task(background()))

    await theus.run(spawn)
    await gate.reached()
    gate.open()
    assert await tasks[0] == "really ran"


@on_loop
async def test_by_name(theus: Session) -> None:
    @process(name="by_name")
    def named(_ctx: Context) -> str:
        return "found"

    assert await theus.run("by_name") == "found"
    assert await theus.start("by_name") == "found"
    assert named in list(theus.processes)


@on_loop
async def test_an_unknown_name_is_refused_before_anything_happens(theus: Session) -> None:
    with pytest.raises(UnknownProcessError, match="'where_asink'; did you mean 'where_async'"):
        await theus.run("where_asink")
    with pytest.raises(UnknownProcessError, match="'where_asink'"):
        theus.start("where_asink")
    assert list(theus.runs) == []


@pytest.mark.parametrize("thing", [3, None, print, lambda _ctx: None, object()])
def test_what_is_no_process_says_how_to_make_one(thing: object) -> None:
    @on_loop
    async def check(theus: Session) -> None:
        for call in (theus.start, theus.run):
            with pytest.raises((ContractError, TypeError), match="@process"):
                result = call(thing)  # that is the point
                await result

    check()


@on_loop
async def test_a_coroutine_instead_of_a_process(theus: Session) -> None:
    coroutine = Gate().wait()
    with pytest.raises((ContractError, TypeError), match="@process"):
        await theus.run(coroutine)
    coroutine.close()
