"""Facts about the kernel we live in: its loop, its cells, its namespace."""

# mypy: untyped-calls-exclude=IPython
from __future__ import annotations

import asyncio
import os
import pathlib
import threading
from typing import TYPE_CHECKING

from theus_nb.state import MISSING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from IPython.core.interactiveshell import ExecutionInfo, InteractiveShell


def kernel_loop(shell: InteractiveShell) -> asyncio.AbstractEventLoop | None:
    """Return the loop on which the kernel runs its cells, if this thread is the one.

    Terminal IPython has no loop of its own: it makes one run for each cell that awaits. A
    subshell runs its cells on another thread and another loop.
    """
    if not hasattr(shell, "kernel") or threading.current_thread() is not threading.main_thread():
        return None
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None


def notebook_name(shell: InteractiveShell) -> str:
    """Return the path of the notebook, or the working directory when nothing tells.

    A Jupyter server says it in the environment, VS Code in the namespace.
    """
    server = os.environ.get("JPY_SESSION_NAME")
    return server or str(shell.user_ns.get("__vsc_ipynb_file__") or pathlib.Path.cwd())


class NotebookNamespace:
    """The notebook's own variables, as the ``nb`` zone of the state."""

    def __init__(self, shell: InteractiveShell) -> None:
        self._shell = shell

    def lookup(self, name: str) -> object:
        """Return the value of a notebook variable, or `MISSING`."""
        return self._shell.user_ns.get(name, MISSING)

    def bind(self, values: Mapping[str, object]) -> None:
        """Bind notebook variables; called on the main thread, when a run commits."""
        self._shell.push(dict(values))


class CellRecord(threading.local):
    """Remembers the cell that is being executed, for the compiler; in each thread its own.

    A magic is told its line and its body only. Line numbers and file names must be those of the
    whole cell, with whatever stands on top (``%%time``). A subshell executes its cells in a
    thread beside ours.
    """

    _raw = ""
    _number = 0

    def __init__(self, shell: InteractiveShell) -> None:
        self._shell = shell

    def pre_run_cell(self, info: ExecutionInfo) -> None:
        """Note a cell; a part of the present cell that is run by itself changes nothing."""
        raw = info.raw_cell or ""
        stored = bool(info.store_history)
        if not stored and self._raw.rstrip().endswith(raw.rstrip()):
            return
        self._raw = raw
        # The count goes up before or after a cell, depending on the version; the prompt knows.
        hook, count = self._shell.displayhook, self._shell.execution_count
        self._number = hook.prompt_count if stored else count

    @property
    def number(self) -> int:
        """Execution count of the cell that is being executed."""
        return self._number

    def source(self, line: str, body: str) -> tuple[str, int]:
        """Return the whole cell that contains a body, and its execution count."""
        if body.strip() and self._raw.rstrip().endswith(body.rstrip()):
            return self._raw, self._number
        return f"{line}\n{body}", self._number

    def number_of(self, filename: str) -> int | None:
        """Return the execution count of the cell that a code object's file name stands for."""
        names: Mapping[str, int] = getattr(self._shell.compile, "_filename_map", {})
        return names.get(filename)
