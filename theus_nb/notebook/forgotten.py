"""What a notebook shows for ``theus.run(...)`` without ``await``: the corrected line."""

from __future__ import annotations

import inspect
import types
from typing import TYPE_CHECKING, Any, Final

from theus_nb.dispatcher import Dispatcher

if TYPE_CHECKING:
    from collections.abc import Callable

    from IPython.core.interactiveshell import InteractiveShell

_RUN: Final = Dispatcher.run.__code__


def explain_forgotten_awaits(shell: InteractiveShell) -> Callable[[], None]:
    """Have coroutines of ``theus.run`` displayed as the line that was meant.

    Args:
        shell: Whose display formatter is taught; other coroutines look as before.

    Returns:
        The undoing.
    """
    formatter: Any = shell.display_formatter
    if formatter is None:
        return lambda: None
    text = formatter.formatters["text/plain"]
    before = text.type_printers.get(types.CoroutineType)

    def show(coroutine: types.CoroutineType[Any, Any, Any], printer: Any, cycle: bool) -> None:  # noqa: ANN401, FBT001 - IPython's protocol
        if coroutine.cr_code is _RUN:
            printer.text(_explanation(coroutine))
        elif before is not None:
            before(coroutine, printer, cycle)
        else:
            printer.text(repr(coroutine))

    def undo() -> None:
        if text.type_printers.get(types.CoroutineType) is show:
            del text.type_printers[types.CoroutineType]
            if before is not None:
                text.type_printers[types.CoroutineType] = before

    text.for_type(types.CoroutineType, show)
    return undo


def _explanation(coroutine: types.CoroutineType[Any, Any, Any]) -> str:
    frame = coroutine.cr_frame
    process = frame.f_locals.get("process") if frame is not None else None
    shown = repr(process) if isinstance(process, str) else getattr(process, "name", "...")
    if inspect.getcoroutinestate(coroutine) != inspect.CORO_CREATED:
        return f"<theus.run({shown}), being awaited>"
    return f"<theus.run({shown}) has not been awaited; write: await theus.run({shown})>"
