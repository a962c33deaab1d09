"""Runs that were admitted and whose bodies somebody here is to execute."""

from __future__ import annotations

from typing import TYPE_CHECKING

from theus_nb._core import Access, Run
from theus_nb.guard import PLAIN

if TYPE_CHECKING:
    from theus_nb.process import Process

Admitted = Access | Run
"""The access of a run that could start at once, or else the run."""


class Handle:
    """A run that was admitted before its body is executed; what `Dispatcher.run` is given then."""

    __slots__ = ("admitted", "process")

    def __init__(self, process: Process, admitted: Admitted) -> None:
        self.process = process
        self.admitted = admitted


def run_of(admitted: Admitted) -> Run:
    """Return the run of what was admitted, started or not."""
    return admitted.run if isinstance(admitted, Access) else admitted


def body_over(admitted: Admitted, access: Access | None) -> Run:
    """Note that a body has ended by an exception; return its run."""
    if access is not None:
        access.ended = True
    return run_of(admitted)


def awaits(process: Process, value: object) -> bool:
    """Tell whether a ``def`` returned an awaitable: it is awaited, not handed back."""
    cls = type(value)
    return cls not in PLAIN and hasattr(cls, "__await__") and process.kind == "function"
