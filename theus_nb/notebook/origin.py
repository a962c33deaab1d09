"""The cell we are in, and what it still has to say."""

from __future__ import annotations

import contextvars
import sys
import weakref
from typing import TYPE_CHECKING, Any

from theus_nb.stopper import all_given_up, threads_go_on

if TYPE_CHECKING:
    from collections.abc import Mapping

    from theus_nb._core import Run


class Cell:
    """A cell that is being executed, or was.

    Attributes:
        header: Of the message that asked for it; None in a shell without messages.
        executing: Whether it has not ended.
        failures: Runs started in it that failed before its end.
        given_up: Runs whose threads go on, of which it has said nothing yet.
        cancelled: Name of the first process whose awaiter saw no more than a ``CancelledError``.
        started: Runs started in it of whose end it does not know.
        waited_for: Runs of other cells that were awaited in it.
    """

    def __init__(self, header: Mapping[str, Any] | None) -> None:
        self.header = header
        self.executing = True
        self.failures: list[Run] = []
        self.given_up: list[Run] = []
        self.cancelled: str | None = None
        self.started: set[Run] = set()
        self.waited_for: weakref.WeakSet[Run] = weakref.WeakSet()

    def note(self, run: Run) -> None:
        """Note that whoever awaited a run saw no more than a ``CancelledError``.

        That its thread goes on is said with the error of the cell, or by a line of it.
        """
        self.cancelled = self.cancelled or run.name
        if run.status == "abandoned":
            self.given_up.append(run)
            if not self.executing:
                self.tell_given_up()

    def ended(self, run: Run) -> None:
        """Hear once of the end of a run that was started here."""
        if run in self.started:
            self.started.discard(run)
            # Whoever has cancelled a handle by its name gets an error that says so.
            if run.awaiter_cancelled:
                self.note(run)

    def look(self) -> None:
        """Look at the runs started here: an awaiter may hear of an end before we do."""
        all_given_up()
        for run in list(self.started):
            if run.has_ended:
                self.ended(run)

    def take_given_up(self) -> list[Run]:
        """Return the runs whose threads go on; the caller will say so, and nobody else."""
        runs, self.given_up = self.given_up, []
        return runs

    def tell_given_up(self) -> None:
        """Say which threads go on, in one line, unless it has been said."""
        if runs := self.take_given_up():
            print(f"theus_nb: {threads_go_on(runs)}", file=sys.stderr)  # noqa: T201 - to its cell


origin: contextvars.ContextVar[Cell | None] = contextvars.ContextVar(
    "theus_nb.origin", default=None
)
"""The cell we are in. Tasks and workers inherit it."""


class AwaitsInCells:
    """What becomes of runs whose awaits are cancelled depends on the cell of the await."""

    def cancelled(self, run: Run) -> None:
        """Tell the cell we are in that the awaiter of a run saw a bare ``CancelledError``."""
        cell = origin.get()
        if cell is not None:
            cell.note(run)

    def only_waits(self, run: Run) -> bool:
        """Hear that the cell we are in awaits a run; tell whether another one has started it."""
        cell = origin.get()
        if cell is None or run in cell.started:
            return False
        cell.waited_for.add(run)
        return True


def take_given_up() -> list[Run]:
    """Return the runs of this cell whose threads go on; the caller will say so."""
    cell = origin.get()
    if cell is None:
        return []
    cell.look()
    return cell.take_given_up()
