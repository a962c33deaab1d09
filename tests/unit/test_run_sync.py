"""``run_sync``: from a script, from a worker, from another thread, and where it is refused."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import textwrap
import threading
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest

from tests.unit.support import PATIENCE, SHORT_GRACE, Gate, on_loop
from theus_nb import sync_entry
from theus_nb.decorator import process
from theus_nb.errors import (
    MissingInputError,
    RunCancelledError,
    RunTimeoutError,
    SyncEntryError,
    UndeclaredReadError,
    UpstreamError,
)
from theus_nb.session import Session

if TYPE_CHECKING:
    from theus_nb.context import Context


@process(outputs=["domain.raw"])
async def fetch(_ctx: Context, value: object = "data") -> object:
    await asyncio.sleep(0)
    return value


@process(inputs=["domain.raw"], outputs=["domain.result"])
def heavy(ctx: Context) -> object:
    return f"result of {ctx['domain.raw']}"


@process
def failing(_ctx: Context) -> None:
    raise KeyError("boom")


@process
def where(_ctx: Context) -> threading.Thread:
    return threading.current_thread()


def script(body: str, *, reenters: bool = False) -> str:
    """Run a script in an interpreter of its own.

    On stderr it must say nothing, but for what entering the loop again costs: that once.
    """
    head = """
        import asyncio, threading
        from theus_nb.errors import SyncEntryError
        from theus_nb.decorator import process
        from theus_nb.session import Session

        @process(outputs=["domain.raw"])
        async def fetch(ctx):
            await asyncio.sleep(0)
            return "data"

        @process(inputs=["domain.raw"])
        def heavy(ctx):
            return ctx["domain.raw"]
    """
    text = textwrap.dedent(head) + textwrap.dedent(body)
    command = [sys.executable, "-W", "error", "-c", text]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
    said = ["nest-asyncio2" in line for line in ended.stderr.splitlines()]
    assert said == [True] * (reenters and sys.version_info < (3, 14)), ended.stderr
    assert ended.returncode == 0
    return ended.stdout


def test_a_script_without_a_loop() -> None:
    theus = Session()
    assert theus.run_sync(fetch) == "data"
    assert theus.run_sync("heavy") == "result of data"
    assert theus.state["domain.result"] == "result of data"
    with pytest.raises(KeyError):
        theus.run_sync(failing)
    with pytest.raises(UndeclaredReadError):
        theus.run_sync(process()(lambda_free_reader))
    theus.close()


def lambda_free_reader(ctx: Context) -> object:
    return ctx["domain.raw"]


def test_a_script_from_many_threads() -> None:
    theus, results = Session(), list[object]()
    theus.state["domain.raw"] = "data"
    threads = [
        threading.Thread(target=lambda: results.append(theus.run_sync(heavy))) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
    assert results == ["result of data"] * 8
    theus.close()


def test_threads_of_a_script_do_not_rely_on_each_other() -> None:
    theus, results = Session(), list[object]()
    longer_began, shorter_ended = threading.Event(), threading.Event()

    @process
    async def shorter(_ctx: Context) -> object:
        return await asyncio.to_thread(longer_began.wait, PATIENCE)

    @process
    async def longer(_ctx: Context) -> object:
        longer_began.set()
        return await asyncio.to_thread(shorter_ended.wait, PATIENCE)

    thread = threading.Thread(target=lambda: results.append(theus.run_sync(longer)))

    @process
    async def first(_ctx: Context) -> object:
        thread.start()  # while this loop is the only one there is
        return await theus.run(shorter)

    assert theus.run_sync(first)
    shorter_ended.set()
    thread.join(PATIENCE)
    assert results == [True]
    theus.close()


def test_a_worker_of_a_script_goes_on_on_its_own_runs_loop() -> None:
    theus = Session()

    @process
    async def inner(_ctx: Context) -> object:
        return asyncio.get_running_loop()

    @process
    def middle(_ctx: Context) -> object:
        return theus.run_sync(inner)

    @process
    async def outer(_ctx: Context) -> object:
        return await theus.run(middle), asyncio.get_running_loop()

    used, own = theus.run_sync(outer)
    assert used is own
    theus.close()


def test_a_run_whose_loop_was_closed_is_cancelled() -> None:
    theus, results = Session(), list[object]()
    began = threading.Event()

    @process
    async def stays(_ctx: Context) -> None:
        began.set()
        await asyncio.Event().wait()

    def wait() -> None:
        try:
            theus.run_sync(stays)
        except BaseException as error:  # noqa: BLE001 - looked at below
            results.append(error)

    thread = threading.Thread(target=wait)

    async def main() -> None:
        await theus.run(fetch)  # the session's loop is this one
        thread.start()
        await asyncio.to_thread(began.wait, PATIENCE)

    asyncio.run(main())
    thread.join(PATIENCE)
    (error,) = results
    assert isinstance(error, RunCancelledError | asyncio.CancelledError)
    theus.close()


@on_loop
async def test_from_another_thread_while_the_loop_runs(theus: Session) -> None:
    def elsewhere() -> list[object]:
        return [theus.run_sync(fetch), theus.run_sync(heavy), theus.run_sync(where)]

    first, second, thread = await asyncio.to_thread(elsewhere)
    assert (first, second) == ("data", "result of data")
    assert thread is not threading.current_thread()


@on_loop
async def test_errors_reach_the_caller(theus: Session) -> None:
    def elsewhere() -> None:
        with pytest.raises(KeyError):
            theus.run_sync(failing)
        with pytest.raises(MissingInputError):
            theus.run_sync(heavy)

    await asyncio.to_thread(elsewhere)


@on_loop
async def test_inside_an_async_process_it_is_refused(theus: Session) -> None:
    @process(outputs=["domain.raw?"])
    async def outer(_ctx: Context) -> None:
        for name in (fetch, "heavy"):
            with pytest.raises(SyncEntryError) as caught:
                theus.run_sync(name)
            message = str(caught.value)
            assert "await theus.run(" in message
            assert "'outer'" in message

    await theus.run(outer)
    await theus.start(outer)
    assert [record.name for record in theus.runs] == ["outer", "outer"]


@on_loop
async def test_inside_sync_code_on_the_loop_too(theus: Session) -> None:
    @process(lane="loop")
    def outer(_ctx: Context) -> None:
        with pytest.raises(SyncEntryError, match="await"):
            theus.run_sync(where)

    await theus.run(outer)


@on_loop
async def test_from_a_worker(theus: Session) -> None:
    @process(outputs=["domain.raw", "domain.result"])
    def outer(ctx: Context) -> None:
        inner = theus.run_sync(fetch), theus.run_sync(heavy)
        assert inner == ("data", "result of data")
        ctx["domain.raw"], ctx["domain.result"] = inner

    await theus.run(outer)
    assert [record.parent for record in theus.runs if record.name != "outer"] == ["r1", "r1"]


@on_loop
async def test_from_a_worker_an_input_is_waited_for(theus: Session) -> None:
    gate = Gate()

    @process(outputs=["domain.raw"])
    async def late(_ctx: Context) -> str:
        await gate.wait()
        return "late data"

    @process(outputs=["domain.result?"])
    def outer(_ctx: Context) -> object:
        gate.open()
        seen.append(theus.run_sync(heavy))
        return None

    seen: list[object] = []
    producer = theus.start(late)
    await theus.run(outer)
    assert seen == ["result of late data"]
    await producer


@on_loop
async def test_a_body_that_blocks_is_woken_to_be_stopped(theus: Session) -> None:
    """Its child is nobody's to cancel: only the body's own time is up."""
    waits = list[float | None]()
    gate = Gate()

    class Counted(threading.Event):
        def wait(self, timeout: float | None = None) -> bool:
            waits.append(timeout)
            return super().wait(timeout)

    @process
    async def held(_ctx: Context) -> None:
        await gate.wait()

    @process(timeout=SHORT_GRACE)
    def outer(_ctx: Context) -> object:
        return theus.run_sync(held)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            sync_entry, "threading", SimpleNamespace(**{**vars(threading), "Event": Counted})
        )
        with pytest.raises(RunTimeoutError):
            await theus.run(outer)
    gate.open()
    assert waits
    assert set(waits) == {None}


@on_loop
async def test_from_a_worker_a_failed_input(theus: Session) -> None:
    @process(outputs=["domain.raw"])
    def bad(_ctx: Context) -> None:
        raise KeyError("boom")

    @process(outputs=["domain.raw?", "domain.result?"])
    def outer(_ctx: Context) -> str | None:
        with pytest.raises(KeyError):
            theus.run_sync(bad)
        with pytest.raises(UpstreamError):
            theus.run_sync(heavy)
        return None

    await theus.run(outer)


def test_from_a_plain_cell_the_loop_is_entered_again() -> None:
    out = script(
        """
        theus, ticks = Session(), []

        async def ticker():
            while True:
                ticks.append(threading.current_thread())
                await asyncio.sleep(0)

        async def main():
            task = asyncio.ensure_future(ticker())
            loop = asyncio.get_running_loop()
            def cell():
                results.append(theus.run_sync(fetch))
                results.append(theus.run_sync(heavy))
                done.set_result(None)
            results, done = [], loop.create_future()
            loop.call_soon(cell)
            await done
            task.cancel()
            print(results, len(ticks) > 1)
            await theus.aclose()

        asyncio.run(main())
        """,
        reenters=True,
    )
    assert out == "['data', 'data'] True\n"


def test_while_another_one_pumps_it_is_refused() -> None:
    out = script(
        """
        theus = Session()

        async def main():
            loop = asyncio.get_running_loop()
            gate, refused = asyncio.Event(), []

            @process
            async def held(ctx):
                await gate.wait()
                return "held"

            def second():
                try:
                    theus.run_sync(fetch)
                except SyncEntryError as error:
                    refused.append("await theus.run" in str(error))
                gate.set()

            loop.call_soon(second)
            print(theus.run_sync(held), refused)
            await theus.aclose()

        asyncio.run(main())
        """,
        reenters=True,
    )
    assert out == "held [True]\n"


def test_a_loop_that_cannot_be_entered_again_says_so() -> None:
    pytest.importorskip("uvloop")
    out = script(
        """
        import uvloop
        theus = Session()

        async def main():
            try:
                theus.run_sync(fetch)
            except SyncEntryError as error:
                print("await theus.run" in str(error), "fetch" in str(error))
            print(await theus.run(fetch))
            await theus.aclose()

        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(main())
        """
    )
    assert out == "True True\ndata\n"
