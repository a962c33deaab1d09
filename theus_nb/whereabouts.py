"""Where a thread is: the line of the user's code in a stack, and the process it belongs to."""

from __future__ import annotations

import asyncio
import dataclasses
import os
import selectors
import site
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import types
    from collections.abc import Callable, Iterator

_OURS: Final = str(Path(__file__).parent) + os.sep
_LIBRARIES: Final = tuple(
    {
        str(Path(os.__file__).parent),
        *site.getsitepackages(),
        site.getusersitepackages(),
        _OURS,
        "<frozen",
    }
)
"""What the file names of code begin with that the user has not written."""


_LOOPS: Final = (selectors.__file__, str(Path(asyncio.__file__).parent))
"""What the file names of a loop's own code begin with."""


@dataclasses.dataclass(frozen=True, slots=True)
class Place:
    """Where a thread is.

    Attributes:
        file: Of the innermost code of the user's; of the innermost code if there is none.
        line: Likewise.
        function: Likewise.
        cell: Execution count of the cell that the code stands in, or None.
        process: Name of the process whose body it is, or None.
        is_async: Whether that process is a coroutine, or a cell that awaits.
    """

    file: str | None
    line: int | None
    function: str
    cell: int | None
    process: str | None
    is_async: bool


def place_of(frame: types.FrameType, cell_of: Callable[[str], int | None]) -> Place | None:
    """Return where a thread is, or None if it only waits in an event loop for something to do.

    Args:
        frame: Its innermost frame. Hold the interpreter from there to here, or it moves on.
        cell_of: Tells the number of the cell that a file name stands for, or None.
    """
    stack = list(_outwards(frame))
    if _waits(stack):
        return None
    chosen = next((f for f in stack if _is_users(f.f_code.co_filename, cell_of)), stack[0])
    process = _process_of(stack)
    return Place(
        file=chosen.f_code.co_filename,
        line=chosen.f_lineno,
        function=chosen.f_code.co_qualname,
        cell=cell_of(chosen.f_code.co_filename),
        process=None if process is None else process[0],
        is_async=process is not None and process[1],
    )


def _outwards(frame: types.FrameType | None) -> Iterator[types.FrameType]:
    while frame is not None:
        yield frame
        frame = frame.f_back


def _waits(stack: list[types.FrameType]) -> bool:
    """Tell whether a loop is looking for events, or has just been woken by one of its own."""
    return stack[0].f_code.co_filename.startswith(_LOOPS)


def _is_users(file: str, cell_of: Callable[[str], int | None]) -> bool:
    return cell_of(file) is not None or not file.startswith(_LIBRARIES)


def _process_of(stack: list[types.FrameType]) -> tuple[str, bool] | None:
    """Return name and kind of the innermost process in a stack, from the dispatcher's own frame."""
    for frame in stack:
        if frame.f_code.co_qualname == "Dispatcher.run" and _OURS in frame.f_code.co_filename:
            process = frame.f_locals.get("process")
            name = getattr(process, "name", None)
            if isinstance(name, str):
                return name, bool(getattr(process, "is_async", False))
    return None


__all__ = ["Place", "place_of"]
