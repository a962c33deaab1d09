"""Figures of a background cell are shown by that cell.

The inline backend shows what is open at the end of whichever cell ends next. So figures that a
background body has made, and neither shown nor closed, are shown at its own end.
"""

# mypy: untyped-calls-exclude=IPython
from __future__ import annotations

import functools
import inspect
import sys
from typing import TYPE_CHECKING, Any, Final

from IPython.display import display

if TYPE_CHECKING:
    import types
    from collections.abc import Callable

_INLINE: Final = ("inline", "module://matplotlib_inline.backend_inline")


class ShownFigures:
    """Around a body: shows the figures that it leaves open, failed or not."""

    def __enter__(self) -> None:
        self._before = set(_open_figures())

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: types.TracebackType | None,
    ) -> None:
        for number, manager in _open_figures().items():
            if number not in self._before:
                display(manager.canvas.figure)
                sys.modules["matplotlib._pylab_helpers"].Gcf.destroy(number)


def with_figures(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a process function whose figures are shown when it ends.

    Args:
        function: A function or a coroutine function; what is returned is of the same kind.
    """
    if inspect.iscoroutinefunction(function):

        @functools.wraps(function)
        async def run_async(*args: object) -> object:
            with ShownFigures():
                return await function(*args)

        return run_async

    @functools.wraps(function)
    def run(*args: object) -> object:
        with ShownFigures():
            return function(*args)

    return run


def _open_figures() -> dict[Any, Any]:
    """Return the managers of open figures by number: none where they are not shown inline."""
    pyplot = sys.modules.get("matplotlib.pyplot")
    if pyplot is None or pyplot.get_backend().lower() not in _INLINE:
        return {}
    return dict(sys.modules["matplotlib._pylab_helpers"].Gcf.figs)
