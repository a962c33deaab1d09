"""Figures of runs that go on after their cell are shown by that cell.

The inline backend shows what is open at the end of whichever cell ends next. So a figure that a
run has made, and neither shown nor closed, is shown when that run ends: a background cell does it
in its body, for other runs it is done once their cell has ended. Matplotlib tells who makes a
figure, through its setting ``figure.hooks``.
"""

# mypy: untyped-calls-exclude=IPython
from __future__ import annotations

import functools
import inspect
import sys
import weakref
from typing import TYPE_CHECKING, Any, Final

from IPython.display import display

from theus_nb.access import current

if TYPE_CHECKING:
    import types
    from collections.abc import Callable

_INLINE: Final = ("inline", "module://matplotlib_inline.backend_inline")
_HOOKS: Final = "figure.hooks"
_CLAIM: Final = f"{__name__}:claim"

_makers: Final[weakref.WeakKeyDictionary[object, tuple[str, ...]]] = weakref.WeakKeyDictionary()
"""By figure the runs whose bodies we were in when it was made, innermost first."""


def claim(figure: object) -> None:
    """Remember which run makes a figure. Matplotlib calls it with each new one."""
    runs = []
    access = current.get()
    while access is not None:
        runs.append(access.run.id)
        access = access.parent
    _makers[figure] = tuple(runs)


def hear_of_figures() -> None:
    """Ask matplotlib to tell who makes figures, if it has been imported."""
    settings = getattr(sys.modules.get("matplotlib"), "rcParams", None)
    # Missing while it is imported in another thread, and before version 3.7.
    if settings is not None and _HOOKS in settings and _CLAIM not in settings[_HOOKS]:
        settings[_HOOKS] = [*settings[_HOOKS], _CLAIM]


def forget_figures() -> None:
    """Take back what `hear_of_figures` asked for."""
    settings = getattr(sys.modules.get("matplotlib"), "rcParams", None)
    if settings is not None and _CLAIM in settings.get(_HOOKS, ()):
        settings[_HOOKS] = [hook for hook in settings[_HOOKS] if hook != _CLAIM]


def show_figures_of(run: str) -> None:
    """Show the figures that a run has made and left open, in the cell that the context names."""
    for number, manager in _open_figures().items():
        if run in _makers.get(manager.canvas.figure, ()):
            _show(number, manager)


def _show(number: Any, manager: Any) -> None:  # noqa: ANN401 - matplotlib's own
    # Taken away first: a cell that ends at this moment shows what it finds open.
    open_ones = sys.modules["matplotlib._pylab_helpers"].Gcf
    if open_ones.figs.pop(number, None) is manager:
        open_ones.destroy(manager)
        display(manager.canvas.figure)


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
        access = current.get()
        if access is not None:
            show_figures_of(access.run.id)
        for number, manager in _open_figures().items():
            # Nobody's, where the body itself was the first to import matplotlib.
            if number not in self._before and manager.canvas.figure not in _makers:
                _show(number, manager)


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
