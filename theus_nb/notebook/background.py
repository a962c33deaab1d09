"""Runs that go on after their cell: where their failures are shown.

A failure of a background cell is shown in that cell as soon as it happens. One of
``theus.start(...)`` is shown in its cell too, unless somebody has looked at it by the end of the
cell, or is waiting for it when it happens later.
"""

# mypy: untyped-calls-exclude=IPython
from __future__ import annotations

import contextlib
import functools
import threading
import weakref
from typing import TYPE_CHECKING, Any

from theus_nb.errors import RunCancelledError, SessionError
from theus_nb.notebook.figures import hear_of_figures, show_figures_of
from theus_nb.notebook.origin import Cell, origin

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from IPython.core.interactiveshell import InteractiveShell

    from theus_nb._core import Run
    from theus_nb.process import Process
    from theus_nb.session import Session


class Background:
    """Starts background cells, and shows how runs fail that nobody waits for.

    Args:
        shell: Shows failures.
        session: Whose runs these are.
    """

    def __init__(self, shell: InteractiveShell, session: Session) -> None:
        self._shell: Any = shell
        self._session = session
        self._executing = threading.local()  # a subshell executes its cells beside ours
        self._runs: weakref.WeakSet[Run] = weakref.WeakSet()

    # -- events of the shell ------------------------------------------------------------------

    def pre_run_cell(self, _info: object) -> None:
        """Open a cell; cells may run inside each other."""
        parent = self._shell.get_parent() if hasattr(self._shell, "get_parent") else {}
        cell = Cell(parent.get("header"))
        self._cells().append(cell)
        origin.set(cell)

    def post_run_cell(self, _result: object) -> None:
        """Close the cell; show the failures in it that it has not looked at, and what goes on."""
        cells = self._cells()
        if not cells:
            return  # loaded in this very cell, or an empty one
        cell = cells.pop()
        cell.executing = False
        for run in list(cell.started):  # a worker may start another one meanwhile
            run.leave()
        for run in cell.failures:
            if run.unseen:
                self._show(run, cell)
        cell.failures.clear()
        cell.look()
        cell.tell_given_up()

    def _cells(self) -> list[Cell]:
        if not hasattr(self._executing, "cells"):
            self._executing.cells = []
        cells: list[Cell] = self._executing.cells
        return cells

    # -- runs -----------------------------------------------------------------------------------

    def start(self, process: Process, arguments: tuple[object, ...]) -> Run:
        """Start a background cell; an unfinished run of the same cell gives way to it.

        Raises:
            SessionError: In terminal IPython, whose loop stands still between cells.
        """
        if not hasattr(self._shell, "kernel"):
            msg = (
                f"process {process.name!r}: --background needs an event loop that goes on when "
                "the cell has ended, and terminal IPython has none. Leave it out, or use Jupyter"
            )
            raise SessionError(msg, process=process.name)
        earlier = self.take_unfinished(process.name)
        if earlier is None:
            run = self._session.start(process, *arguments)
        else:
            run = self._session.replace(earlier, process, *arguments)
        self._session.background[process.name] = run
        self._runs.add(run)  # before its end is noticed, which takes a turn of the loop
        return run

    def take_unfinished(self, name: str) -> Run | None:
        """Return the unfinished run of a background cell, whose place the caller takes, or None.

        Args:
            name: Of its process.
        """
        run = self._session.background.get(name)
        if run is None or run.has_ended:
            return None
        return self._session.background.pop(name)

    def watch(self, run: Run) -> None:
        """Show how a run fails, and its figures. Called with every run that is started."""
        hear_of_figures()
        cell = origin.get()
        if cell is not None:
            cell.started.add(run)
            if not cell.executing:
                run.leave()
            run.add_done_callback(functools.partial(self._ended, cell))

    def _ended(self, cell: Cell, run: Run) -> None:
        cell.ended(run)
        if not cell.executing:
            show_figures_of(run.id)
        if run in self._runs:
            if not isinstance(run.exception(), RunCancelledError | None):
                self._show(run, cell)
            elif run.status == "abandoned":
                cell.note(run)
        elif run.unseen:
            if cell.executing:
                cell.failures.append(run)
            else:
                self._show(run, cell)

    def _show(self, run: Run, cell: Cell) -> None:
        error = run.exception()
        if error is None:
            return
        with _addressed(self._shell, cell.header):
            # Nothing to be left out: before version 9 IPython expects a frame of its own on top.
            self._shell.showtraceback((type(error), error, error.__traceback__), tb_offset=0)


@contextlib.contextmanager
def _addressed(shell: Any, header: Mapping[str, Any] | None) -> Iterator[None]:  # noqa: ANN401 - of a kernel
    """Have errors attached to the cell of a message, and to no other one."""
    hook = shell.displayhook
    # Since ipykernel 7 the context says which cell we are in, and we have the right one.
    by_hand = header is not None and not isinstance(
        getattr(type(hook), "parent_header", None), property
    )
    with contextlib.ExitStack() as undo:
        # The reply to the cell that runs now must not quote somebody else's error.
        undo.callback(_restore(shell, "_last_traceback"))
        if by_hand:
            undo.callback(_restore(hook, "parent_header"))
            hook.parent_header = header
        yield


def _restore(thing: object, name: str) -> Callable[[], None]:
    value = getattr(thing, name, None)
    return lambda: setattr(thing, name, value)
