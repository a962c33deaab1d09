"""Tracebacks that show the user's lines, not ours."""

# mypy: untyped-calls-exclude=IPython
from __future__ import annotations

import asyncio
import sys
import traceback
import types
from typing import TYPE_CHECKING, Any, Final

from theus_nb.dispatcher import Dispatcher
from theus_nb.errors import TheusError, text_of
from theus_nb.notebook.interrupt import InterruptedProcess, InterruptedWait, was_interrupted
from theus_nb.notebook.origin import origin
from theus_nb.sync_entry import run_sync

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from IPython.core.interactiveshell import InteractiveShell

_OURS: Final = "theus_nb"
_MAGICS: Final = "theus_nb.notebook.magics"
_PLUMBING: Final = (
    "IPython",
    "ipykernel",
    "asyncio",
    "concurrent",
    "nest_asyncio2",
    "selectors",
    "threading",
)
_HOOK: Final = "structured_traceback"
_SHOW: Final = "showtraceback"
_RUNS: Final = (Dispatcher.run.__code__, run_sync.__code__)


def shorten_tracebacks(shell: InteractiveShell) -> Callable[[], None]:
    """Leave our frames out of the tracebacks that a shell displays.

    Exceptions on their way through the engine collect its frames, which tell a user nothing.
    They are left out where IPython formats a traceback: there only, so that exceptions stay as
    they are and the debugger still sees everything. Errors of ours that no line of the user
    raised are shown as their message.

    Args:
        shell: Whose formatter is wrapped.

    Returns:
        The undoing.
    """
    formatter: Any = shell.InteractiveTB
    original: Callable[..., Any] = formatter.structured_traceback

    def structured_traceback(
        etype: type[BaseException],
        evalue: BaseException | None = None,
        etb: Any = None,  # noqa: ANN401 - likewise
        tb_offset: int | None = None,
        *args: Any,  # noqa: ANN401 - IPython's own
        **kwargs: Any,  # noqa: ANN401 - likewise
    ) -> Any:  # noqa: ANN401 - likewise
        if isinstance(etb, tuple):  # a link of a chain, which was seen to with its last link
            return original(etype, evalue, etb, tb_offset, *args, **kwargs)
        _strip_causes(evalue)
        if evalue is not None and (interrupt := _interrupt(evalue, etb)) is not None:
            return [str(interrupt)]
        if evalue is None or not _concerns_us(evalue, etb):
            return original(etype, evalue, etb, tb_offset, *args, **kwargs)
        part = user_part(etb)
        if part is not None:
            return original(etype, evalue, part, 0, *args, **kwargs)
        purpose = isinstance(evalue, TheusError | asyncio.CancelledError)
        if purpose or evalue.__cause__ is not None:
            return [_message(shell, evalue)]
        # Nothing of the user's raised it: a fault of ours, which shows where it happened.
        return original(etype, evalue, etb, tb_offset, *args, **kwargs)

    setattr(formatter, _HOOK, structured_traceback)
    show_all = _show_groups(shell)

    def undo() -> None:
        show_all()
        if vars(formatter).get(_HOOK) is structured_traceback:
            delattr(formatter, _HOOK)

    return undo


def _strip_causes(error: BaseException | None) -> None:
    for link in _chain(error):
        if link is not error and _concerns_us(link, link.__traceback__):
            link.__traceback__ = user_part(link.__traceback__)


def _show_groups(shell: InteractiveShell) -> Callable[[], None]:
    """Show exception groups without our frames; return the undoing.

    IPython prints them with Python's own formatter, past its own; and always the exception that
    is being handled, whichever it was asked to show.
    """
    original: Callable[..., Any] = shell.showtraceback

    def showtraceback(exc_tuple: Any = None, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - IPython's own
        error = exc_tuple[1] if exc_tuple is not None else sys.exc_info()[1]
        links = [*_members(error)]
        grouped = any(isinstance(link, BaseExceptionGroup) for link in links)
        if grouped and any(_concerns_us(link, link.__traceback__) for link in links):
            for link in links:
                link.__traceback__ = user_part(link.__traceback__)
        elif not grouped or exc_tuple is None:
            original(exc_tuple, *args, **kwargs)
            return
        text = "".join(traceback.format_exception(error))
        shell._showtraceback(type(error), error, text.splitlines())  # noqa: SLF001 - the hook for shells

    vars(shell)[_SHOW] = showtraceback

    def undo() -> None:
        if vars(shell).get(_SHOW) is showtraceback:
            del vars(shell)[_SHOW]

    return undo


def _members(error: BaseException | None) -> Iterator[BaseException]:
    """Yield an exception, those it was raised from, and the members of groups among them."""
    for link in _chain(error):
        yield link
        if isinstance(link, BaseExceptionGroup):
            for member in link.exceptions:
                yield from _members(member)


def _interrupt(error: BaseException, tb: types.TracebackType | None) -> InterruptedProcess | None:
    """Return what to say of it that the user interrupted a wait of ours in a plain cell.

    None if it was no interrupt, or interrupted something else.
    """
    entries = list(_entries(tb))
    if isinstance(error, KeyboardInterrupt):
        if not entries or not _belongs(entries[-1], (_OURS,)):
            return None  # raised in the user's code, whose line is worth seeing
    elif not isinstance(error, asyncio.CancelledError) or not was_interrupted():
        return None
    for entry in reversed(entries):
        if entry.tb_frame.f_code in _RUNS:
            return InterruptedProcess(getattr(entry.tb_frame.f_locals["process"], "name", "?"))
    if isinstance(error, KeyboardInterrupt):
        return None
    if (known := _interrupted_await()) is not None:
        return known
    ours = any(_belongs(entry, (_OURS,)) for entry in entries)
    return InterruptedProcess("") if ours else None  # such as the wait for a signal


def _interrupted_await() -> InterruptedProcess | None:
    """Return what the cell knows of it, where the traceback shows nothing of ours.

    A handle, a gather of handles, a task group, a time limit.
    """
    cell = origin.get()
    if cell is None:
        return None
    cell.look()
    if cell.cancelled is not None:
        return InterruptedProcess(cell.cancelled)
    waited_for = sorted(cell.waited_for, key=lambda run: run.number)
    for run in waited_for:
        if run.awaiter_cancelled:  # by a gather, which does not ask whose it is
            return InterruptedProcess(run.name)
    going_on = [run for run in waited_for if not run.has_ended]
    return InterruptedWait(going_on) if going_on else None


def user_part(tb: types.TracebackType | None) -> types.TracebackType | None:
    """Return a traceback without our frames, and without what called our magics.

    Above a magic stand the rewritten cell and IPython, above the first frame of the user stands
    the machinery that got there.
    """
    entries = list(_entries(tb))
    magics = [index for index, entry in enumerate(entries) if _module(entry) == _MAGICS]
    if magics:
        del entries[: magics[-1] + 1]
    entries = [entry for entry in entries if not _belongs(entry, (_OURS,))]
    while entries and _belongs(entries[0], _PLUMBING):
        del entries[0]
    result = None
    for entry in reversed(entries):
        result = types.TracebackType(result, entry.tb_frame, entry.tb_lasti, entry.tb_lineno)
    return result


def _message(shell: InteractiveShell, error: BaseException) -> str:
    """Return an exception as the last line of a traceback would show it, with its notes."""
    name = type(error).__name__
    if str(shell.colors).lower() != "nocolor":
        name = f"\x1b[31m{name}\x1b[39m"
    said = text_of(error)
    text = f": {said}" if said else ""
    return "\n".join([name + text, *getattr(error, "__notes__", [])])


def _concerns_us(error: BaseException, tb: types.TracebackType | None) -> bool:
    return isinstance(error, TheusError) or any(_belongs(e, (_OURS,)) for e in _entries(tb))


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """Yield an exception and those it was raised from, each once."""
    seen = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)


def _entries(tb: types.TracebackType | None) -> Iterator[types.TracebackType]:
    while tb is not None:
        yield tb
        tb = tb.tb_next


def _module(entry: types.TracebackType) -> str:
    return str(entry.tb_frame.f_globals.get("__name__", ""))


def _belongs(entry: types.TracebackType, packages: tuple[str, ...]) -> bool:
    return _module(entry).partition(".")[0] in packages
