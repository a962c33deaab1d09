"""From the source of a cell to code: lines, files, values, and whether it awaits."""

# mypy: untyped-calls-exclude=IPython
from __future__ import annotations

import ast
import asyncio
import atexit
import inspect
import linecache
import traceback
from typing import TYPE_CHECKING, Any

import pytest
from IPython.core.interactiveshell import InteractiveShell
from traitlets.config import Config

from theus_nb.notebook.cell import CellCode, compile_cell

if TYPE_CHECKING:
    from collections.abc import Iterator

HEADER = "%%theus_process p"


@pytest.fixture(scope="module")
def shell() -> Iterator[InteractiveShell]:
    shell = InteractiveShell(config=Config({"HistoryManager": {"enabled": False}}))
    yield shell
    shell.atexit_operations()
    atexit.unregister(shell.atexit_operations)


def compiled(shell: InteractiveShell, body: str, header: str = HEADER) -> CellCode:
    return compile_cell(shell, f"{header}\n{body}", 3, body)


def value(code: CellCode, names: dict[str, Any] | None = None) -> object:
    namespace = {} if names is None else names
    return asyncio.run(code.run_async(namespace)) if code.is_async else code.run(namespace)


def failing_line(code: CellCode) -> int | None:
    with pytest.raises(ZeroDivisionError) as caught:
        value(code)
    return traceback.extract_tb(caught.value.__traceback__)[-1].lineno


@pytest.mark.parametrize(
    ("body", "shown"),
    [
        ("1 + 1", 2),
        ("x = 1\nx", 1),
        ("x = 1", None),
        ("1 + 1;", None),
        ("1 + 1; # quiet", None),
        ("'a;'", "a;"),
        ("# only a comment", None),
        ("for i in range(3): i", None),
        ("import asyncio\nawait asyncio.sleep(0, 5)", 5),
        ("import asyncio\nx = await asyncio.sleep(0, 5)\nx + 1", 6),
        ("import asyncio\nawait asyncio.sleep(0, 5);", None),
        ("async def f(): return 1\n[x async for x in aiter_of(f)]", None),
    ],
)
def test_value_of_the_trailing_expression(
    shell: InteractiveShell, body: str, shown: object
) -> None:
    if "aiter_of" in body:
        assert compiled(shell, body).is_async
        return
    assert value(compiled(shell, body)) == shown


@pytest.mark.parametrize(
    ("body", "is_async"),
    [
        ("x = 1", False),
        ("async def f():\n    await g()", False),
        ("await f()", True),
        ("x = await f()\n1", True),
        ("async with f(): pass", True),
        ("[x async for x in y]", True),
        ("'await f()'", False),
    ],
)
def test_async_iff_the_top_level_awaits(
    shell: InteractiveShell, body: str, *, is_async: bool
) -> None:
    assert compiled(shell, body).is_async is is_async


@pytest.mark.parametrize("header", [HEADER, f"%%time\n{HEADER}", f"\n\n{HEADER}"])
@pytest.mark.parametrize("lead", ["", "\n", "\n\n  \n"])
def test_lines_are_those_of_the_whole_cell(shell: InteractiveShell, header: str, lead: str) -> None:
    body = f"{lead}x = 1\n\ny = 1 / 0\n"
    cell = f"{header}\n{body}"
    expected = cell.splitlines().index("y = 1 / 0") + 1
    assert failing_line(compiled(shell, body, header)) == expected


def test_source_is_kept_under_the_file_name(shell: InteractiveShell) -> None:
    code = compiled(shell, "def f():\n    return 1\n")
    names: dict[str, Any] = {}
    value(code, names)
    assert inspect.getsource(names["f"]) == "def f():\n    return 1\n"
    assert linecache.getline(code.filename, 1) == f"# {HEADER}\n"


def test_magics_and_commands_are_transformed(shell: InteractiveShell) -> None:
    code = compiled(shell, "x = %who_ls\n!true")
    assert "get_ipython" in code.names.read


def test_future_statement_holds_for_the_last_expression_too(shell: InteractiveShell) -> None:
    code = compiled(shell, "from __future__ import annotations\n(lambda x: x)")
    assert code.parts[1].co_flags & code.parts[0].co_flags & 0x1000000


def test_future_statement_stays_in_its_cell(shell: InteractiveShell) -> None:
    before = shell.compile.flags
    compiled(shell, "from __future__ import annotations")
    assert shell.compile.flags == before


def test_ast_transformers_apply_and_are_seen(shell: InteractiveShell) -> None:
    class Rename(ast.NodeTransformer):
        def visit_Name(self, node: ast.Name) -> ast.Name:
            node.id = node.id.removeprefix("my_")
            return node

    shell.ast_transformers.append(Rename())
    try:
        code = compiled(shell, "y = my_x")
    finally:
        shell.ast_transformers.clear()
    assert code.names.read == {"x"}


def test_body_that_does_not_compile(shell: InteractiveShell) -> None:
    with pytest.raises(SyntaxError) as caught:
        compiled(shell, "x = 1\ny = (")
    assert caught.value.lineno == 3


def test_nothing_is_shown_if_ipython_is_told_so(shell: InteractiveShell) -> None:
    shell.ast_node_interactivity = "none"
    try:
        assert value(compiled(shell, "1 + 1")) is None
    finally:
        shell.ast_node_interactivity = "last_expr"
