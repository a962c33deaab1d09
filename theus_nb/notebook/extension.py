"""Everything that loading the extension changes in IPython, and how it is undone."""

# mypy: untyped-calls-exclude=IPython
from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any, Final

from theus_nb.installed import current
from theus_nb.installed import install as set_current
from theus_nb.notebook.background import Background
from theus_nb.notebook.closing import CloseAtExit, end_session
from theus_nb.notebook.completion import make_matcher
from theus_nb.notebook.config import TheusNb
from theus_nb.notebook.figures import forget_figures
from theus_nb.notebook.forgotten import explain_forgotten_awaits
from theus_nb.notebook.host import CellRecord, NotebookNamespace, kernel_loop, notebook_name
from theus_nb.notebook.interrupt import SignalWakeup
from theus_nb.notebook.magics import TheusMagics
from theus_nb.notebook.origin import AwaitsInCells
from theus_nb.notebook.output import make_route
from theus_nb.notebook.terminal import cancel_interrupted_cells
from theus_nb.notebook.traceback import shorten_tracebacks
from theus_nb.notebook.transformer import make_transformer
from theus_nb.session import Session

if TYPE_CHECKING:
    from collections.abc import Callable

    from IPython.core.interactiveshell import InteractiveShell

_NAME: Final = "theus"
"""Under which the notebook finds the session, where that name is free."""


def install(shell: InteractiveShell) -> contextlib.ExitStack:
    """Install the extension in a shell.

    Args:
        shell: The shell to extend.

    Returns:
        The undoing of every step: closing it leaves the shell as it was found. If a step fails,
        the steps before it are undone at once.
    """
    with contextlib.ExitStack() as undo:
        settings = TheusNb(shell)
        session = _open_session(shell, settings, undo)
        settings.attach(session)
        record = CellRecord(shell)
        background = _watch_background(shell, session, undo)
        session.watch.cell_of = record.number_of
        undo.callback(shorten_tracebacks(shell))
        _register(shell, TheusMagics(shell, session, record, background), undo)
        _append(shell.configurables, settings, undo)
        _append(shell.input_transformers_post, make_transformer(shell), undo)
        if shell.Completer is not None:
            _append(shell.Completer.custom_matchers, make_matcher(shell, session), undo)
        _listen(shell, record.pre_run_cell, undo)

        def number_entries(_info: object) -> None:
            session.audit.log.cell = record.number

        _listen(shell, number_entries, undo)
        _adopt_loop(shell, session, undo)
        undo.callback(explain_forgotten_awaits(shell))
        undo.callback(cancel_interrupted_cells(shell))
        _show(shell, session, undo)
        return undo.pop_all()
    raise AssertionError  # ExitStack swallows nothing here; mypy cannot know


def _open_session(
    shell: InteractiveShell, settings: TheusNb, undo: contextlib.ExitStack
) -> Session:
    """Use the session there is, or make one that ends with the extension; tie it to the shell."""
    session = current()
    if session is None:
        session = Session(notebook=notebook_name(shell), **settings.session_options())
        undo.callback(set_current, None)
        undo.callback(end_session, session, lambda: kernel_loop(shell))
        set_current(session)
    present = session

    def untie() -> None:
        present.namespace = None
        present.output_route = None

    undo.callback(untie)
    session.namespace = NotebookNamespace(shell)

    def forget_rebound(_result: object) -> None:
        # A value that a plain cell has replaced or deleted must not live on as a version.
        present.sync_notebook()

    _listen(shell, forget_rebound, undo, "post_run_cell")
    _listen(shell, lambda _result: present.cell_ended(), undo, "post_run_cell")
    route = make_route(shell)
    if route is not None:
        undo.callback(route.close)
        _listen(shell, route.pre_run_cell, undo)
        session.output_route = route.capture
    return session


def _watch_background(
    shell: InteractiveShell, session: Session, undo: contextlib.ExitStack
) -> Background:
    """Have what becomes of runs shown in their cells: failures, and threads that go on."""
    background = Background(shell, session)

    def unwatch() -> None:
        session.on_start = None
        session.follow_awaits(None)
        forget_figures()

    undo.callback(unwatch)
    session.on_start = background.watch
    session.follow_awaits(AwaitsInCells())
    _listen(shell, background.pre_run_cell, undo)
    _listen(shell, background.post_run_cell, undo, "post_run_cell")
    return background


def _register(shell: InteractiveShell, magics: TheusMagics, undo: contextlib.ExitStack) -> None:
    """Register magics; the undoing puts back whatever had their names before."""
    manager = shell.magics_manager
    configurables: list[Any] = shell.configurables
    before = {kind: dict(table) for kind, table in manager.magics.items()}

    def unregister() -> None:
        for kind, names in magics.magics.items():
            table = manager.magics[kind]
            for name in names:
                table.pop(name, None)
                if name in before[kind]:
                    table[name] = before[kind][name]
        manager.registry.pop(type(magics).__name__, None)
        configurables[:] = [c for c in configurables if c is not magics]

    undo.callback(unregister)
    shell.register_magics(magics)


def _append(entries: list[Any], entry: object, undo: contextlib.ExitStack) -> None:
    """Append to one of the shell's lists; the undoing removes that very entry."""

    def remove() -> None:
        with contextlib.suppress(ValueError):  # somebody cleared the list
            entries.remove(entry)

    undo.callback(remove)
    entries.append(entry)


def _listen(
    shell: InteractiveShell,
    callback: Callable[..., object],
    undo: contextlib.ExitStack,
    event: str = "pre_run_cell",
) -> None:
    """Call back before each cell, or at another of IPython's events."""

    def stop() -> None:
        with contextlib.suppress(ValueError):
            shell.events.unregister(event, callback)

    undo.callback(stop)
    shell.events.register(event, callback)


def _adopt_loop(shell: InteractiveShell, session: Session, undo: contextlib.ExitStack) -> None:
    """Give the session the kernel's loop: now, or at the first cell if none runs yet.

    An extension named in a configuration file is loaded before the kernel starts its loop.
    """
    adopted = False

    def adopt(_info: object = None) -> None:
        nonlocal adopted
        loop = None if adopted else kernel_loop(shell)
        if loop is not None:
            adopted = True
            session.adopt_loop(loop)
            undo_later.callback(SignalWakeup(loop).close)
            undo_later.callback(CloseAtExit(session, loop).forget)

    undo_later = undo.enter_context(contextlib.ExitStack())
    adopt()
    if not adopted:
        _listen(shell, adopt, undo)


def _show(shell: InteractiveShell, session: Session, undo: contextlib.ExitStack) -> None:
    """Call the session ``theus`` in the notebook, unless the user has something of that name."""
    present = shell.user_ns.get(_NAME)
    if present is None or isinstance(present, Session):
        undo.callback(shell.drop_by_id, {_NAME: session})
        shell.push({_NAME: session}, interactive=False)
