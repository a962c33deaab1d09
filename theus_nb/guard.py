"""Cheap protection of values that pass from run to run.

A snapshot isolates bindings, not contents. Where a library offers isolation for next to nothing
it is used: data frames (pandas 3 or later) are handed over as shallow copies that copy on
write, numpy arrays that are input only as read-only views. Everything else is the object itself.
"""

from __future__ import annotations

import sys
from typing import Any, Final

PLAIN: Final = frozenset(
    {bool, int, float, complex, str, bytes, tuple, list, dict, set, frozenset, type(None)}
)
"""Types that need no look: the common case is decided without a call."""


def guard_input(value: Any, *, in_place: bool) -> Any:  # noqa: ANN401 - any value at all
    """Return what a run is given for a value.

    Args:
        value: The value in the state.
        in_place: Whether the path is an output of the run too, so that it may change the value.

    Returns:
        A shallow copy-on-write copy, a read-only view, or the value itself.
    """
    kind = _kind(type(value))
    if kind == "":
        return value
    if kind == "frame":
        return value.copy(deep=False)
    if in_place:
        return value
    view = value.view()
    view.flags.writeable = False
    return view


def guard_output(value: Any) -> Any:  # noqa: ANN401 - any value at all
    """Return what is committed for a value: frames are detached from the run that made them."""
    cls = type(value)
    return value if cls in PLAIN or _kind(cls) != "frame" else value.copy(deep=False)


def _kind(cls: type) -> str:
    """Tell ``"frame"``, ``"array"`` or ``""``, by exact type: subclasses have their own rules."""
    library = cls.__module__.partition(".")[0]
    if library == "numpy" and cls is sys.modules["numpy"].ndarray:
        return "array"
    if library == "pandas":
        pandas = sys.modules["pandas"]
        copies_on_write = int(pandas.__version__.partition(".")[0]) >= 3  # noqa: PLR2004
        if copies_on_write and cls in (pandas.DataFrame, pandas.Series):
            return "frame"
    return ""
