"""Requests to stop that arrive where nothing can be raised, and come to nothing.

A request is an exception, which appears at whatever its thread executes next. In a finalizer or in
the callback of a weak reference the interpreter reports it and drops it. That is no rare accident:
since Python 3.12 the collector, which calls both, runs where such requests are delivered.
"""

from __future__ import annotations

import asyncio
import sys
import threading
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable

_lock: Final = threading.Lock()
_listeners: Final[list[Callable[[], bool]]] = []
_before: Callable[[Any], object] | None = None


def listen(listener: Callable[[], bool]) -> None:
    """Have somebody told of requests that were lost.

    Args:
        listener: Called in the thread concerned. Returns whether the request was its own; then
            nothing is reported.
    """
    global _before
    with _lock:
        _listeners.append(listener)
        if _before is None:
            _before, sys.unraisablehook = sys.unraisablehook, _hook


def forget(listener: Callable[[], bool]) -> None:
    """Tell a listener nothing any more; the last one takes the hook with it."""
    global _before
    with _lock:
        if listener in _listeners:
            _listeners.remove(listener)
        # Somebody who has wrapped ours calls it, and it passes on what it gets.
        if not _listeners and _before is not None and sys.unraisablehook is _hook:
            sys.unraisablehook, _before = _before, None


def _hook(report: Any) -> None:  # noqa: ANN401 - sys.UnraisableHookArgs is no type at run time
    lost = issubclass(report.exc_type, asyncio.CancelledError)
    if not (lost and any(listener() for listener in list(_listeners))):
        (_before or sys.__unraisablehook__)(report)
