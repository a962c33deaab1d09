"""What a failing cell shows: the cell's own lines, nobody else's."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.kernel.driver import Kernel

OTHERS = ("theus_nb", "site-packages", "run_cell_magic", "asyncio/", "interactiveshell")


def check_clean(traceback: str) -> None:
    for word in OTHERS:
        assert word not in traceback


@pytest.mark.parametrize("first", ["await asyncio.sleep(0)", "pass"], ids=["loop", "worker"])
@pytest.mark.parametrize("options", ["--outputs x", ""], ids=["contract", "open"])
def test_line_numbers_are_those_of_the_cell(kernel: Kernel, first: str, options: str) -> None:
    cell = kernel.bad(f"%%theus_process failing {options}\n\n\n{first}\n# five\nx = 1 / 0\n")
    assert cell.error == "ZeroDivisionError: division by zero"
    assert f"Cell In[{cell.count}], line 6" in cell.traceback
    assert "----> 6 x = 1 / 0" in cell.traceback
    assert cell.traceback.count("Cell In") == 1
    check_clean(cell.traceback)


@pytest.mark.parametrize("first", ["await asyncio.sleep(0)", "pass"], ids=["loop", "worker"])
def test_frames_of_helpers_are_shown(kernel: Kernel, first: str) -> None:
    helper = kernel.good("def helper(x):\n    return 1 / x")
    cell = kernel.bad(f"%%theus_process calling --outputs x\n{first}\nx = helper(0)")
    assert f"Cell In[{cell.count}], line 3" in cell.traceback
    assert f"Cell In[{helper.count}], line 2, in helper(x)" in cell.traceback
    check_clean(cell.traceback)


def test_chained_exceptions_are_shown(kernel: Kernel) -> None:
    cell = kernel.bad(
        "%%theus_process chained --outputs x\ntry: 1 / 0\nexcept ZeroDivisionError as e:\n"
        "    raise ValueError('wrapped') from e"
    )
    assert cell.error == "ValueError: wrapped"
    assert "ZeroDivisionError" in cell.traceback
    assert "direct cause" in cell.traceback
    check_clean(cell.traceback)


def test_process_run_from_a_plain_cell_shows_both_cells(kernel: Kernel) -> None:
    defined = kernel.bad("%%theus_process later --outputs x\nx = 1\nx = 1 / 0")
    cell = kernel.bad("name = 'later'\nawait theus.run(name)")
    assert f"Cell In[{cell.count}], line 2" in cell.traceback
    assert f"Cell In[{defined.count}], line 3" in cell.traceback
    check_clean(cell.traceback)


def test_errors_under_time_have_the_lines_of_the_whole_cell(kernel: Kernel) -> None:
    # Not `bad`: before IPython 9 %%time shows the error by itself and reports success.
    cell = kernel.run("%%time\n%%theus_process timed --outputs x\nx = 1\nx = 1 / 0")
    assert f"Cell In[{cell.count}], line 4" in cell.traceback
    assert "----> 4 x = 1 / 0" in cell.traceback
    check_clean(cell.traceback)


@pytest.mark.parametrize("header", ["", "\n"], ids=["at once", "after a blank line"])
def test_syntax_error_is_shown_as_in_any_cell(kernel: Kernel, header: str) -> None:
    ours = kernel.bad(f"%%theus_process broken --outputs x\n{header}x = 1\ny = (2 3)\n")
    plain = kernel.bad(f"# a comment\n{header}x = 1\ny = (2 3)\n")
    assert ours.traceback == plain.traceback.replace(f"In[{plain.count}]", f"In[{ours.count}]")
    assert f"line {3 + len(header)}" in ours.traceback
    assert "'broken'" not in kernel.value("[p.name for p in theus.processes]")


def test_source_of_a_function_defined_in_the_cell(kernel: Kernel) -> None:
    kernel.good("%%theus_process sourced --outputs x\nx = 1\ndef found():\n    return 'here'\n")
    cell = kernel.good("import inspect\nprint(inspect.getsource(found))")
    assert cell.stdout.strip() == "def found():\n    return 'here'"


def test_exception_keeps_its_type_and_its_attributes(kernel: Kernel) -> None:
    cell = kernel.good(
        "class Own(Exception): pass\n"
        "from theus_nb import process\n"
        "@process\n"
        "def raising(ctx):\n    error = Own('text'); error.detail = 5; raise error\n"
        "try: await theus.run(raising)\n"
        "except Own as error: print(error, error.detail)"
    )
    assert cell.stdout == "text 5\n"


def test_a_height_that_is_none_is_refused(kernel: Kernel) -> None:
    cell = kernel.bad("theus.timeline(height='tall')")
    assert cell.error == "ContractError: height is a number of pixels, not 'tall'"
    assert "theus_nb" not in cell.traceback
