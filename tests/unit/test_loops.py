"""More than one loop, other people's loops, loops without readers."""

from __future__ import annotations

import asyncio
import gc
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import pytest

from tests.unit.support import PATIENCE, Gate, Signal, settled
from theus_nb.decorator import process
from theus_nb.errors import RunCancelledError
from theus_nb.session import Session

if TYPE_CHECKING:
    from collections.abc import Callable

    from theus_nb.context import Context
    from theus_nb.run import Run


@process(inputs=["domain.count"], outputs=["domain.count"])
def increment(ctx: Context) -> int:
    return int(ctx["domain.count"]) + 1


@process(inputs=["domain.count"], outputs=["domain.count"])
async def increment_async(ctx: Context) -> int:
    await asyncio.sleep(0)
    return int(ctx["domain.count"]) + 1


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


class NoReaders(asyncio.SelectorEventLoop):
    """A loop that cannot watch descriptors, as on Windows."""

    def add_reader(self, *_args: object) -> NoReturn:
        raise NotImplementedError

    def remove_reader(self, *_args: object) -> NoReturn:
        raise NotImplementedError

    # Its own self-pipe still has to work, and uses these two.
    _add_reader = asyncio.SelectorEventLoop._add_reader  # type: ignore[attr-defined]
    _remove_reader = asyncio.SelectorEventLoop._remove_reader  # type: ignore[attr-defined]


def uvloop_factory() -> asyncio.AbstractEventLoop:
    """Make a uvloop, where it is installed."""
    uvloop = pytest.importorskip("uvloop")
    loop = uvloop.new_event_loop()
    assert isinstance(loop, asyncio.AbstractEventLoop)
    return loop


async def everything(theus: Session) -> None:
    """Exercise what depends on the loop: sync, async, many at once, errors, cancelling."""
    theus.state["domain.count"] = 0
    await asyncio.gather(*(theus.run(p) for p in (increment, increment_async) for _ in range(20)))
    await asyncio.gather(*(theus.start(increment) for _ in range(200)))
    assert theus.state["domain.count"] == 240
    with pytest.raises(KeyError):
        await theus.run(failing)
    gate = Gate()
    runs = [theus.start(held, gate), theus.start(held_in_thread, gate)]
    await gate.reached()
    cancelled = theus.start(held, Gate())
    cancelled.cancel()
    with pytest.raises(RunCancelledError):
        await cancelled
    gate.open()
    assert await asyncio.gather(*runs) == ["released"] * 2
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(theus.start(held, Gate()), 0.01)


async def in_session() -> None:
    async with Session() as theus:
        await everything(theus)


@pytest.mark.parametrize("factory", [asyncio.SelectorEventLoop, NoReaders, uvloop_factory])
def test_every_kind_of_loop(factory: Callable[[], asyncio.AbstractEventLoop]) -> None:
    with asyncio.Runner(loop_factory=factory) as runner:
        runner.run(in_session())


@pytest.mark.parametrize("factory", [asyncio.SelectorEventLoop, NoReaders, uvloop_factory])
def test_an_idle_loop_is_woken(factory: Callable[[], asyncio.AbstractEventLoop]) -> None:
    """The loop sleeps in its selector when the thread ends the run."""

    async def main() -> None:
        async with Session() as theus:
            for _ in range(20):
                gate = Gate()
                run = theus.start(held_in_thread, gate)
                await gate.reached()
                asyncio.get_running_loop().call_later(0, gate.open)
                assert await asyncio.wait_for(run, PATIENCE) == "released"

    with asyncio.Runner(loop_factory=factory) as runner:
        runner.run(main())


def test_one_session_on_one_loop_after_another() -> None:
    theus = Session()
    for _ in range(5):
        asyncio.run(everything(theus))
    theus.close()


def test_what_was_read_on_one_loop_is_there_on_the_next() -> None:
    theus = Session()

    async def write() -> Run:
        theus.state["domain.count"] = 1
        run = theus.start(increment)
        await run
        return run

    async def read(run: Run) -> None:
        assert theus.state["domain.count"] == 2
        assert run.result() == 2
        assert await run == 2  # ended on another loop, long ago
        assert await theus.run(increment) == 3

    asyncio.run(read(asyncio.run(write())))
    theus.close()


def test_loops_leave_no_descriptors_behind() -> None:
    theus = Session()
    asyncio.run(everything(theus))
    before = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(10):
        asyncio.run(everything(theus))
    gc.collect()
    # The bridge of the loop that closed last is taken along by the next one, or by close().
    assert len(list(Path("/proc/self/fd").iterdir())) <= before + 1
    theus.close()


def test_a_loop_that_closes_while_a_run_goes_on() -> None:
    theus, gate = Session(), Gate()
    runs: list[Run] = []

    async def start() -> None:
        runs.append(theus.start(held_in_thread, gate))
        await gate.reached()

    async def use() -> None:
        assert await theus.run(held_in_thread, gate) == "released"

    asyncio.run(start())
    gate.open()  # ends with nobody there to be told; that must do no harm
    asyncio.run(use())
    theus.close()
    del runs[:]


def test_two_loops_at_the_same_time() -> None:
    theus = Session()
    problems: list[BaseException] = []
    theus.state["domain.count"] = 0

    async def many() -> None:
        for _ in range(10):
            await asyncio.gather(
                *(theus.run(p) for p in (increment, increment_async) for _ in range(5))
            )

    def elsewhere() -> None:
        try:
            asyncio.run(many())
        except BaseException as error:  # noqa: BLE001 - reported below
            problems.append(error)

    threads = [threading.Thread(target=elsewhere) for _ in range(3)]
    for thread in threads:
        thread.start()
    asyncio.run(many())
    for thread in threads:
        thread.join(PATIENCE)
        assert not thread.is_alive()
    assert problems == []
    assert theus.state["domain.count"] == 400
    theus.close()


def test_a_run_of_one_loop_is_awaited_on_another() -> None:
    theus, gate = Session(), Gate()
    found: list[Run] = []
    started, results = Signal(), list[object]()

    async def owner() -> None:
        found.extend([theus.start(held, gate), theus.start(held_in_thread, gate)])
        started.set()
        await asyncio.wait(found)  # type: ignore[type-var]  # all but its class

    async def guest() -> None:
        started.block()
        gate.open()
        results.extend([await found[0], await found[1]])

    thread = threading.Thread(target=asyncio.run, args=(guest(),))
    thread.start()
    asyncio.run(owner())
    thread.join(PATIENCE)
    assert results == ["released", "released"]
    theus.close()


def test_two_sessions_on_one_loop() -> None:
    async def main() -> None:
        async with Session() as first, Session() as second:
            await asyncio.gather(everything(first), everything(second))
            first.state["domain.count"] = "first"
            assert second.state["domain.count"] == 240
            await settled()

    asyncio.run(main())


def test_a_debugging_loop_has_nothing_to_say() -> None:
    asyncio.run(in_session(), debug=True)


@pytest.mark.skipif(sys.version_info < (3, 12), reason="tasks became eager in Python 3.12")
def test_a_loop_whose_tasks_are_eager() -> None:
    def factory() -> asyncio.AbstractEventLoop:
        loop = asyncio.new_event_loop()
        loop.set_task_factory(getattr(asyncio, "eager_task_factory", None))
        return loop

    with asyncio.Runner(loop_factory=factory) as runner:
        runner.run(in_session())
