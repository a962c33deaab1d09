"""Why a ``%%theus_process`` cell can ``await``: its first line is rewritten.

IPython never awaits what a cell magic returns. But it does await a cell whose source contains a
top-level ``await``. So the call that IPython makes out of the magic line gets one, in front of a
second, private magic that returns a coroutine. Where nobody could honour the ``await`` the cell
is left alone, and the public magic runs it to the end.
"""

from __future__ import annotations

import ast
import asyncio
import re
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

PROCESS_MAGIC: Final = "theus_process"
AWAIT_MAGIC: Final = "_theus_process_await"

WAIT_MAGIC: Final = "_theus_wait"

_CALL: Final = f"get_ipython().run_cell_magic('{PROCESS_MAGIC}', "
_AWAITED_CALL: Final = f"await get_ipython().run_cell_magic('{AWAIT_MAGIC}', "

_WAIT_CALL: Final = re.compile(r"get_ipython\(\)\.run_line_magic\('theus', (?='wait[ '])")
_AWAITED_WAIT_CALL: Final = f"await get_ipython().run_line_magic('{WAIT_MAGIC}', "

Transformer = Callable[[list[str]], list[str]]


def make_transformer(shell: InteractiveShell) -> Transformer:
    """Return the entry for ``input_transformers_post``.

    Args:
        shell: Whose cells are transformed.
    """

    def theus_await(lines: list[str]) -> list[str]:
        if not lines or not lines[0].startswith(_CALL):
            return _await_waits(shell, lines)
        line, body = _arguments(lines[0])
        if body and not _is_python(shell, body):
            return _as_plain_cell(shell, line, body)
        call = _AWAITED_CALL if can_await(shell) else _CALL
        # IPython refuses an empty body with less to say than we have.
        return [f"{call}{line!r}, {body or chr(10)!r})\n", *lines[1:]]

    return theus_await


def _await_waits(shell: InteractiveShell, lines: list[str]) -> list[str]:
    """Rewrite ``%theus wait``, which has the same need, where it stands at the left margin."""
    if not any(map(_WAIT_CALL.match, lines)) or not can_await(shell):
        return lines
    return [
        _WAIT_CALL.sub(_AWAITED_WAIT_CALL, line, count=1) if _WAIT_CALL.match(line) else line
        for line in lines
    ]


def can_await(shell: InteractiveShell) -> bool:
    """Tell whether a top-level ``await`` in the next cell would be honoured.

    It takes autoawait, a loop that runs in this thread, and a cell that is executed by the front
    end: under ``%%time``, ``%%capture`` or ``get_ipython().run_cell(...)`` a cell runs inside
    another one, which cannot wait for it.
    """
    if not shell.autoawait:
        return False
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return not _is_nested()


def _is_nested() -> bool:
    """Tell whether IPython is running a cell in this thread already."""
    frame = sys._getframe(1)  # noqa: SLF001 - the public way builds the whole stack
    while frame.f_back is not None:
        frame = frame.f_back
        if frame.f_code.co_name == "run_code" and frame.f_globals.get("__name__", "").startswith(
            ("IPython.core.", "ipykernel.")
        ):
            return True
    return False


def _arguments(call: str) -> tuple[str, str]:
    """Return the line and the body that IPython put into its call."""
    tree = ast.parse(call.strip(), mode="eval").body
    if not isinstance(tree, ast.Call):  # nobody but IPython writes such a line
        return "", ""
    _, line, body = (ast.literal_eval(argument) for argument in tree.args)
    return line, body


def _is_python(shell: InteractiveShell, body: str) -> bool:
    flags = shell.compile.flags | ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
    try:
        source = shell.input_transformer_manager.transform_cell(body)
        compile(source, "<cell>", "exec", flags, dont_inherit=True)
    except (SyntaxError, ValueError):  # ValueError: a null byte
        return False
    return True


def _as_plain_cell(shell: InteractiveShell, line: str, body: str) -> list[str]:
    """Hand a broken body back, so that IPython reports the error as in any cell, line included."""
    blank = []
    for text in body.splitlines():
        if text.strip():
            break
        blank.append("\n")
    try:
        source = shell.input_transformer_manager.transform_cell(body)
    except SyntaxError:
        source = body
    return [f"# %%{PROCESS_MAGIC} {line}\n", *blank, *source.splitlines(keepends=True)]
