"""Sessions: their beginning, their end, and what is refused afterwards."""

from __future__ import annotations

import asyncio
import gc
import threading
import weakref
from typing import TYPE_CHECKING, Any

import pytest

import theus_nb
from tests.unit.support import SHORT_GRACE, Gate, Signal, on_loop
from theus_nb.contract import Contract
from theus_nb.decorator import process
from theus_nb.errors import RunCancelledError, SessionClosedError, SessionError
from theus_nb.installed import current, install
from theus_nb.process import Process
from theus_nb.session import Session

if TYPE_CHECKING:
    from theus_nb.context import Context
    from theus_nb.run import Run


@process(outputs=["domain.raw"])
async def fetch(_ctx: Context, gate: Gate | None = None) -> str:
    if gate:
        await gate.wait()
    return "data"


@process(outputs=["domain.raw"])
def produce(_ctx: Context, gate: Gate | None = None) -> str:
    if gate:
        gate.block()
    return "data"


@process(inputs=["domain.raw"])
def read(ctx: Context) -> object:
    return ctx["domain.raw"]


def test_public_names() -> None:
    assert theus_nb.Session is Session
    assert theus_nb.process is process
    assert sorted(theus_nb.__all__) == list(theus_nb.__all__)
    for name in theus_nb.__all__:
        assert getattr(theus_nb, name) is not None


def test_the_notebook_s_session() -> None:
    assert current() is None
    theus = Session()
    install(theus)
    assert current() is theus
    assert theus_nb.session() is theus
    install(None)
    assert current() is None
    theus.close()


def test_sessions_share_nothing_but_functions() -> None:
    first, second = Session(), Session()
    first.state["domain.raw"] = 1
    assert "domain.raw" not in second.state
    cell = Process.from_cell("only_here", lambda ctx: ctx, Contract(), source="")
    first.registry.add(cell)
    assert "only_here" in first.processes
    assert "only_here" not in second.processes
    assert "read" in first.processes
    assert "read" in second.processes
    first.close()
    second.close()


def test_starting_without_a_loop_says_what_to_do() -> None:
    theus = Session()
    for definition in (fetch, produce):
        with pytest.raises(SessionError, match="run_sync"):
            theus.start(definition)
    theus.close()


@on_loop
async def test_leaving_the_block_closes(theus: Session) -> None:
    async with Session() as inner:
        assert await inner.run(fetch) == "data"
    with pytest.raises(SessionClosedError):
        await inner.run(fetch)
    assert await theus.run(fetch) == "data"


@on_loop
async def test_everything_is_refused_after_close(theus: Session) -> None:
    run = theus.start(fetch)
    await run
    theus.close()
    theus.close()
    for definition in (fetch, produce, "read"):
        with pytest.raises(SessionClosedError, match=r"closed.*new Session"):
            await theus.run(definition)
        with pytest.raises(SessionClosedError):
            theus.start(definition)
        with pytest.raises(SessionClosedError):
            await asyncio.to_thread(theus.run_sync, definition)
    with pytest.raises(SessionClosedError):
        theus.state["domain.raw"] = 2
    assert run.result() == "data"  # what was, can still be looked at
    assert theus.state["domain.raw"] == "data"
    assert len(theus.runs) == 1
    assert "closed" in repr(theus)


@on_loop
async def test_a_closed_session_without_a_loop(theus: Session) -> None:
    theus.close()

    def script() -> None:
        with pytest.raises(SessionClosedError):
            theus.run_sync(produce)

    await asyncio.to_thread(script)


@on_loop
async def test_closing_cancels_what_is_unfinished(theus: Session) -> None:
    gates = Gate(), Gate()
    runs = [theus.start(fetch, gates[0]), theus.start(read), theus.start(produce, gates[1])]
    for gate in gates:
        await gate.reached()
    theus.close()
    await asyncio.wait(runs)  # type: ignore[type-var]  # all but its class
    for run in runs:
        with pytest.raises(RunCancelledError, match="closed"):
            run.result()
    assert [run.status for run in runs] == ["cancelled", "cancelled", "abandoned"]
    gates[1].open()


@on_loop
async def test_closing_with_an_exception_in_flight(theus: Session) -> None:
    runs: list[Run] = []
    with pytest.raises(ZeroDivisionError):
        await broken_block(runs)
    assert runs[0].status == "cancelled"
    assert await theus.run(fetch) == "data"


async def broken_block(runs: list[Run]) -> None:
    async with Session() as theus:
        runs.append(theus.start(fetch, Gate()))
        await asyncio.sleep(0)
        raise ZeroDivisionError


@on_loop
async def test_closing_lets_the_threads_go(theus: Session) -> None:
    async with Session(workers=4) as inner:
        gate = Gate()
        runs = [inner.start(produce, gate) for _ in range(4)]
        await gate.reached()
        gate.open()
        threads = await asyncio.gather(*runs)
        before = [t for t in threading.enumerate() if t.name.startswith("theus")]
        assert len(threads) == 4
        assert before
    alive = [t for t in before if t.is_alive()]
    assert alive == []
    assert await theus.run(produce) == "data"


@on_loop
async def test_closing_where_no_thread_can_be_started_any_more(theus: Session) -> None:
    # So it is while the interpreter ends, from Python 3.12 on.
    def refuse(_thread: threading.Thread) -> None:
        msg = "can't create new thread at interpreter shutdown"
        raise RuntimeError(msg)

    inner = Session(workers=1, grace=SHORT_GRACE)
    inner.adopt_loop(asyncio.get_running_loop())
    gate = Gate()
    stuck, queued, waiting = (inner.start(p, gate) for p in (produce, produce, fetch))
    await gate.reached()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(threading.Thread, "start", refuse)
        inner.close()
    gate.open()
    for run in (stuck, queued, waiting):
        with pytest.raises(RunCancelledError, match="the session was closed"):
            await run
    assert await theus.run(produce) == "data"


def test_a_session_that_nobody_closed_can_go() -> None:
    theus = Session()
    theus.run_sync(fetch)
    theus.run_sync(produce)
    reference = weakref.ref(theus)
    del theus
    gc.collect()
    assert reference() is None


@on_loop
async def test_values_go_with_the_state(theus: Session) -> None:
    class Value:
        """Something a weak reference can point to."""

    value = Value()
    reference = weakref.ref(value)
    theus.state["domain.raw"] = value
    del value
    assert reference() is not None
    theus.state["domain.raw"] = None
    gc.collect()
    assert reference() is None


@on_loop
async def test_old_versions_are_kept_only_while_somebody_needs_them(theus: Session) -> None:
    class Value:
        """Something a weak reference can point to."""

    gate, read_it = Gate(), Signal()

    @process(inputs=["domain.raw"])
    async def slow(ctx: Context) -> str:
        await gate.wait()
        name = type(ctx["domain.raw"]).__name__
        read_it.set()
        return name

    value = Value()
    reference = weakref.ref(value)
    theus.state["domain.raw"] = value
    del value
    run = theus.start(slow)
    theus.state["domain.raw"] = None
    gc.collect()
    assert reference() is not None
    gate.open()
    assert await run == "Value"
    await read_it.wait()
    del run
    for _ in range(3):
        gc.collect()
        await asyncio.sleep(0)
    assert reference() is None


@on_loop
async def test_running_by_name_finds_the_newest_definition(theus: Session) -> None:
    def define(value: int) -> Process:
        def versioned(_ctx: Context) -> int:
            return value

        return process()(versioned)

    define(1)
    assert await theus.run("versioned") == 1
    define(2)
    assert await theus.run("versioned") == 2


@on_loop
async def test_many_short_lived_definitions_do_not_pile_up(theus: Session) -> None:
    references: list[weakref.ref[Any]] = []
    for _ in range(20):

        class TheirContract:
            inputs: tuple[str, ...] = ()
            outputs: tuple[str, ...] = ()

        def foreign(_ctx: Context) -> None:
            """Do nothing."""

        foreign._pop_contract = TheirContract()  # type: ignore[attr-defined]
        await theus.run(foreign)
        references.append(weakref.ref(foreign))
    del foreign
    gc.collect()
    alive = sum(reference() is not None for reference in references)
    assert alive <= 1


@on_loop
async def test_one_function_run_often_is_one_definition(theus: Session) -> None:
    class TheirContract:
        inputs: tuple[str, ...] = ()
        outputs: tuple[str, ...] = ()

    def foreign(_ctx: Context) -> None:
        """Do nothing."""

    foreign._pop_contract = TheirContract()  # type: ignore[attr-defined]
    await theus.run(foreign)
    before = definitions()
    for _ in range(50):
        await theus.run(foreign)
    assert definitions() <= before


def definitions() -> int:
    """Count the processes there are."""
    gc.collect()
    return sum(isinstance(thing, Process) for thing in gc.get_objects())
