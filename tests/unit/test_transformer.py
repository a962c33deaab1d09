"""Which cells are rewritten to ``await``, and which are left alone."""

# mypy: untyped-calls-exclude=IPython
from __future__ import annotations

import ast
import asyncio
import atexit
from typing import TYPE_CHECKING

import pytest
from IPython.core.interactiveshell import InteractiveShell
from traitlets.config import Config

from theus_nb.notebook.transformer import AWAIT_MAGIC, can_await, make_transformer

if TYPE_CHECKING:
    from collections.abc import Iterator

AWAITED = f"await get_ipython().run_cell_magic('{AWAIT_MAGIC}', "


@pytest.fixture
def shell() -> Iterator[InteractiveShell]:
    shell = InteractiveShell(config=Config({"HistoryManager": {"enabled": False}}))
    shell.autoawait = True
    shell.input_transformers_post.append(make_transformer(shell))
    yield shell
    shell.atexit_operations()
    atexit.unregister(shell.atexit_operations)


def transformed(shell: InteractiveShell, cell: str, *, loop: bool = True) -> str:
    async def on_loop() -> str:
        return str(shell.transform_cell(cell))

    return asyncio.run(on_loop()) if loop else str(shell.transform_cell(cell))


def test_process_cell_is_awaited(shell: InteractiveShell) -> None:
    assert (
        transformed(shell, "%%theus_process p -o x\nx = 1\n") == f"{AWAITED}'p -o x', 'x = 1\\n')\n"
    )


@pytest.mark.parametrize(
    "cell", ["x = 1\n", "%%time\nx = 1\n", "await f()\n", "theus_process\n", ""]
)
def test_other_cells_stay_as_they_are(shell: InteractiveShell, cell: str) -> None:
    with_us = transformed(shell, cell)
    shell.input_transformers_post.clear()
    assert with_us == transformed(shell, cell)


def test_nothing_is_awaited_without_a_loop(shell: InteractiveShell) -> None:
    assert "await" not in transformed(shell, "%%theus_process p\nx = 1\n", loop=False)


def test_nothing_is_awaited_with_autoawait_off(shell: InteractiveShell) -> None:
    shell.autoawait = False
    assert "await" not in transformed(shell, "%%theus_process p\nx = 1\n")


def test_nothing_is_awaited_inside_a_running_cell(shell: InteractiveShell) -> None:
    async def nested() -> None:
        assert can_await(shell)
        shell.user_ns["can_await"] = lambda: can_await(shell)
        code = compile("inside = can_await()", "<cell>", "exec")
        await shell.run_code(code)

    asyncio.run(nested())
    assert shell.user_ns["inside"] is False


@pytest.mark.parametrize("loop", [True, False])
def test_broken_body_is_handed_back_line_by_line(shell: InteractiveShell, *, loop: bool) -> None:
    cell = "%%theus_process p -o x\n\nx = 1\ny = (\n"
    assert transformed(shell, cell, loop=loop) == "# %%theus_process p -o x\n\nx = 1\ny = (\n"


@pytest.mark.parametrize("body", ["", "\n", "\n\n"])
def test_empty_body_reaches_our_own_message(shell: InteractiveShell, body: str) -> None:
    # IPython refuses an empty string itself, in the name of the private magic.
    assert transformed(shell, f"%%theus_process p{body}") == f"{AWAITED}'p', '\\n')\n"


def test_magics_in_the_body_are_no_syntax_errors(shell: InteractiveShell) -> None:
    cell = "%%theus_process p\n!echo x\n%who\nx = !ls\nawait f()\n"
    assert transformed(shell, cell).startswith(AWAITED)


def test_quotes_and_backslashes_survive(shell: InteractiveShell) -> None:
    body = 'x = \'it\\\'s\' + """a\\n""" + r\'\\d\'\n'
    line = transformed(shell, f"%%theus_process p -s 'a b'\n{body}")
    call = line.removeprefix("await get_ipython().run_cell_magic")
    assert ast.literal_eval(call) == (AWAIT_MAGIC, "p -s 'a b'", body)
