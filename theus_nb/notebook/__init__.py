"""theus_nb inside IPython: the only package here that imports it.

``%load_ext theus_nb`` ends in `load`, ``%unload_ext theus_nb`` in `unload`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import contextlib

    from IPython.core.interactiveshell import InteractiveShell

__all__ = ["load", "unload"]

_loaded: dict[InteractiveShell, contextlib.ExitStack] = {}


def load(shell: InteractiveShell) -> None:
    """Install the extension in a shell: quietly, and once however often it is called.

    Args:
        shell: The shell to extend.
    """
    if shell in _loaded:
        return
    from theus_nb.notebook.extension import install  # noqa: PLC0415 - paid when it is loaded

    _loaded[shell] = install(shell)


def unload(shell: InteractiveShell) -> None:
    """Take the extension out of a shell; names that cells have bound stay, being the user's.

    Args:
        shell: The shell to leave.
    """
    stack = _loaded.pop(shell, None)
    if stack is not None:
        stack.close()
