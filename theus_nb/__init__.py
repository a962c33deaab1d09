"""theus_nb: notebook cells and functions as processes.

Named, contracted, recorded units of work: ``async def`` runs on the kernel's own event loop,
``def`` in worker threads. ``%load_ext theus_nb`` in a notebook, `Session` in a script.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from theus_nb.context import Context
from theus_nb.contract import Contract
from theus_nb.decorator import process
from theus_nb.installed import current as _current
from theus_nb.process import Process
from theus_nb.run import Run, RunRecord
from theus_nb.session import Session
from theus_nb.state import State

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

__all__ = [
    "Context",
    "Contract",
    "Process",
    "Run",
    "RunRecord",
    "Session",
    "State",
    "load_ipython_extension",
    "process",
    "session",
    "unload_ipython_extension",
]


def session() -> Session | None:
    """Return this notebook's session, or None where the extension is not loaded."""
    return _current()


def load_ipython_extension(shell: InteractiveShell) -> None:
    """Load the extension: ``%load_ext theus_nb``."""
    from theus_nb import notebook  # noqa: PLC0415 - IPython is only needed inside IPython

    notebook.load(shell)


def unload_ipython_extension(shell: InteractiveShell) -> None:
    """Unload the extension: ``%unload_ext theus_nb``."""
    from theus_nb import notebook  # noqa: PLC0415 - likewise

    notebook.unload(shell)


def __getattr__(name: str) -> str:
    if name != "__version__":
        msg = f"module 'theus_nb' has no attribute {name!r}"
        raise AttributeError(msg)
    from importlib.metadata import version  # noqa: PLC0415 - slow to import, and rarely asked for

    return version("theus_nb")
