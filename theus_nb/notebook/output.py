"""Which cell an output belongs to, when it is produced in a worker thread.

Jupyter attaches every output to the message that caused it. ipykernel finds that message in
context variables where it can, and a run carries a copy of the context in which it was submitted,
so that nothing is left to do. Kernels that keep it per thread must be told in the worker.
"""

from __future__ import annotations

import contextvars
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

Route = Callable[[], Callable[[], None]]
"""Called where a run is submitted; what it returns is called in the worker, before the body."""


def make_route(shell: InteractiveShell) -> Route | None:
    """Return the route for this kernel, or None where copying the context is enough."""
    if not hasattr(shell, "get_parent") or not any(map(_needs_binding, _outputs(shell))):
        return None

    def capture() -> Callable[[], None]:
        parent = shell.get_parent()

        def bind() -> None:
            for output in _outputs(shell):
                if _needs_binding(output):
                    output.set_thread_parent(parent)  # type: ignore[attr-defined]

        return bind

    return capture


def _outputs(shell: InteractiveShell) -> tuple[object, ...]:
    return sys.stdout, sys.stderr, shell.display_pub, shell.displayhook


def _needs_binding(output: object) -> bool:
    """Tell whether an output keeps its parent per thread, outside the context."""
    parent = getattr(output, "_parent_header", None)
    return hasattr(output, "set_thread_parent") and not isinstance(parent, contextvars.ContextVar)
