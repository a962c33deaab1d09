"""The namespace of a run: what a cell finds there, and what it hands over at the end."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, cast

import pytest

from theus_nb.contract import Contract
from theus_nb.errors import ContractError, UndeclaredReadError
from theus_nb.notebook.names import find_names
from theus_nb.notebook.namespace import Scope, check_locals

if TYPE_CHECKING:
    from collections.abc import Callable

    from theus_nb.context import Context


class FakeContext(dict[str, Any]):
    """A context that grants everything and remembers what it was given."""

    def __init__(self, **inputs: object) -> None:
        super().__init__({path.replace("__", "."): value for path, value in inputs.items()})
        self.defined: dict[str, object] = {}

    def define(self, names: dict[str, object]) -> None:
        self.defined.update(names)


def magic_line(contract: Contract) -> str:
    return contract.magic_line("p")


def scope(source: str, notebook: dict[str, object] | None = None, **declared: list[str]) -> Scope:
    contract = Contract.of(**declared)  # type: ignore[arg-type]
    return Scope("p", contract, find_names(source), notebook or {}, magic_line)


def run(
    source: str,
    ctx: FakeContext | None = None,
    notebook: dict[str, object] | None = None,
    **declared: list[str],
) -> FakeContext:
    context = FakeContext() if ctx is None else ctx
    with scope(source, notebook, **declared).open(cast("Context", context)) as names:
        exec(source, names)  # noqa: S102 - what a cell does
    return context


def test_globals_are_one_plain_dict_of_a_main_module() -> None:
    ctx = run("a = type(globals()), __name__, globals() is locals()", outputs=["a"])
    assert ctx["nb.a"] == (dict, "__main__", True)


def test_outputs_are_what_their_names_are_bound_to_at_the_end() -> None:
    ctx = run("a = 1\na = 2\nb = 3", outputs=["a", "zone.b", "c?"])
    assert ctx == {"nb.a": 2, "zone.b": 3}


def test_input_changed_in_place_is_handed_over() -> None:
    ctx = run("a.append(1)", FakeContext(nb__a=[]), inputs=["a"], outputs=["a"])
    assert ctx["nb.a"] == [1]


def test_assignment_through_ctx_wins_over_an_input_left_alone() -> None:
    ctx = run("ctx['z.a'] = 5", FakeContext(z__a=1), inputs=["z.a"], outputs=["z.a"])
    assert ctx["z.a"] == 5


def test_input_and_output_of_the_same_name() -> None:
    ctx = run("raw = raw + 1", FakeContext(zone__raw=1), inputs=["zone.raw"], outputs=["raw"])
    assert ctx["nb.raw"] == 2


def test_renamed_output() -> None:
    ctx = run("mine = 1", outputs=["mine=zone.raw"])
    assert ctx == {"zone.raw": 1}


def test_definitions_and_nothing_else_are_defined() -> None:
    ctx = run(
        "import json, os.path as p\nfrom math import pi\ndef f(): pass\nclass C: pass\n"
        "g = lambda: 1\nx = 1\n_y = [2]\nh = max\nfor i in []: pass",
        outputs=["x"],
    )
    assert sorted(ctx.defined) == ["C", "f", "g", "json", "p", "pi"]


def test_import_of_what_the_notebook_has_already_defines_nothing() -> None:
    assert run("import math", notebook={"math": math}).defined == {}


def test_output_that_is_a_function_is_an_output() -> None:
    ctx = run("def f(): pass", outputs=["f"])
    assert "nb.f" in ctx
    assert ctx.defined == {}


def test_star_import_defines_what_it_brings() -> None:
    ctx = run("from math import *\nx = floor(1.5)", outputs=["x"], notebook={"sqrt": [1]})
    assert {"floor", "sqrt", "pi"} <= set(ctx.defined)
    assert "__builtins__" not in ctx.defined


def test_failing_body_hands_over_nothing() -> None:
    ctx = FakeContext()
    with pytest.raises(ZeroDivisionError):
        run("a = 1\ndef f(): pass\n1 / 0", ctx, outputs=["a"])
    assert ctx == {}
    assert ctx.defined == {}


def test_readable_names_are_there_even_if_the_code_does_not_show_them() -> None:
    ctx = run("a = eval('n + k')", notebook={"n": 1, "k": 2}, outputs=["a"])
    assert ctx["nb.a"] == 3


def test_mutable_names_are_not_there() -> None:
    ctx = run("a = 'table' in globals()", notebook={"table": []}, outputs=["a"])
    assert ctx["nb.a"] is False


def test_undeclared_names_are_refused_together() -> None:
    notebook: dict[str, object] = {"b": [], "a": {}, "n": 1}
    with pytest.raises(UndeclaredReadError) as caught:
        scope("x = a, [b for _ in '1'], n", notebook, inputs=["z.i"], outputs=["x"]).vocabulary()
    message = str(caught.value)
    assert "'a', 'b'" in message
    assert message.endswith("%%theus_process p --inputs z.i,a,b --outputs x")
    assert caught.value.process == "p"


def test_private_name_cannot_be_declared() -> None:
    with pytest.raises(UndeclaredReadError, match="rename _cache"):
        scope("x = _cache", {"_cache": {}}, outputs=["x"]).vocabulary()


def test_own_names_of_ipython_need_no_declaration() -> None:
    ctx = run("x = Out, _1, _", notebook={"Out": {}, "_1": [1], "_": [2]}, outputs=["x"])
    assert ctx["nb.x"] == ({}, [1], [2])


@pytest.mark.parametrize("source", ["x = eval('t')", "x = t\nt = 1", "del t", "t.append(1); t = 1"])
def test_late_lookup_becomes_an_undeclared_read(source: str) -> None:
    with pytest.raises(UndeclaredReadError, match="--inputs t --outputs x") as caught:
        run(source, notebook={"t": []}, outputs=["x"])
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__


def test_lookup_that_pandas_reports_in_its_own_way() -> None:
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"a": [1, 2]})
    with pytest.raises(UndeclaredReadError, match="'limits'"):
        run(
            "x = df.query('a > @limits')",
            FakeContext(nb__df=frame),
            {"limits": [1]},
            inputs=["df"],
            outputs=["x"],
        )
    ctx = run(
        "x = df.query('a > @limit')",
        FakeContext(nb__df=frame),
        {"limit": 1},
        inputs=["df"],
        outputs=["x"],
    )
    assert len(ctx["nb.x"]) == 1


def test_name_that_exists_nowhere_stays_a_name_error() -> None:
    with pytest.raises(NameError, match="nowhere"):
        run("x = nowhere", outputs=["x"])


def test_name_that_a_library_misses_stays_a_name_error() -> None:
    library: dict[str, object] = {}
    exec("def f(): return t", library)  # noqa: S102 - a function with globals of its own
    with pytest.raises(NameError) as caught:
        run("x = f()", notebook={"t": [], "f": library["f"]}, outputs=["x"])
    assert not isinstance(caught.value, UndeclaredReadError)


@pytest.mark.parametrize(
    ("declared", "words"),
    [
        ({"inputs": ["a.raw", "b.raw"]}, ["'a.raw'", "'b.raw'", "--inputs a.raw,b_raw=b.raw"]),
        ({"outputs": ["a.raw", "raw"]}, ["--outputs", "nb_raw=nb.raw"]),
        ({"inputs": ["b_raw", "a.raw", "b.raw"]}, ["b_raw_=b.raw"]),
        ({"inputs": ["a.ctx"]}, ["'ctx'", "a_ctx=a.ctx"]),
        ({"outputs": ["a.class"]}, ["'class'", "a_class=a.class"]),
    ],
)
def test_names_that_collide_are_refused_with_the_hint(
    declared: dict[str, list[str]], words: list[str]
) -> None:
    contract: Callable[..., Contract] = Contract.of
    with pytest.raises(ContractError) as caught:
        check_locals(contract(**declared), magic_line)
    for word in words:
        assert word in str(caught.value)


def test_corrected_line_of_a_collision_is_accepted() -> None:
    check_locals(Contract.of(["a.raw", "b_raw=b.raw"], ["raw"]), magic_line)
