"""The contract of a cell: what it may read, what it leaves behind, what it refuses."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.kernel.driver import Kernel


def test_private_names_stay_private_and_definitions_are_kept(kernel: Kernel) -> None:
    kernel.good(
        "%%theus_process define --outputs out\n"
        "import json as codec, os.path\n"
        "from math import pi\n"
        "def double(x): return 2 * x\n"
        "class Point: kept = 1\n"
        "triple = lambda x: 3 * x\n"
        "scratch = [1]\n"
        "for index in range(3): pass\n"
        "out = double(4)"
    )
    names = "out codec os pi double Point triple scratch index ctx"
    present = kernel.value(f"[name for name in {names.split()!r} if name in globals()]")
    assert present == "['out', 'codec', 'os', 'pi', 'double', 'Point', 'triple']"
    assert kernel.value("double(triple(out)), Point.__module__") == "(48, '__main__')"


def test_private_name_does_not_touch_the_variable_of_the_notebook(kernel: Kernel) -> None:
    kernel.good("counter, items = 1, [1]")
    kernel.good("%%theus_process shadow --outputs got\nitems = [2]\ncounter += 1\ngot = counter")
    assert kernel.value("counter, items, got") == "(1, [1], 2)"


def test_inputs_arrive_under_their_leaf_or_their_new_name(kernel: Kernel) -> None:
    kernel.good("%%theus_process make --outputs domain.raw,table\nraw = [1]\ntable = [2]")
    cell = kernel.good(
        "%%theus_process use -i domain.raw, mine=table, nothing.yet? -o s\n"
        "s = (raw, mine, yet, ctx['domain.raw'] is raw)\ns"
    )
    assert cell.result == "([1], [2], None, True)"


def test_change_in_place_of_an_input_that_is_an_output(kernel: Kernel) -> None:
    kernel.good("basket = []")
    kernel.good("%%theus_process fill --inputs basket --outputs basket\nbasket.append(1)")
    assert kernel.value("basket") == "[1]"


def test_assignment_through_ctx_counts(kernel: Kernel) -> None:
    kernel.good("%%theus_process direct --outputs domain.direct\nctx.domain.direct = 3")
    assert kernel.value("theus.state['domain.direct']") == "3"
    kernel.good(
        "%%theus_process again --inputs domain.direct --outputs domain.direct\n"
        "ctx.domain.direct = 4"
    )
    assert kernel.value("theus.state['domain.direct']") == "4"


def test_failing_cell_commits_nothing(kernel: Kernel) -> None:
    kernel.good("kept = [1]")
    kernel.bad(
        "%%theus_process failing --outputs kept,domain.kept\n"
        "kept = 2\ndef leaked(): pass\nctx['domain.kept'] = 1\n1 / 0"
    )
    assert kernel.value("kept, 'leaked' in globals()") == "([1], False)"


def test_undeclared_variables_are_refused_before_anything_runs(kernel: Kernel) -> None:
    kernel.good("alpha, beta, _gamma = [1], {}, set()\nran = []")
    cell = kernel.bad(
        "%%theus_process hungry --inputs ran --outputs res --lane loop\n"
        "ran.append(1)\n"
        "def inner(): return [beta for _ in range(1)]\n"
        "class Body: own = alpha\n"
        "res = inner(), _gamma"
    )
    assert cell.error.startswith(
        "UndeclaredReadError: process 'hungry' reads the notebook variables"
    )
    assert "'_gamma', 'alpha', 'beta'" in cell.error
    assert "%%theus_process hungry --inputs ran,alpha,beta --outputs res --lane loop" in cell.error
    assert "rename _gamma" in cell.error
    assert len(cell.traceback.splitlines()) < 6
    assert kernel.value("ran") == "[]"
    assert "hungry" not in kernel.value("[p.name for p in theus.processes]")


def test_corrected_line_of_the_message_works(kernel: Kernel) -> None:
    kernel.good("needed = [1]")
    body = "total = sum(needed)"
    cell = kernel.bad(f"%%theus_process summing --outputs total\n{body}")
    line = next(x for x in cell.error.splitlines() if x.startswith("%%theus_process"))
    kernel.good(f"{line}\n{body}")
    assert kernel.value("total") == "1"


@pytest.mark.parametrize(
    "body", ["got = eval('late')", "if False: late = 0\ngot = late", "late += [1]\ngot = late"]
)
def test_late_lookup_of_an_undeclared_variable(kernel: Kernel, body: str) -> None:
    kernel.good("late = [1]")
    cell = kernel.bad(f"%%theus_process lately --outputs got\n{body}")
    assert cell.error.startswith(
        "UndeclaredReadError: process 'lately' reads the notebook variable"
    )
    assert "%%theus_process lately --inputs late --outputs got" in cell.error
    assert "----> " in cell.traceback


def test_output_that_is_read_before_it_is_bound(kernel: Kernel) -> None:
    kernel.good("sofar = 1")
    cell = kernel.bad("%%theus_process rising --outputs sofar\nsofar = sofar + 1")
    assert "%%theus_process rising --inputs sofar --outputs sofar" in cell.error


def test_plain_vocabulary_needs_no_declaration(kernel: Kernel) -> None:
    kernel.good(
        "import math, functools, pathlib, datetime, re, uuid, enum, logging\n"
        "from random import choice\n"
        "class Colour(enum.Enum): RED = 1\n"
        "def helper(x): return x + offset\n"
        "offset, word, where, today = 1, 'w', pathlib.Path('a'), datetime.date(2024, 1, 1)\n"
        "nested, pattern, key = (1, ('a', frozenset({2}))), re.compile('x'), uuid.UUID(int=1)\n"
        "partly, logger, red = functools.partial(helper, 1), logging.getLogger('t'), Colour.RED\n"
        "cached = functools.lru_cache(helper)"
    )
    cell = kernel.good(
        "%%theus_process speak --outputs ok\n"
        "logger.debug('x'); choice([1]); theus; display; In; Out; get_ipython()\n"
        "ok = (math.pi, helper(1), word, where, today, nested, pattern, key, partly(), red)\n"
        "cached(1)\n"
        "eval('math.floor(offset)'), __name__"
    )
    assert cell.result == "(1, '__main__')"


def test_missing_output_is_named(kernel: Kernel) -> None:
    cell = kernel.bad("%%theus_process empty --outputs domain.a,b?\nx = 1")
    assert cell.error.startswith("MissingOutputError: process 'empty'")
    assert "'domain.a'" in cell.error
    assert "bind the name 'a'" in cell.error
    assert len(cell.traceback.splitlines()) < 6


def test_missing_input_names_its_producer(kernel: Kernel) -> None:
    kernel.bad("%%theus_process fetching --outputs late.raw\n1 / 0")
    kernel.good("%theus accept late.raw")
    cell = kernel.bad("%%theus_process reading --inputs late.raw --outputs x\nx = 1")
    assert cell.error.startswith("MissingInputError:")
    assert "late.raw" in cell.error
    assert "fetching" in cell.error


def test_undeclared_access_through_ctx_fails_even_when_swallowed(kernel: Kernel) -> None:
    for act in ("ctx['domain.secret']", "ctx.domain.other = 1", "ctx['domain.other'] = 1"):
        cell = kernel.bad(
            f"%%theus_process sneaky --outputs y\ntry:\n    {act}\nexcept Exception: pass\ny = 1"
        )
        assert cell.error.startswith("Undeclared")
        assert "%%theus_process sneaky" in cell.error


def test_failed_path_names_both_ways_out(kernel: Kernel) -> None:
    kernel.bad("%%theus_process breaks --outputs zone.path\n1 / 0")
    cell = kernel.bad("%%theus_process reads --inputs zone.path --outputs z\nz = 1")
    assert cell.error.startswith("UpstreamError:")
    assert "breaks" in cell.error
    assert "%theus accept zone.path" in cell.error
    assert "ZeroDivisionError" in cell.traceback
    assert "theus_nb/" not in cell.traceback
    kernel.good("%%theus_process breaks --outputs zone.path\npath = 1")
    kernel.good("%%theus_process reads --inputs zone.path --outputs z\nz = path")


def test_variable_rebound_meanwhile_is_not_overwritten(kernel: Kernel) -> None:
    kernel.good("gate, result = asyncio.Event(), [0]")
    kernel.good(
        "from theus_nb import process\n"
        "@process(inputs=['gate'], outputs=['result'])\n"
        "async def late_writer(ctx):\n    await ctx.gate.wait()\n    return [1]\n"
        "run = theus.start(late_writer)"
    )
    kernel.good("result = [2]")
    cell = kernel.bad("gate.set()\nawait run")
    assert cell.error.startswith("NotebookConflictError:")
    assert "result" in cell.error
    assert kernel.value("result, run.outputs") == "([2], {'nb.result': [1]})"


def test_open_cell_runs_in_the_namespace_of_the_notebook(kernel: Kernel) -> None:
    kernel.good("known = [1]")
    kernel.good("%%theus_process opened --side-effects net\nknown.append(2)\nfresh = [3]")
    assert kernel.value("known, fresh") == "([1, 2], [3])"
    kernel.good("%%theus_process opened2\nawait asyncio.sleep(0)\nfresher = fresh + [4]")
    assert kernel.value("fresher") == "[3, 4]"


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("%%theus_process p --ouputs x\nx = 1", ["'--ouputs'", "'--outputs'"]),
        ("%%theus_process\nx = 1", ["name", "%%theus_process"]),
        ("%%theus_process p q\nx = 1", ["'q'", "comma"]),
        ("%%theus_process 1p\nx = 1", ["'1p'"]),
        ("%%theus_process p --outputs\nx = 1", ["--outputs"]),
        ("%%theus_process p -o 1x\nx = 1", ["--outputs", "'1x'"]),
        ("%%theus_process p -i a.b -i a.b -o x\nx = 1", ["--inputs", "twice"]),
        ("%%theus_process p -i a.raw,b.raw -o x\nx = 1", ["'a.raw'", "'b.raw'", "b_raw=b.raw"]),
        ("%%theus_process p -i a.ctx -o x\nx = 1", ["'ctx'", "a_ctx=a.ctx"]),
        ("%%theus_process p -i a.class -o x\nx = 1", ["'class'", "a_class=a.class"]),
        ("%%theus_process p -i a,,b -o x\nx = 1", ["--inputs", "empty"]),
        ("%%theus_process p -i 'a -o x\nx = 1", ["quotation"]),
        ("%%theus_process p --lane sky -o x\nx = 1", ["--lane", "'sky'", "'loop'"]),
        ("%%theus_process p -o x", ["'p'", "no code"]),
        ("%%theus_process p -o x\n\n  \n", ["'p'", "no code"]),
        ("%theus nonsense", ["'nonsense'", "%theus status"]),
        ("%theus accept", ["%theus accept domain.raw"]),
        ("%theus status now", ["'now'", "%theus status"]),
        ("%theus accept never.failed", ["never.failed"]),
    ],
)
def test_bad_input_is_named_briefly(kernel: Kernel, code: str, words: list[str]) -> None:
    runs = kernel.value("len(list(theus.runs))")
    cell = kernel.bad(code)
    assert cell.error.startswith("ContractError: ")
    for word in words:
        assert word in cell.error
    shown = cell.traceback
    assert "theus_nb" not in shown
    assert "Traceback" not in shown
    assert cell.stderr == ""
    assert kernel.value("'p' in theus.processes, len(list(theus.runs))") == f"(False, {runs})"


def test_unknown_process_shows_the_line_and_no_internals(kernel: Kernel) -> None:
    kernel.good("%%theus_process crunch --outputs c?\nc = 1")
    cell = kernel.bad("x = 1\nawait theus.run('crunsh')")
    assert cell.error.startswith("UnknownProcessError: ")
    assert "'crunch'" in cell.error
    assert "----> 2 await theus.run('crunsh')" in cell.traceback
    assert "theus_nb" not in cell.traceback


def test_a_deleted_variable_does_not_live_on_as_a_version(kernel: Kernel) -> None:
    kernel.good(
        "import gc, weakref\n"
        "class Large(list): pass\n"
        "large = Large([1])\n"
        "watched = weakref.ref(large)"
    )
    kernel.good("%%theus_process look --inputs large --outputs size\nsize = len(large)")
    assert kernel.value("size, watched() is None") == "(1, False)"
    kernel.good("del large")
    assert kernel.value("gc.collect() >= 0, watched() is None") == "(True, True)"
