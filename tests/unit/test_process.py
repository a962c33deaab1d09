"""Processes: what can be one, how its kind is decided, and what is refused."""

from __future__ import annotations

import functools
import hashlib
import inspect
from typing import TYPE_CHECKING, Any

import pytest

from theus_nb import contracts
from theus_nb.contract import Contract
from theus_nb.decorator import process
from theus_nb.errors import ContractError
from theus_nb.process import Process

if TYPE_CHECKING:
    from collections.abc import Callable

    from theus_nb.context import Context


def plain(ctx: Context, factor: int = 2) -> int:
    """Double something."""
    return factor * int(ctx["domain.raw"])


async def plain_async(ctx: Context) -> object:
    return ctx["domain.raw"]


class Callee:
    """A callable object."""

    def __call__(self, _ctx: Context) -> str:
        return "called"

    def method(self, _ctx: Context) -> str:
        return "method"

    async def async_method(self, _ctx: Context) -> str:
        return "method"


class AsyncCallee:
    """An object whose call is a coroutine."""

    async def __call__(self, _ctx: Context) -> str:
        return "called"


def decorated(fn: Callable[..., Any]) -> Callable[..., Any]:
    """Wrap a function as decorators do."""

    @functools.wraps(fn)
    def wrapper(*args: object, **kwargs: object) -> object:
        return fn(*args, **kwargs)

    return wrapper


def test_the_import_path_of_the_theus_package() -> None:
    assert contracts.process is process
    assert contracts.Contract is Contract


@pytest.mark.parametrize("decorate", [process, process()], ids=["bare", "called"])
def test_without_arguments_the_contract_is_empty_and_not_open(
    decorate: Callable[[Callable[..., Any]], Process],
) -> None:
    definition = decorate(plain)
    assert definition.contract == Contract()
    assert not definition.contract.is_open


def test_what_a_process_knows_about_itself() -> None:
    definition = process(
        inputs=["domain.raw"], outputs=["table?"], side_effects=["net"], errors=[ValueError]
    )(plain)
    assert definition.name == "plain"
    assert definition.fn is plain
    assert definition.kind == "function"
    assert definition.lane == "auto"
    assert not definition.is_async
    assert definition.contract == Contract.of(["domain.raw"], ["table?"], ["net"], [ValueError])
    assert definition.source == inspect.getsource(plain)
    assert definition.source_hash == hashlib.sha256(definition.source.encode()).hexdigest()
    assert definition.__doc__ == "Double something."
    assert "plain" in repr(definition)
    assert "domain.raw" in repr(definition)


def test_calling_a_process_calls_the_function() -> None:
    definition = process(inputs=["domain.raw"])(plain)
    assert definition({"domain.raw": 4}) == 8
    assert definition({"domain.raw": 4}, factor=3) == 12


def test_the_words_of_the_theus_package_are_accepted() -> None:
    definition = process(
        inputs=["domain.raw"], outputs=[], semantic="pure", parallel=True, errors=["ValueError"]
    )(plain)
    assert definition.contract.errors == ("ValueError",)


@pytest.mark.parametrize(
    ("fn", "is_async", "name"),
    [
        (plain, False, "plain"),
        (plain_async, True, "plain_async"),
        (functools.partial(plain, factor=3), False, "plain"),
        (functools.partial(plain_async), True, "plain_async"),
        (functools.partial(functools.partial(plain_async)), True, "plain_async"),
        (decorated(plain), False, "plain"),
        (decorated(plain_async), True, "plain_async"),
        (decorated(functools.partial(plain_async)), True, "plain_async"),
        (Callee(), False, "Callee"),
        (AsyncCallee(), True, "AsyncCallee"),
        (Callee().method, False, "method"),
        (Callee().async_method, True, "async_method"),
        (functools.partial(AsyncCallee()), True, "AsyncCallee"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_async_or_not_is_seen_through_every_wrapping(
    fn: Callable[..., Any], name: str, *, is_async: bool
) -> None:
    definition = process()(fn)
    assert definition.is_async is is_async
    assert definition.name == name


def test_an_async_wrapper_around_a_sync_function_is_async() -> None:
    @functools.wraps(plain)
    async def wrapper(ctx: Context) -> int:
        return plain(ctx)

    assert process()(wrapper).is_async


@pytest.mark.parametrize(
    "name", ["", "1st", "two words", "fetch!", "a/b", "<lambda>", 3, None, "fetch\n"]
)
def test_an_invalid_name(name: object) -> None:
    if name is None:
        with pytest.raises(ContractError, match="<lambda>"):
            process()(lambda _ctx: None)
        return
    with pytest.raises(ContractError, match="invalid process name") as caught:
        process(name=name)(plain)  # type: ignore[call-overload]  # that is the point
    assert repr(name) in str(caught.value)
    assert "such as" in str(caught.value)


def test_a_name_may_be_given() -> None:
    assert process(name="fetch_prices")(lambda _ctx: None).name == "fetch_prices"


@pytest.mark.parametrize(
    ("wrong", "right"),
    [("input", "inputs"), ("output", "outputs"), ("side_effect", "side_effects")],
)
def test_an_unknown_option_is_named_with_the_right_one(wrong: str, right: str) -> None:
    with pytest.raises(ContractError) as caught:
        process(**{wrong: ["domain.raw"]})  # type: ignore[call-overload]  # that is the point
    assert repr(wrong) in str(caught.value)
    assert repr(right) in str(caught.value)


def test_an_unknown_option_of_options() -> None:
    with pytest.raises(ContractError, match=r"'plain'.*'lain'.*'lane'"):
        process()(plain).options(lain="loop")


def test_an_unknown_lane_is_named_with_those_there_are() -> None:
    with pytest.raises(ContractError, match="'gpu'") as caught:
        process(lane="gpu")(plain)  # type: ignore[call-overload]  # that is the point
    assert "'plain'" in str(caught.value)
    for lane in ("auto", "loop", "cell"):
        assert lane in str(caught.value)


@pytest.mark.parametrize("option", ["inputs", "outputs"])
def test_a_contract_is_checked_at_the_definition(option: str) -> None:
    with pytest.raises(ContractError, match="twice"):
        process(**{option: ["domain.raw", "domain.raw"]})  # type: ignore[call-overload]
    with pytest.raises(ContractError, match="invalid path"):
        process(**{option: ["domain..raw"]})  # type: ignore[call-overload]


@pytest.mark.parametrize("thing", [3, "fetch", None])
def test_only_callables_are_processes(thing: object) -> None:
    with pytest.raises(ContractError, match="not a function"):
        process(name="thing")(thing)  # type: ignore[arg-type]  # that is the point


def test_generator_functions_are_refused_at_the_definition() -> None:
    def numbers(_ctx: Context) -> Any:  # noqa: ANN401 - inferred badly
        yield 1

    async def numbers_async(_ctx: Context) -> Any:  # noqa: ANN401 - inferred badly
        yield 1

    for fn in (numbers, numbers_async, functools.partial(numbers)):
        with pytest.raises(ContractError, match=r"'numbers(_async)?'.*generator.*list"):
            process(outputs=["domain.numbers"])(fn)


@pytest.mark.parametrize(
    "fn",
    [lambda: None, lambda *, ctx: ctx, functools.partial(plain, None, 2)],  # type: ignore[arg-type]
)
def test_a_function_without_a_context_is_refused(fn: Callable[..., Any]) -> None:
    with pytest.raises(ContractError, match=r"'contextless'.*\(ctx\)"):
        process(name="contextless")(fn)


def test_options_give_a_variant_and_leave_the_original() -> None:
    original = process(inputs=["domain.raw"])(plain)
    variant = original.options(lane="loop")
    assert isinstance(variant, Process)
    assert variant is not original
    assert (variant.lane, original.lane) == ("loop", "auto")
    assert variant.fn is original.fn
    assert variant.contract == original.contract
    assert variant.name == original.name


def test_a_cell_is_a_process_too() -> None:
    cell = Process.from_cell(
        "crunch", lambda ctx: ctx, Contract.of(["domain.raw"], ["table"]), source="table = raw"
    )
    assert (cell.kind, cell.lane, cell.is_async) == ("cell", "cell", False)
    assert cell.source == "table = raw"
    assert cell.source_hash == hashlib.sha256(b"table = raw").hexdigest()


def test_the_declaration_fits_the_kind() -> None:
    contract = Contract.of(["domain.raw"], ["table"])
    cell = Process.from_cell("crunch", lambda ctx: ctx, contract, source="")
    assert cell.declaration() == "%%theus_process crunch --inputs domain.raw --outputs table"
    function = process(inputs=["domain.raw"], outputs=["table"])(plain)
    assert function.declaration() == "@process(inputs=['domain.raw'], outputs=['table'])"
    more = contract.with_input("domain.b")
    assert "domain.b" in cell.declaration(more)
