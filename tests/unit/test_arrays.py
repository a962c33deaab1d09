"""Real objects: handed over as they are, with the cheap protection that libraries offer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.unit.support import on_loop
from theus_nb.decorator import process

if TYPE_CHECKING:
    from theus_nb.context import Context
    from theus_nb.session import Session

np = pytest.importorskip("numpy")
pd = pytest.importorskip("pandas")

copies_on_write = pytest.mark.skipif(
    int(pd.__version__.split(".")[0]) < 3, reason="this pandas shares what it copies shallowly"
)


def frame() -> Any:  # noqa: ANN401 - pandas is optional here
    return pd.DataFrame({"x": [1, 2, 3], "y": [4.0, 5.0, 6.0]})


@on_loop
async def test_ordinary_objects_are_the_objects_themselves(theus: Session) -> None:
    value: list[object] = [object()]

    @process(inputs=["domain.raw"])
    def look(ctx: Context) -> object:
        return ctx["domain.raw"]

    theus.state["domain.raw"] = value
    assert await theus.run(look) is value
    assert theus.state["domain.raw"] is value


@on_loop
async def test_an_array_that_is_only_input_is_read_only(theus: Session) -> None:
    @process(inputs=["domain.array"])
    def change(ctx: Context) -> None:
        ctx["domain.array"][0] = 99

    @process(inputs=["domain.array"])
    async def total(ctx: Context) -> float:
        return float(ctx["domain.array"].sum())

    array = np.arange(4)
    theus.state["domain.array"] = array
    with pytest.raises(ValueError, match="read-only"):
        await theus.run(change)
    assert await theus.run(total) == 6.0
    assert array[0] == 0
    assert array.flags.writeable  # the view is, not the array


@on_loop
async def test_a_view_and_no_copy(theus: Session) -> None:
    @process(inputs=["domain.array"])
    def look(ctx: Context) -> object:
        return ctx["domain.array"]

    array = np.zeros(1_000_000)
    theus.state["domain.array"] = array
    seen: Any = await theus.run(look)
    assert np.shares_memory(seen, array)


@on_loop
async def test_an_array_that_is_output_too_is_changed_in_place(theus: Session) -> None:
    @process(inputs=["domain.array"], outputs=["domain.array"])
    def change(ctx: Context) -> None:
        array = ctx["domain.array"]
        array[0] = 99
        ctx["domain.array"] = array

    array = np.arange(4)
    theus.state["domain.array"] = array
    await theus.run(change)
    assert theus.state["domain.array"] is array
    assert array[0] == 99


@on_loop
async def test_an_array_beneath_a_branch_that_is_output_too(theus: Session) -> None:
    @process(inputs=["domain.arrays"], outputs=["domain.arrays"])
    def change(ctx: Context) -> None:
        array = ctx["domain.arrays.first"]
        array[0] = 99
        ctx["domain.arrays.first"] = array

    @process(inputs=["domain.arrays"], outputs=["domain.arrays.first"])
    def change_one(ctx: Context) -> None:
        ctx["domain.arrays.first"][0] = 100
        ctx["domain.arrays.first"] = ctx["domain.arrays.first"]
        with pytest.raises(ValueError, match="read-only"):
            ctx["domain.arrays.second"][0] = 100

    theus.state["domain.arrays.first"] = np.arange(4)
    theus.state["domain.arrays.second"] = np.arange(4)
    await theus.run(change)
    assert theus.state["domain.arrays.first"][0] == 99
    await theus.run(change_one)
    assert theus.state["domain.arrays.first"][0] == 100
    assert theus.state["domain.arrays.second"][0] == 0


@on_loop
async def test_an_update_may_return_what_it_was_given(theus: Session) -> None:
    @process(inputs=["domain.array"], outputs=["domain.copy"])
    def hand_on(ctx: Context) -> object:
        return ctx["domain.array"]

    @process(inputs=["domain.copy"], outputs=["domain.copy"])
    def change(ctx: Context) -> object:
        array = ctx["domain.copy"]
        array[0] = 99
        return array

    theus.state["domain.array"] = np.arange(4)
    await theus.run(hand_on)
    with pytest.raises(ValueError, match="read-only"):  # it still is somebody else's array
        await theus.run(change)
    assert theus.state["domain.array"][0] == 0


@on_loop
async def test_read_only_arrays_and_subclasses_stay_what_they_are(theus: Session) -> None:
    @process(inputs=["domain.array"], outputs=["domain.array?"])
    def look(ctx: Context) -> None:
        seen.append(ctx["domain.array"])

    seen: list[Any] = []
    frozen = np.arange(3)
    frozen.flags.writeable = False
    masked = np.ma.masked_array([1, 2, 3], mask=[0, 1, 0])
    for value in (frozen, masked):
        theus.state["domain.array"] = value
        await theus.run(look)
        assert type(seen[-1]) is type(value)
    assert not seen[0].flags.writeable


@copies_on_write
@on_loop
async def test_a_frame_changed_inside_a_run_does_not_change_the_state(theus: Session) -> None:
    @process(inputs=["domain.table"])
    def change(ctx: Context) -> int:
        table = ctx["domain.table"]
        table.loc[0, "x"] = 99
        table["new"] = 1
        return int(table["x"].sum())

    table = frame()
    theus.state["domain.table"] = table
    assert await theus.run(change) == 104
    assert list(theus.state["domain.table"].columns) == ["x", "y"]
    assert int(theus.state["domain.table"]["x"].sum()) == 6
    assert int(table["x"].sum()) == 6


@copies_on_write
@on_loop
async def test_a_frame_kept_by_the_run_that_wrote_it_does_not_change_the_state(
    theus: Session,
) -> None:
    kept: list[Any] = []

    @process(outputs=["domain.table"])
    def write(_ctx: Context) -> object:
        kept.append(frame())
        return kept[0]

    await theus.run(write)
    kept[0].loc[0, "x"] = 99
    kept[0]["new"] = 1
    assert int(theus.state["domain.table"]["x"].sum()) == 6
    assert "new" not in theus.state["domain.table"]


@copies_on_write
@on_loop
async def test_an_update_of_a_frame_is_committed(theus: Session) -> None:
    @process(inputs=["domain.table"], outputs=["domain.table"])
    def change(ctx: Context) -> object:
        table = ctx["domain.table"]
        table["z"] = table["x"] + table["y"]
        return table

    theus.state["domain.table"] = frame()
    await theus.run(change)
    assert list(theus.state["domain.table"]["z"]) == [5.0, 7.0, 9.0]


@copies_on_write
@on_loop
async def test_a_series_alike(theus: Session) -> None:
    @process(inputs=["domain.series"])
    def change(ctx: Context) -> int:
        ctx["domain.series"].iloc[0] = 99
        return int(ctx["domain.series"].sum())

    theus.state["domain.series"] = pd.Series([1, 2, 3])
    assert await theus.run(change) == 104
    assert int(theus.state["domain.series"].sum()) == 6


@copies_on_write
@on_loop
async def test_frames_beneath_a_declared_branch_are_protected_too(theus: Session) -> None:
    @process(inputs=["domain.tables"])
    def change(ctx: Context) -> None:
        ctx["domain.tables.first"].loc[0, "x"] = 99
        with pytest.raises(ValueError, match="read-only"):
            ctx["domain.tables.array"][0] = 99

    theus.state["domain.tables.first"] = frame()
    theus.state["domain.tables.array"] = np.arange(3)
    await theus.run(change)
    assert int(theus.state["domain.tables.first"]["x"].sum()) == 6


@copies_on_write
@on_loop
async def test_published_frames_are_detached(theus: Session) -> None:
    @process(outputs=["domain.table"])
    async def live(ctx: Context) -> None:
        table = frame()
        ctx["domain.table"] = table
        await ctx.commit()
        table.loc[0, "x"] = 99
        await theus.run(check)

    @process(inputs=["domain.table"])
    def check(ctx: Context) -> None:
        assert int(ctx["domain.table"]["x"].sum()) == 6

    await theus.run(live)


@copies_on_write
@on_loop
async def test_frames_that_a_child_wrote_are_handed_to_its_parent_detached(
    theus: Session,
) -> None:
    kept: list[Any] = []

    @process(outputs=["domain.table"])
    def child(_ctx: Context) -> object:
        kept.append(frame())
        return kept[0]

    @process(inputs=["domain.table?"], outputs=["domain.table?"])
    async def parent(ctx: Context) -> None:
        await theus.run(child)
        ctx["domain.table"].loc[0, "x"] = 50
        kept[0].loc[0, "x"] = 99

    await theus.run(parent)
    assert int(theus.state["domain.table"]["x"].sum()) == 6


@on_loop
async def test_what_it_costs_does_not_depend_on_the_size(theus: Session) -> None:
    @process(inputs=["domain.big"], outputs=["domain.small"])
    def look(ctx: Context) -> int:
        return len(ctx["domain.big"])

    class Untouchable(list[int]):
        """Fails on everything that would walk through it."""

        def __iter__(self) -> Any:  # noqa: ANN401 - never returns
            raise AssertionError

        def __eq__(self, other: object) -> bool:
            raise AssertionError

        __hash__ = None  # as for any list

        def __deepcopy__(self, memo: object) -> Any:  # noqa: ANN401 - never returns
            raise AssertionError

        def __repr__(self) -> str:
            raise AssertionError

    theus.state["domain.big"] = Untouchable([1, 2, 3])
    assert await theus.run(look) == 3
