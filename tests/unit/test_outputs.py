"""From return value to outputs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.unit.support import Gate, on_loop
from theus_nb.decorator import process
from theus_nb.errors import MissingOutputError, OutputError, UndeclaredWriteError

if TYPE_CHECKING:
    from theus_nb.context import Context
    from theus_nb.session import Session

NOTHING = object()
"""Stands for a path that was not written."""


def laid(value: object, outputs: list[str]) -> list[object]:
    """Run a process that returns a value; return what its outputs hold afterwards."""
    found: list[object] = []

    @on_loop
    async def check(theus: Session) -> None:
        @process(outputs=outputs)
        def body(_ctx: Context) -> object:
            return value

        assert await theus.run(body) is value
        for output in outputs:
            path = output.removesuffix("?")
            found.append(theus.state.get(path, NOTHING))

    check()
    return found


@pytest.mark.parametrize("value", [5, "text", [1, 2], (1, 2), {"a": 1}, {"domain.other": 1}, False])
def test_one_output_takes_the_value_as_it_is(value: object) -> None:
    assert laid(value, ["domain.x"]) == [value]


@pytest.mark.parametrize("value", [(1, 2), [1, 2]])
def test_several_take_a_sequence_in_order(value: object) -> None:
    assert laid(value, ["domain.x", "domain.y"]) == [1, 2]


@pytest.mark.parametrize(
    "value",
    [
        {"domain.x": 1, "domain.y": 2},
        {"y": 2, "x": 1},
        {"domain.y": 2, "x": 1},
    ],
)
def test_several_take_a_dict_by_path_or_leaf(value: object) -> None:
    assert laid(value, ["domain.x", "domain.y"]) == [1, 2]


def test_a_dict_may_leave_optional_outputs_out() -> None:
    assert laid({"x": 1}, ["domain.x", "domain.y?"]) == [1, NOTHING]


def test_none_writes_nothing() -> None:
    assert laid(None, ["domain.x?"]) == [NOTHING]
    assert laid(None, ["domain.x?", "domain.y?"]) == [NOTHING, NOTHING]


def test_none_inside_a_sequence_is_a_value() -> None:
    assert laid((None, 2), ["domain.x", "domain.y"]) == [None, 2]


def test_without_outputs_the_value_is_only_returned() -> None:
    assert laid((1, 2, 3), []) == []


def test_a_real_none_is_assigned() -> None:
    @on_loop
    async def check(theus: Session) -> None:
        @process(outputs=["domain.x"])
        def body(ctx: Context) -> None:
            ctx["domain.x"] = None

        await theus.run(body)
        assert theus.state["domain.x"] is None
        assert "domain.x" in theus.state

    check()


def refused(value: object, outputs: list[str], error: type[Exception]) -> Any:  # noqa: ANN401 - the error
    """Run a process whose value does not fit; return the exception."""
    found: list[BaseException] = []

    @on_loop
    async def check(theus: Session) -> None:
        @process(name="misfit", outputs=outputs)
        def body(_ctx: Context) -> object:
            return value

        with pytest.raises(error) as caught:
            await theus.run(body)
        found.append(caught.value)
        assert not any(output in theus.state for output in outputs)  # all or nothing
        assert theus.runs[-1].status == "failed"

    check()
    return found[0]


@pytest.mark.parametrize("value", [(1,), (1, 2, 3), [], [1]])
def test_the_number_of_values_must_match(value: Any) -> None:  # noqa: ANN401 - a sequence
    error = refused(value, ["domain.x", "domain.y"], OutputError)
    for part in ("'misfit'", "2", str(len(value)), "domain.x", "domain.y"):
        assert part in str(error)
    assert error.process == "misfit"


@pytest.mark.parametrize("value", [5, "ab", {1, 2}, b"ab"])
def test_several_outputs_need_a_sequence_or_a_dict(value: object) -> None:
    error = refused(value, ["domain.x", "domain.y"], OutputError)
    for part in ("'misfit'", type(value).__name__, "tuple", "dict"):
        assert part in str(error)


def test_a_dict_with_an_unknown_key() -> None:
    error = refused({"x": 1, "y": 2, "z": 3}, ["domain.x", "domain.y"], Exception)
    assert isinstance(error, OutputError | UndeclaredWriteError)
    assert "'z'" in str(error)
    assert "'misfit'" in str(error)


def test_a_leaf_that_fits_two_outputs_is_ambiguous() -> None:
    error = refused({"x": 1}, ["domain.x", "other.x"], OutputError)
    for part in ("'x'", "domain.x", "other.x"):
        assert part in str(error)


@pytest.mark.parametrize(("value", "path"), [(None, "domain.x"), ({"x": 1}, "domain.y")])
def test_a_required_output_that_was_never_written(value: object, path: str) -> None:
    error = refused(value, ["domain.x", "domain.y"], MissingOutputError)
    assert "'misfit'" in str(error)
    assert repr(path) in str(error)
    assert repr(path + "?") in str(error)  # one of the ways out
    assert error.process == "misfit"


def test_one_missing_output_of_one() -> None:
    error = refused(None, ["domain.x"], MissingOutputError)
    assert error.path == "domain.x"


def test_assigned_and_returned_together() -> None:
    @on_loop
    async def check(theus: Session) -> None:
        @process(outputs=["domain.x", "domain.y"])
        def body(ctx: Context) -> dict[str, object]:
            ctx["domain.x"] = "assigned"
            return {"y": "returned"}

        await theus.run(body)
        assert theus.state["domain.x"] == "assigned"
        assert theus.state["domain.y"] == "returned"

    check()


def test_a_branch_output_is_satisfied_by_what_is_beneath() -> None:
    @on_loop
    async def check(theus: Session) -> None:
        @process(outputs=["domain.tree"])
        def body(ctx: Context) -> None:
            ctx["domain.tree.left"] = 1

        await theus.run(body)
        assert theus.state["domain.tree.left"] == 1

    check()


def test_async_processes_alike() -> None:
    @on_loop
    async def check(theus: Session) -> None:
        @process(outputs=["domain.x", "domain.y"])
        async def body(_ctx: Context, value: object) -> object:
            return value

        assert await theus.run(body, (1, 2)) == (1, 2)
        assert theus.state["domain.y"] == 2
        with pytest.raises(OutputError):
            await theus.run(body, (1, 2, 3))

    check()


def test_generators_are_refused() -> None:
    error = refused((n for n in range(3)), ["domain.x"], OutputError)
    for part in ("'misfit'", "generator", "list"):
        assert part in str(error)


def test_generators_are_refused_without_outputs_too() -> None:
    error = refused((n for n in range(3)), [], OutputError)
    assert "generator" in str(error)


@on_loop
async def test_outputs_of_a_run(theus: Session) -> None:
    gate = Gate()

    @process(outputs=["domain.x", "domain.y?"])
    def body(_ctx: Context) -> dict[str, object]:
        gate.block()
        return {"x": 1}

    run = theus.start(body)
    assert run.outputs == {}
    gate.open()
    await run
    assert run.outputs == {"domain.x": 1}
