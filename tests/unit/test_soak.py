"""Many runs at once, with everything happening: a wake-up that is lost shows here."""

from __future__ import annotations

import asyncio
import gc
import random
import subprocess
import sys
import textwrap
from typing import TYPE_CHECKING

import pytest

from tests.unit.support import PATIENCE, on_loop
from theus_nb.decorator import process
from theus_nb.errors import RunCancelledError, UpstreamError

if TYPE_CHECKING:
    from theus_nb.context import Context
    from theus_nb.run import Run
    from theus_nb.session import Session


@process(inputs=["domain.a?"], outputs=["domain.b"])
def copy(ctx: Context) -> object:
    return ctx["domain.a"] or 0


@process(inputs=["domain.b?"], outputs=["domain.a"])
async def back(ctx: Context) -> object:
    await asyncio.sleep(0)
    return ctx["domain.b"] or 0


@process(outputs=["domain.a"])
def fail(_ctx: Context) -> None:
    raise KeyError("boom")


@process(outputs=["domain.a", "domain.b"])
def reset(_ctx: Context) -> tuple[int, int]:
    return 1, 2


@on_loop
async def test_nothing_is_lost_among_thousands(theus: Session) -> None:
    choose = random.Random(17)  # noqa: S311 - the same every time
    runs: list[Run] = []
    tasks: list[asyncio.Task[object]] = []
    for _ in range(3000):
        definition = choose.choice([copy, copy, back, back, reset, fail])
        if choose.random() < 0.3:
            tasks.append(asyncio.create_task(theus.run(definition)))
        else:
            runs.append(theus.start(definition))
        if choose.random() < 0.1:
            choose.choice(runs or [theus.start(reset)]).cancel()
        if choose.random() < 0.05:
            await asyncio.sleep(0)
    async with asyncio.timeout(PATIENCE):
        ended = await asyncio.gather(*runs, *tasks, return_exceptions=True)
    expected = (int, tuple, KeyError, RunCancelledError, UpstreamError)
    assert [value for value in ended if not isinstance(value, expected)] == []
    assert all(run.done() for run in runs)
    assert await theus.run(reset) == (1, 2)
    assert await theus.run(copy) == 1


@on_loop
async def test_many_tasks_await_and_give_up(theus: Session) -> None:
    @process
    def quick(_ctx: Context) -> str:
        return "done"

    async def impatient(run: Run) -> object:
        try:
            async with asyncio.timeout(0):
                return await asyncio.shield(run)
        except TimeoutError:
            return await run

    for _ in range(20):
        runs = [theus.start(quick) for _ in range(20)]
        waits = [asyncio.create_task(impatient(run)) for run in runs for _ in range(3)]
        assert await asyncio.gather(*waits) == ["done"] * 60


@pytest.mark.timeout(60)
def test_the_collector_may_come_at_any_moment() -> None:
    """With a collection at nearly every allocation: one under a lock would never end."""
    text = """
        import asyncio, contextvars, faulthandler, gc
        faulthandler.dump_traceback_later(40, exit=True)
        from theus_nb.decorator import process
        from theus_nb.session import Session

        @process(inputs=["domain.count"], outputs=["domain.count"])
        def increment(ctx):
            return ctx["domain.count"] + 1

        @process(inputs=["domain.count"])
        async def look(ctx):
            await asyncio.sleep(0)
            return ctx["domain.count"]

        @process(outputs=["domain.bad"])
        def fail(ctx):
            raise KeyError([ctx])

        @process(inputs=["domain.bad"])
        def follow(ctx):
            pass

        class Finalizer:
            # Comes back into the engine from inside a collection.
            def __init__(self, theus):
                self.theus, self.me = theus, self
            def __del__(self):
                repr(self.theus.runs), repr(self.theus.state), repr(self.theus)
                # In a context of its own: it may be called inside a process, whose contract would
                # govern it.
                write = self.theus.state.__setitem__
                contextvars.Context().run(write, "domain.last_words", 1)

        async def main():
            async with Session(workers=3) as theus:
                theus.state["domain.count"] = 0
                asyncio.get_running_loop().set_exception_handler(lambda *_: None)
                gc.set_threshold(5, 1, 1)
                for _ in range(6):
                    runs = []
                    for _ in range(20):
                        Finalizer(theus)
                        runs += [theus.start(p) for p in (increment, look, fail, follow)]
                        runs[-1].add_done_callback(lambda run, runs=runs: runs)
                        runs[-3].cancel()
                    await asyncio.gather(*runs, return_exceptions=True)
                gc.set_threshold(700, 10, 10)
                print(theus.state["domain.count"], "domain.last_words" in theus.state)

        asyncio.run(main())
    """
    ended = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(text)],
        capture_output=True,
        text=True,
        timeout=55,
        check=False,
    )
    assert (ended.stdout, ended.stderr, ended.returncode) == ("120 True\n", "", 0)
    gc.collect()
