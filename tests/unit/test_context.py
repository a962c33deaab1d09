"""What a body may touch through ``ctx``, and what it is told when it may not."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any

import pytest

from tests.unit.support import Gate, on_loop
from theus_nb.decorator import process
from theus_nb.errors import (
    ContractViolationError,
    MissingInputError,
    PathShapeError,
    RunEndedError,
    UndeclaredReadError,
    UndeclaredWriteError,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from theus_nb.context import Context
    from theus_nb.session import Session

Body = Any


def running(body: Callable[[Context], object], **contract: list[str]) -> Callable[[], object]:
    """Run a body once under a contract, in a session of its own, and return its value."""
    found: list[object] = []

    @on_loop
    async def check(theus: Session) -> None:
        theus.state["domain.a"] = 1
        theus.state["domain.b"] = 2
        theus.state["domain.tree.leaf"] = 3
        theus.state["global.config"] = {"depth": 4}
        definition = process(name="body", **contract)(body)  # type: ignore[call-overload]
        found.append(await theus.run(definition))

    def call() -> object:
        check()
        return found[0]

    return call


def test_three_ways_to_read() -> None:
    def body(ctx: Context) -> list[object]:
        return [ctx["domain.a"], ctx.domain.a, ctx.domain["a"]]

    assert running(body, inputs=["domain.a"])() == [1, 1, 1]


def test_ways_to_write() -> None:
    @on_loop
    async def check(theus: Session) -> None:
        @process(outputs=["domain.x", "domain.y", "domain.deep.z"])
        def write(ctx: Context) -> None:
            ctx["domain.x"] = 1
            ctx.domain.y = 2
            ctx.domain.deep.z = 3

        await theus.run(write)
        assert [theus.state[p] for p in ("domain.x", "domain.y", "domain.deep.z")] == [1, 2, 3]

    check()


def test_a_keyword_is_reached_by_an_underscore_or_as_an_item() -> None:
    def body(ctx: Context) -> tuple[object, object]:
        return ctx["global.config"], ctx.global_.config

    assert running(body, inputs=["global.config"])() == ({"depth": 4}, {"depth": 4})


def test_declaring_a_path_grants_its_children() -> None:
    def body(ctx: Context) -> tuple[object, object]:
        return ctx["domain.tree.leaf"], ctx.domain.tree.leaf

    assert running(body, inputs=["domain.tree"])() == (3, 3)


def test_declaring_a_leaf_does_not_open_its_neighbour() -> None:
    with pytest.raises(UndeclaredReadError, match=r"'domain\.b'"):
        running(lambda ctx: ctx["domain.b"], inputs=["domain.a"])()
    with pytest.raises(UndeclaredReadError, match=r"'domain\.b'"):
        running(lambda ctx: ctx.domain.b, inputs=["domain.a"])()


def read_b(ctx: Context) -> object:
    return ctx["domain.b"]


def write_b(ctx: Context) -> None:
    ctx["domain.b"] = 1


@pytest.mark.parametrize(
    ("body", "error", "declared", "line"),
    [
        (
            read_b,
            UndeclaredReadError,
            "inputs (domain.a, y?)",
            "@process(inputs=['domain.a', 'y?', 'domain.b'], outputs=['x'])",
        ),
        (
            write_b,
            UndeclaredWriteError,
            "outputs (x)",
            "@process(inputs=['domain.a', 'y?'], outputs=['x', 'domain.b'])",
        ),
    ],
)
def test_a_violation_names_everything(
    body: Callable[[Context], object],
    error: type[ContractViolationError],
    declared: str,
    line: str,
) -> None:
    with pytest.raises(error) as caught:
        running(body, inputs=["domain.a", "y?"], outputs=["x"])()
    message = str(caught.value)
    assert "'body'" in message
    assert "'domain.b'" in message
    assert declared in message
    assert line in message
    assert caught.value.process == "body"
    assert caught.value.path == "domain.b"
    assert caught.value.run_id is not None
    assert isinstance(caught.value, PermissionError)


def test_reading_an_output_that_is_no_input() -> None:
    with pytest.raises(UndeclaredReadError, match=r"'domain\.a'"):
        running(lambda ctx: ctx["domain.a"], outputs=["domain.a"])()


def test_writing_an_input_that_is_no_output() -> None:
    def body(ctx: Context) -> None:
        ctx.domain.a = 5

    with pytest.raises(UndeclaredWriteError, match=r"'domain\.a'"):
        running(body, inputs=["domain.a"])()


def test_a_run_reads_its_own_writes() -> None:
    seen: list[object] = []

    def body(ctx: Context) -> None:
        seen.append(ctx["domain.a"])
        ctx["domain.a"] = "mine"
        ctx["domain.new"] = "new"
        seen.extend([ctx["domain.a"], ctx.domain.new])

    running(body, inputs=["domain.a"], outputs=["domain.a", "domain.new"])()
    assert seen == [1, "mine", "new"]


@pytest.mark.parametrize("how", ["read", "write"])
def test_a_violation_that_the_body_swallows_still_fails_the_run(how: str) -> None:
    @on_loop
    async def check(theus: Session) -> None:
        @process(outputs=["domain.x"])
        def sly(ctx: Context) -> str:
            with contextlib.suppress(Exception):
                if how == "read":
                    ctx["domain.secret"]
                else:
                    ctx["domain.secret"] = 1
            return "fine"

        @process(outputs=["domain.x"])
        async def sly_async(ctx: Context) -> str:
            return str(sly(ctx))

        for definition in (sly, sly_async):
            with pytest.raises(ContractViolationError, match=r"domain\.secret"):
                await theus.run(definition)
            assert "domain.x" not in theus.state

    check()


def test_display_probes_are_no_violations() -> None:
    def body(ctx: Context) -> list[bool]:
        probes = ("_ipython_display_", "_repr_html_", "__len__", "_x")
        return [hasattr(ctx, p) or hasattr(ctx.domain, p) for p in probes]

    assert running(body, inputs=["domain.a"])() == [False] * 4


def test_ctx_has_a_repr_that_names_the_run() -> None:
    def body(ctx: Context) -> str:
        return repr(ctx)

    text = str(running(body, inputs=["domain.a"], outputs=["domain.x?"])())
    assert "body" in text


def test_repr_of_ctx_leads_to_no_violation() -> None:
    def body(ctx: Context) -> None:
        repr(ctx)
        repr(ctx.domain)
        str(ctx)

    assert running(body, inputs=["domain.a"])() is None


def test_an_invalid_path_is_a_mistake_and_says_so() -> None:
    with pytest.raises(ValueError, match="invalid path"):
        running(lambda ctx: ctx["domain..a"], inputs=["domain.a"])()


def test_a_value_and_children_never_both() -> None:
    def above(ctx: Context) -> None:
        ctx["domain.tree"] = 1

    def below(ctx: Context) -> None:
        ctx["domain.new.leaf"] = 1
        ctx["domain.new"] = 2

    with pytest.raises(PathShapeError, match=r"'domain\.tree'") as caught:
        running(above, outputs=["domain.tree"])()
    assert "'body'" in str(caught.value)
    assert "domain.tree.leaf" in str(caught.value)
    with pytest.raises(PathShapeError, match=r"domain\.new"):
        running(below, outputs=["domain.new"])()


def test_a_child_beneath_a_value_is_refused() -> None:
    def body(ctx: Context) -> None:
        ctx["domain.a.leaf"] = 1

    with pytest.raises(PathShapeError, match=r"domain\.a"):
        running(body, outputs=["domain.a.leaf"])()


@on_loop
async def test_nothing_is_committed_by_a_run_that_fails(theus: Session) -> None:
    @process(outputs=["domain.x?", "domain.y?"])
    def half(ctx: Context) -> None:
        ctx["domain.x"] = 1
        raise KeyError("boom")

    with pytest.raises(KeyError):
        await theus.run(half)
    assert "domain.x" not in theus.state


@on_loop
async def test_nothing_is_visible_before_the_end(theus: Session) -> None:
    gate = Gate()

    @process(outputs=["domain.x"])
    def slow(ctx: Context) -> None:
        ctx["domain.x"] = 1
        gate.block()

    run = theus.start(slow)
    await gate.reached()
    assert "domain.x" not in theus.state
    gate.open()
    await run
    assert theus.state["domain.x"] == 1


@on_loop
async def test_a_context_used_after_the_end(theus: Session) -> None:
    kept: list[Context] = []

    @process(inputs=["domain.a"], outputs=["domain.a"])
    def keep(ctx: Context) -> int:
        kept.append(ctx)
        return int(ctx["domain.a"])

    theus.state["domain.a"] = 1
    await theus.run(keep)
    ctx = kept[0]
    for use in (
        lambda: ctx["domain.a"],
        lambda: ctx.domain.a,
        lambda: ctx.__setitem__("domain.a", 2),
        lambda: setattr(ctx.domain, "a", 2),
    ):
        with pytest.raises(RunEndedError, match="'keep'") as caught:
            use()
        assert "ended" in str(caught.value)
    assert theus.state["domain.a"] == 1


@on_loop
async def test_a_background_task_that_inherits_the_context(theus: Session) -> None:
    gate, tasks = Gate(), list[asyncio.Task[object]]()

    @process(inputs=["domain.a"], outputs=["domain.b?"])
    async def spawn(ctx: Context) -> None:
        async def later() -> object:
            await gate.wait()
            ctx["domain.b"] = 2
            return None

        tasks.append(asyncio.create_task(later()))

    theus.state["domain.a"] = 1
    await theus.run(spawn)
    assert not tasks[0].done()  # it goes on after the process
    gate.open()
    with pytest.raises(RunEndedError):
        await tasks[0]
    assert "domain.b" not in theus.state


@on_loop
async def test_a_missing_input_says_who_would_write_it(theus: Session) -> None:
    @process(outputs=["domain.raw"])
    def fetch(_ctx: Context) -> int:
        return 1

    @process(inputs=["domain.raw"])
    def crunch(ctx: Context) -> object:
        return ctx["domain.raw"]

    with pytest.raises(MissingInputError) as caught:
        await theus.run(crunch)
    message = str(caught.value)
    for part in ("domain.raw", "never been written", "fetch", "run it first", "crunch"):
        assert part in message
    assert (caught.value.process, caught.value.path) == ("crunch", "domain.raw")
    await theus.run(fetch)
    assert await theus.run(crunch) == 1


@on_loop
async def test_a_missing_input_that_nobody_writes(theus: Session) -> None:
    @process(inputs=["domain.nobody_writes_this"])
    def crunch(ctx: Context) -> object:
        return ctx["domain.nobody_writes_this"]

    with pytest.raises(MissingInputError, match=r"domain\.nobody_writes_this.*never"):
        await theus.run(crunch)


def test_an_optional_input_is_none() -> None:
    def body(ctx: Context) -> list[object]:
        return [ctx["domain.never"], ctx.domain.never]

    assert running(body, inputs=["domain.never?"])() == [None, None]
