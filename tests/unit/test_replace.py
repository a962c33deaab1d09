"""`Session.replace`: a run takes the place of an unfinished one."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from typing import TYPE_CHECKING

import pytest

from theus_nb import Session, process
from theus_nb.errors import ContractError, RunCancelledError, UnknownProcessError

if TYPE_CHECKING:
    from collections.abc import Callable

    from theus_nb import Context


async def settled(condition: Callable[[], bool]) -> None:
    """Let the loop turn until something is true."""
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110 - what is awaited announces nothing
            await asyncio.sleep(0)


@pytest.mark.parametrize("in_worker", [False, True])
def test_waiting_readers_get_the_new_value(in_worker: bool) -> None:  # noqa: FBT001 - a parameter
    gates = {"old": threading.Event(), "new": threading.Event()}

    if in_worker:

        @process(outputs=["domain.x"])
        def source(_ctx: Context, which: str) -> str:
            gates[which].wait(10)
            return which
    else:

        @process(outputs=["domain.x"])
        async def source(_ctx: Context, which: str) -> str:
            await asyncio.to_thread(gates[which].wait, 10)
            return which

    @process(inputs=["domain.x"])
    async def reader(ctx: Context) -> str:
        return str(ctx.domain.x)

    async def main() -> None:
        async with Session(workers=2) as theus:
            old = theus.start(source, "old")
            await settled(lambda: old.status == "running")
            waiting = theus.start(reader)
            new = theus.replace(old, source, "new")
            assert old.cancel_requested
            gates["old"].set()
            await settled(lambda: old.has_ended)
            assert waiting.status == "waiting"
            gates["new"].set()
            assert await waiting == "new"
            assert await new == "new"
            with pytest.raises(RunCancelledError, match=f"replaced by run {new.id}"):
                await old

    asyncio.run(main())


def test_what_was_published_stays_and_is_read_by_the_new_run() -> None:
    async def main() -> None:
        async with Session() as theus:
            release = asyncio.Event()

            @process(outputs=["domain.x"])
            async def first(ctx: Context) -> None:
                ctx.domain.x = 1
                await ctx.commit()
                await release.wait()

            @process(inputs=["domain.x"], outputs=["domain.x"])
            async def second(ctx: Context) -> int:
                return int(ctx.domain.x) + 1

            old = theus.start(first)
            await settled(lambda: "domain.x" in theus.state)
            assert await theus.replace(old, second) == 2
            assert theus.state["domain.x"] == 2

    asyncio.run(main())


def test_old_run_that_swallows_its_cancellation_writes_nothing() -> None:
    async def main() -> None:
        async with Session() as theus:
            started, let_go = asyncio.Event(), asyncio.Event()

            @process(outputs=["domain.x"])
            async def stubborn(_ctx: Context) -> str:
                started.set()
                while not let_go.is_set():
                    try:
                        await let_go.wait()
                    except asyncio.CancelledError:
                        continue
                return "old"

            @process(outputs=["domain.x"])
            async def fresh(_ctx: Context) -> str:
                return "new"

            old = theus.start(stubborn)
            await started.wait()
            assert await theus.replace(old, fresh) == "new"
            let_go.set()
            await settled(lambda: old.has_ended)
            assert theus.state["domain.x"] == "new"

    asyncio.run(main())


def test_ended_run_has_no_place_to_give() -> None:
    async def main() -> None:
        async with Session() as theus:

            @process(outputs=["domain.x"])
            async def source(_ctx: Context) -> int:
                return 1

            old = theus.start(source)
            await old
            new = theus.replace(old, source)
            assert await new == 1
            assert old.status == new.status == "finished"
            with pytest.raises(UnknownProcessError):
                theus.replace(new, "nosuch")

    asyncio.run(main())


def test_a_hundred_replacements_in_a_row() -> None:
    async def main() -> None:
        async with Session(workers=2) as theus:
            gate = threading.Event()

            @process(outputs=["domain.x"])
            def source(_ctx: Context, number: int) -> int:
                gate.wait(10)
                return number

            @process(inputs=["domain.x"])
            def reader(ctx: Context) -> int:
                return int(ctx.domain.x)

            run = theus.start(source, 0)
            readers = []
            for number in range(1, 101):
                readers.append(theus.start(reader))
                run = theus.replace(run, source, number)
            gate.set()
            assert set(await asyncio.gather(*readers)) == {100}
            assert await run == 100
            # The threads that were in the gate are told to stop, and end when it opens.
            left = theus.runs.unfinished()
            if left:
                await asyncio.wait(left, timeout=10)  # type: ignore[type-var]  # all but its class
            assert not theus.runs.unfinished()

    asyncio.run(main())


@pytest.mark.parametrize("workers", [0, -1, 2.0, True, "2"])
def test_workers_must_be_a_number_of_threads(workers: int) -> None:
    with contextlib.closing(Session(workers=2)) as theus:
        with pytest.raises(ContractError, match="number of threads"):
            theus.workers = workers
        assert theus.workers == 2


def test_workers_may_be_changed_while_they_work() -> None:
    async def main() -> None:
        async with Session(workers=1) as theus:
            barrier = threading.Barrier(3)

            @process
            def meet(_ctx: Context) -> None:
                barrier.wait(10)

            runs = [theus.start(meet) for _ in range(3)]
            theus.workers = 3
            await asyncio.gather(*runs)
            assert theus.workers == 3

    asyncio.run(main())
