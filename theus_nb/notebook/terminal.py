"""Terminal IPython: Ctrl-C ends the cell that awaits, and leaves nothing pending.

IPython runs such a cell by running a loop until it is done, and on Ctrl-C leaves that loop with
the cell half done: whatever it awaits goes on as soon as another cell awaits something.
"""

# mypy: untyped-calls-exclude=IPython
from __future__ import annotations

from typing import TYPE_CHECKING, Any

from IPython.core.async_helpers import get_asyncio_loop

from theus_nb.sync_entry import Interrupt

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Coroutine

    from IPython.core.interactiveshell import InteractiveShell


def cancel_interrupted_cells(shell: InteractiveShell) -> Callable[[], None]:
    """Have Ctrl-C cancel the coroutine of a cell, and wait until it has ended.

    Args:
        shell: Whose runner is replaced; only IPython's own for asyncio is, and none in a kernel.

    Returns:
        The undoing.
    """
    before: Any = shell.loop_runner
    if hasattr(shell, "kernel") or type(before).__name__ != "_AsyncIORunner":
        return lambda: None

    def run_cell(coroutine: Coroutine[Any, Any, Any]) -> object:
        loop: asyncio.AbstractEventLoop = get_asyncio_loop()
        task = loop.create_task(coroutine)
        with Interrupt(task):
            return loop.run_until_complete(task)

    def undo() -> None:
        if shell.loop_runner is run_cell:
            shell.loop_runner = before

    shell.loop_runner = run_cell
    return undo
