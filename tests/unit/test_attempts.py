"""Retries: which attempts there are, what they see, what is committed."""

from __future__ import annotations

import asyncio
import contextvars
import inspect
from typing import TYPE_CHECKING, Any

import pytest

from tests.unit.support import PATIENCE, Signal
from tests.unit.test_stopping import patient
from theus_nb.decorator import process
from theus_nb.errors import RunCancelledError, UndeclaredWriteError
from theus_nb.session import Session

if TYPE_CHECKING:
    from collections.abc import Callable

    from theus_nb.context import Context
    from theus_nb.process import Process

FIRST_FAILS = {"retries": 2, "retry_on": [ConnectionError]}


def both(body: Callable[..., Any], **options: Any) -> list[Process]:  # noqa: ANN401 - of process
    """Return a sync and an async process that do the same."""

    def in_worker(ctx: Context, *args: object) -> object:
        return body(ctx, *args)

    async def on_loop(ctx: Context, *args: object) -> object:
        await asyncio.sleep(0)
        return body(ctx, *args)

    return [process(name=fn.__name__, **options)(fn) for fn in (in_worker, on_loop)]


@patient
async def test_the_last_attempt_commits(theus: Session) -> None:
    seen = list[object]()

    def body(ctx: Context, fails: int) -> str:
        seen.append(ctx["domain.n"])
        if len(seen) <= fails:
            ctx["domain.n"] = -1
            raise ConnectionError("not yet")
        return "done"

    for definition in both(body, inputs=["domain.n"], outputs=["domain.n"], **FIRST_FAILS):
        theus.state["domain.n"] = 1
        seen.clear()
        await theus.run(definition, 2)
        assert seen == [1, 1, 1]  # what a failed attempt wrote is gone
        assert theus.state["domain.n"] == "done"
        spans = [record.status for record in theus.runs if record.name == definition.name]
        assert spans == ["retried", "retried", "finished"]


@patient
async def test_after_the_last_attempt_the_error_is_the_bodys_own(theus: Session) -> None:
    def body(_ctx: Context, calls: list[int]) -> None:
        calls.append(1)
        raise ConnectionError(f"attempt {len(calls)}")

    for definition in both(body, outputs=["domain.raw"], **FIRST_FAILS):
        calls = list[int]()
        with pytest.raises(ConnectionError, match="attempt 3"):
            await theus.run(definition, calls)
        assert len(calls) == 3
        theus.state.accept("domain.raw")


@patient
async def test_only_the_listed_errors_are_tried_again(theus: Session) -> None:
    def body(_ctx: Context, calls: list[int]) -> None:
        calls.append(1)
        raise ValueError("no use")

    for definition in both(body, **FIRST_FAILS):
        calls = list[int]()
        with pytest.raises(ValueError, match="no use"):
            await theus.run(definition, calls)
        assert len(calls) == 1


@patient
async def test_types_by_name_and_subclasses(theus: Session) -> None:
    def body(_ctx: Context, calls: list[int]) -> int:
        calls.append(1)
        if len(calls) == 1:
            raise ConnectionResetError
        return len(calls)

    for definition in both(body, retries=1, retry_on=["ConnectionError"]):
        assert await theus.run(definition, []) == 2


@patient
async def test_a_broken_contract_is_not_tried_again(theus: Session) -> None:
    def body(ctx: Context, calls: list[int]) -> None:
        calls.append(1)
        ctx["domain.other"] = 1

    for definition in both(body, **FIRST_FAILS):
        calls = list[int]()
        with pytest.raises(UndeclaredWriteError):
            await theus.run(definition, calls)
        assert len(calls) == 1


@patient
async def test_readers_wait_for_the_last_attempt(theus: Session) -> None:
    calls = list[int]()

    def body(_ctx: Context) -> str:
        calls.append(1)
        if len(calls) % 2:
            raise ConnectionError
        return "second"

    @process(inputs=["domain.raw"])
    def read(ctx: Context) -> object:
        return ctx["domain.raw"]

    for definition in both(body, outputs=["domain.raw"], backoff=0.001, **FIRST_FAILS):
        theus.start(definition)
        assert await theus.run(read) == "second"


@patient
async def test_context_variables_of_one_attempt_are_not_those_of_the_next(theus: Session) -> None:
    mark = contextvars.ContextVar("mark", default="unset")
    seen = list[str]()

    @process(retries=1, retry_on=[ConnectionError])
    def body(_ctx: Context) -> None:
        seen.append(mark.get())
        mark.set("set by the first")
        if len(seen) == 1:
            raise ConnectionError

    mark.set("the caller's")
    await theus.run(body)
    assert seen == ["the caller's", "the caller's"]


@patient
async def test_no_worker_is_kept_during_a_pause(theus: Session) -> None:
    tried = Signal()

    @process(retries=1, retry_on=[ConnectionError], backoff=PATIENCE * 10)
    def flaky(_ctx: Context) -> None:
        tried.set()
        raise ConnectionError

    @process
    def other(_ctx: Context) -> str:
        return "runs meanwhile"

    runs = [theus.start(flaky) for _ in range(50)]
    await tried.wait()
    assert await theus.run(other) == "runs meanwhile"
    for run in runs:
        run.cancel("tired of it")
    for run in runs:
        with pytest.raises(RunCancelledError, match="tired of it"):
            await run


@patient
async def test_a_pause_on_the_loop_can_be_cancelled(theus: Session) -> None:
    tried = Signal()

    @process(retries=1, retry_on=[ConnectionError], backoff=PATIENCE * 10)
    async def flaky(_ctx: Context) -> None:
        tried.set()
        raise ConnectionError

    run = theus.start(flaky)
    await tried.wait()
    await asyncio.sleep(0)
    run.cancel()
    with pytest.raises(RunCancelledError):
        await run


@patient
async def test_inline_runs_are_tried_again_too(theus: Session) -> None:
    calls = list[int]()

    @process(retries=2, retry_on=[ConnectionError])
    def inner(_ctx: Context) -> int:
        calls.append(1)
        if len(calls) < 3:
            raise ConnectionError
        return len(calls)

    @process
    def outer(_ctx: Context) -> object:
        return theus.run_sync(inner)

    assert await theus.run(outer) == 3


@patient
async def test_a_def_that_returns_an_awaitable_is_tried_again(theus: Session) -> None:
    calls = list[int]()

    async def later() -> int:
        await asyncio.sleep(0)
        if len(calls) < 3:
            raise ConnectionError
        return len(calls)

    @process(retries=2, retry_on=[ConnectionError])
    def body(_ctx: Context) -> Any:  # noqa: ANN401 - an awaitable
        calls.append(1)
        return later()

    assert await theus.run(body) == 3
    assert inspect.isfunction(body.fn)


def test_each_attempt_is_an_entry_of_its_own() -> None:
    calls = list[int]()

    def body(_ctx: Context) -> int:
        calls.append(1)
        if len(calls) % 3:
            raise ConnectionResetError("the text stays out of the log")
        return len(calls)

    async def main() -> None:
        async with Session(audit=False) as theus:
            for definition in both(body, **FIRST_FAILS):
                run = theus.start(definition)
                await run
                entries = [e for e in theus.audit.tail(100) if e.get("run") == run.id]
                assert [e["kind"] for e in entries] == [
                    "run_started",
                    "run_retried",
                    "run_started",
                    "run_retried",
                    "run_started",
                    "run_finished",
                ]
                retried = [e["detail"] for e in entries if e["kind"] == "run_retried"]
                assert retried == [
                    {"attempt": 1, "error": "ConnectionResetError"},
                    {"attempt": 2, "error": "ConnectionResetError"},
                ]

    asyncio.run(main())
