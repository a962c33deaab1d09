"""Which cell an output belongs to, when it is produced in a worker thread or after its cell.

Jupyter attaches every output to the message that caused it. A run carries a copy of the context
in which it was submitted, and ipykernel 7 finds that message in context variables, so that
nothing is left to do. ipykernel 6 does so for streams only: what is displayed is attached to
the cell that runs at that moment, whoever displays it.
"""

from __future__ import annotations

import contextvars
import threading
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from IPython.core.interactiveshell import InteractiveShell

_cell: Final[contextvars.ContextVar[Mapping[str, Any] | None]] = contextvars.ContextVar(
    "theus_nb.cell", default=None
)
"""Header of the message whose cell we are in. Tasks and workers inherit it."""


class DisplayRoute:
    """Attaches what is displayed to the cell that the context belongs to.

    The kernel's display publisher lets each thread look over the messages that it sends. So the
    main thread, and each worker before its first body, is given the same hook, which reads the
    context.

    Args:
        shell: Whose publisher is given the hook; on its main thread.
    """

    def __init__(self, shell: InteractiveShell) -> None:
        self._shell: Any = shell
        self._hooked = threading.local()
        self.bind()

    def pre_run_cell(self, _info: object) -> None:
        """Remember in the context of a cell which message it came with."""
        parent = self._shell.get_parent()
        _cell.set(parent.get("header", parent))

    def capture(self) -> Callable[[], None]:
        """Return what a worker calls before a body; the context brings the rest along."""
        return self.bind

    def bind(self) -> None:
        """Give this thread the hook, once."""
        if not hasattr(self._hooked, "done"):
            self._hooked.done = True
            self._shell.display_pub.register_hook(self._address)

    def close(self) -> None:
        """Take the hook from the main thread; the workers end with the session."""
        self._shell.display_pub.unregister_hook(self._address)

    @staticmethod
    def _address(message: dict[str, Any]) -> dict[str, Any]:
        header = _cell.get()
        if header is not None:
            message["parent_header"] = header
        return message


def make_route(shell: InteractiveShell) -> DisplayRoute | None:
    """Return the route that this kernel needs, or None where the context is enough."""
    publisher = shell.display_pub
    if not hasattr(shell, "get_parent") or not hasattr(publisher, "register_hook"):
        return None
    if hasattr(publisher, "set_thread_parent"):
        return None  # it keeps its message in the context
    return DisplayRoute(shell)
