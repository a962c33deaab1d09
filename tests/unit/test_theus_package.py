"""Functions decorated by the PyPI package ``theus`` run as they are."""

from __future__ import annotations

import functools
import threading
from typing import TYPE_CHECKING, Any

import pytest

from tests.unit.support import on_loop
from theus_nb.errors import ContractError, UndeclaredReadError

if TYPE_CHECKING:
    from collections.abc import Callable

    from theus_nb.session import Session


class TheirContract:
    """A contract as that package attaches it: lists of strings, and two more words."""

    def __init__(self, inputs: list[str], outputs: list[str], **more: object) -> None:
        self.inputs = inputs
        self.outputs = outputs
        self.semantic = more.get("semantic", "pure")
        self.errors = more.get("errors", [])
        self.side_effects = more.get("side_effects", [])
        self.parallel = more.get("parallel", False)


def their_process(
    inputs: list[str], outputs: list[str], **more: object
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Decorate as they do: the contract is on the function and, through `wraps`, the wrapper."""

    def decorate(fn: Callable[..., Any]) -> Callable[..., Any]:
        fn._pop_contract = TheirContract(inputs, outputs, **more)  # type: ignore[attr-defined]

        @functools.wraps(fn)
        def wrapper(ctx: Any, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - anything
            return fn(ctx, *args, **kwargs)

        return wrapper

    return decorate


@on_loop
async def test_a_sync_function(theus: Session) -> None:
    @their_process(["domain.raw"], ["domain.result"], errors=["ValueError"], parallel=True)
    def double(ctx: Any, factor: int = 2) -> object:  # noqa: ANN401 - theirs
        assert threading.current_thread() is not threading.main_thread()
        return factor * ctx.domain.raw

    theus.state["domain.raw"] = 3
    assert await theus.run(double) == 6
    assert await theus.start(double, factor=3) == 9
    assert theus.state["domain.result"] == 9
    assert theus.runs[-1].name == "double"


@on_loop
async def test_an_async_function(theus: Session) -> None:
    @their_process([], ["domain.data"], side_effects=["net"])
    async def fetch(_ctx: object) -> threading.Thread:
        return threading.current_thread()

    assert await theus.run(fetch) is threading.current_thread()
    assert theus.state["domain.data"] is threading.current_thread()


@on_loop
async def test_their_contract_is_enforced(theus: Session) -> None:
    @their_process(["domain.raw"], [])
    def curious(ctx: Any) -> object:  # noqa: ANN401 - theirs
        return ctx.domain.secret

    theus.state["domain.raw"] = 1
    with pytest.raises(UndeclaredReadError, match=r"domain\.secret"):
        await theus.run(curious)


@on_loop
async def test_their_order_is_ours(theus: Session) -> None:
    @their_process(["domain.count"], ["domain.count"])
    def increment(ctx: Any) -> object:  # noqa: ANN401 - theirs
        return ctx.domain.count + 1

    theus.state["domain.count"] = 0
    for run in [theus.start(increment) for _ in range(10)]:
        await run
    assert theus.state["domain.count"] == 10


@on_loop
async def test_older_contracts_have_fewer_fields(theus: Session) -> None:
    class OldContract:
        inputs = ("domain.raw",)
        outputs = ("domain.result",)
        side_effects: list[str] | None = None
        errors: list[str] | None = None

    def old(ctx: Any) -> object:  # noqa: ANN401 - theirs
        return ctx.domain.raw

    old._pop_contract = OldContract()  # type: ignore[attr-defined]
    theus.state["domain.raw"] = 1
    assert await theus.run(old) == 1
    assert theus.state["domain.result"] == 1


@on_loop
async def test_an_invalid_contract_of_theirs_is_explained(theus: Session) -> None:
    @their_process(["domain..raw"], [])
    def broken(_ctx: object) -> None:
        """Never runs."""

    with pytest.raises(ContractError, match=r"domain\.\.raw"):
        await theus.run(broken)
