"""The session's state, from outside of any run and from inside."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.unit.support import on_loop
from theus_nb.decorator import process
from theus_nb.errors import (
    ContractError,
    MissingInputError,
    PathShapeError,
    UndeclaredReadError,
    UndeclaredWriteError,
)

if TYPE_CHECKING:
    from theus_nb.context import Context
    from theus_nb.session import Session


@on_loop
async def test_reading_and_writing(theus: Session) -> None:
    value = object()
    theus.state["domain.raw"] = value
    assert theus.state["domain.raw"] is value
    assert theus.state.domain.raw is value
    theus.state.domain.other = 1
    assert theus.state["domain.other"] == 1
    theus.state["domain.deep.leaf"] = 2
    assert theus.state.domain.deep.leaf == 2
    theus.state.domain.deep.leaf = 3
    assert theus.state["domain.deep.leaf"] == 3
    assert theus.state.domain["raw"] is value


@on_loop
async def test_keyword_zones(theus: Session) -> None:
    theus.state["global.config"] = 1
    assert theus.state["global.config"] == 1
    assert theus.state.global_.config == 1
    theus.state.global_.config = 2
    assert theus.state["global.config"] == 2


@on_loop
async def test_what_was_never_written(theus: Session) -> None:
    for read in (lambda: theus.state["domain.raw"], lambda: theus.state.domain.raw):
        with pytest.raises(MissingInputError, match=r"'domain\.raw' has never been written"):
            read()  # type: ignore[no-untyped-call]
    assert "domain.raw" not in theus.state
    assert theus.state.get("domain.raw") is None
    assert theus.state.get("domain.raw", 5) == 5


@on_loop
async def test_membership_and_iteration(theus: Session) -> None:
    theus.state["domain.b"] = None
    theus.state["domain.a.leaf"] = 1
    theus.state["other.c"] = 2
    assert "domain.b" in theus.state
    assert "domain.a" in theus.state
    assert "domain" in theus.state
    assert "domain.x" not in theus.state
    assert sorted(theus.state) == ["domain.a.leaf", "domain.b", "other.c"]
    assert sorted(theus.state.domain) == ["a", "b"]


@pytest.mark.parametrize("path", ["", "domain.", "domain..raw", "domain._x", "domain.1"])
def test_invalid_paths(path: str) -> None:
    @on_loop
    async def check(theus: Session) -> None:
        with pytest.raises(ContractError, match="invalid path"):
            theus.state[path]
        with pytest.raises(ContractError, match="invalid path"):
            theus.state[path] = 1
        with pytest.raises(ContractError, match="invalid path"):
            theus.state.version(path)

    check()


@on_loop
async def test_a_zone_holds_no_value(theus: Session) -> None:
    theus.state["domain.raw"] = 1
    with pytest.raises(ContractError, match="zone"):
        theus.state.domain = 5


@on_loop
async def test_a_path_holds_a_value_or_children(theus: Session) -> None:
    theus.state["domain.raw"] = 1
    with pytest.raises(PathShapeError, match=r"domain\.raw") as caught:
        theus.state["domain.raw.leaf"] = 2
    assert "'domain.raw.leaf'" in str(caught.value)
    theus.state["domain.tree.leaf"] = 3
    with pytest.raises(PathShapeError, match=r"domain\.tree"):
        theus.state["domain.tree"] = 4
    assert theus.state["domain.raw"] == 1
    assert theus.state["domain.tree.leaf"] == 3


@on_loop
async def test_a_contract_that_cannot_fit_the_state_is_refused_at_submission(
    theus: Session,
) -> None:
    ran: list[str] = []

    @process(outputs=["domain.raw.leaf"])
    def beneath(_ctx: Context) -> int:
        ran.append("ran")
        return 1

    theus.state["domain.raw"] = 1
    with pytest.raises(PathShapeError, match=r"'beneath'.*domain\.raw") as caught:
        await theus.run(beneath)
    assert caught.value.process == "beneath"
    assert ran == []
    assert theus.state["domain.raw"] == 1


@on_loop
async def test_every_write_is_a_version(theus: Session) -> None:
    versions = [theus.state.version("domain.raw")]
    for value in (1, 2):
        theus.state["domain.raw"] = value
        versions.append(theus.state.version("domain.raw"))
    assert versions[0] == 0
    assert versions == sorted(set(versions))


@on_loop
async def test_versions_and_runs_share_one_count(theus: Session) -> None:
    @process(outputs=["domain.raw"])
    def write(_ctx: Context) -> int:
        return 1

    run = theus.start(write)
    await run
    assert theus.state.version("domain.raw") == run.number
    theus.state["domain.raw"] = 2
    assert theus.state.version("domain.raw") > run.number


@on_loop
async def test_where_a_value_comes_from(theus: Session) -> None:
    @process(inputs=["domain.raw"], outputs=["domain.result"])
    def crunch(ctx: Context) -> object:
        return ctx["domain.raw"]

    assert theus.state.provenance("domain.result") is None
    theus.state["domain.raw"] = 1
    by_hand = theus.state.provenance("domain.raw")
    assert by_hand is not None
    assert (by_hand.process, by_hand.run_id) == (None, None)
    run = theus.start(crunch)
    await run
    found = theus.state.provenance("domain.result")
    assert found is not None
    assert (found.path, found.process, found.run_id) == ("domain.result", "crunch", run.id)
    assert found.version == run.number
    assert found.source_hash == crunch.source_hash
    assert found.inputs == {"domain.raw": by_hand.version}


@on_loop
async def test_display_probes_find_nothing(theus: Session) -> None:
    theus.state["domain.raw"] = 1
    for thing in (theus.state, theus.state.domain):
        for name in ("_ipython_display_", "_repr_mimebundle_", "_x"):
            assert not hasattr(thing, name)


@on_loop
async def test_its_repr_lists_paths_and_no_values(theus: Session) -> None:
    theus.state["domain.raw"] = "a secret"
    text = repr(theus.state)
    assert "domain.raw" in text
    assert str(theus.state.version("domain.raw")) in text
    assert "secret" not in text
    assert "raw" in repr(theus.state.domain)
    assert {"domain"} <= set(dir(theus.state))
    assert "raw" in dir(theus.state.domain)


@on_loop
async def test_failed_paths_are_listed(theus: Session) -> None:
    @process(outputs=["domain.raw"])
    def fail(_ctx: Context) -> None:
        raise KeyError("boom")

    run = theus.start(fail)
    with pytest.raises(KeyError):
        await run
    assert theus.state.failed() == {"domain.raw": run.exception()}
    assert "failed" in repr(theus.state)
    assert theus.state.accept("domain.raw") == ["domain.raw"]
    assert theus.state.failed() == {}


@on_loop
async def test_the_contract_governs_the_state_inside_a_run(theus: Session) -> None:
    @process(inputs=["domain.a"], outputs=["domain.b"])
    def body(_ctx: Context) -> None:
        theus.state["domain.b"] = theus.state["domain.a"] + theus.state.domain.a

    @process(inputs=["domain.a"])
    def curious(_ctx: Context) -> object:
        return theus.state["domain.secret"]

    @process(inputs=["domain.a"])
    async def busy(_ctx: Context) -> None:
        theus.state.domain.secret = 1

    theus.state["domain.a"] = 1
    theus.state["domain.secret"] = 2
    await theus.run(body)
    assert theus.state["domain.b"] == 2
    with pytest.raises(UndeclaredReadError, match=r"'curious'.*domain\.secret"):
        await theus.run(curious)
    with pytest.raises(UndeclaredWriteError, match=r"'busy'.*domain\.secret"):
        await theus.run(busy)
    assert theus.state["domain.secret"] == 2


@on_loop
async def test_inside_a_run_the_state_is_what_the_run_sees(theus: Session) -> None:
    @process(inputs=["domain.a"], outputs=["domain.a"])
    async def body(ctx: Context) -> None:
        ctx["domain.a"] = "mine"
        assert theus.state["domain.a"] == "mine"
        assert outside() == "theirs"

    def outside() -> object:
        import contextvars  # noqa: PLC0415 - a context that knows of no run

        return contextvars.Context().run(lambda: theus.state["domain.a"])

    theus.state["domain.a"] = "theirs"
    await theus.run(body)
    assert theus.state["domain.a"] == "mine"
