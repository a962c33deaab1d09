"""The magics in a shell without a kernel: as in terminal IPython, where no loop runs."""

# mypy: untyped-calls-exclude=IPython
from __future__ import annotations

import atexit
import io
import re
from contextlib import redirect_stdout
from typing import TYPE_CHECKING

import pytest
from IPython.core.interactiveshell import InteractiveShell
from traitlets.config import Config

import theus_nb
from theus_nb.notebook.status import format_seconds, status_bundle

if TYPE_CHECKING:
    from collections.abc import Iterator


class Terminal:
    """A shell whose cells are given as text, and which answers in text."""

    def __init__(self, shell: InteractiveShell) -> None:
        self.shell = shell

    def good(self, cell: str) -> object:
        result = self.shell.run_cell(cell, store_history=True)
        result.raise_error()
        return result.result

    def bad(self, cell: str) -> tuple[BaseException, str]:
        """Return the error of a cell, and what is printed about it."""
        out = io.StringIO()
        with redirect_stdout(out):
            result = self.shell.run_cell(cell, store_history=True)
        error = result.error_before_exec or result.error_in_exec
        assert error is not None
        return error, re.sub(r"\x1b\[[0-9;]*m", "", out.getvalue())


@pytest.fixture
def terminal() -> Iterator[Terminal]:
    shell = InteractiveShell(config=Config({"HistoryManager": {"enabled": False}}))
    shell.run_line_magic("load_ext", "theus_nb")
    yield Terminal(shell)
    shell.run_line_magic("unload_ext", "theus_nb")
    shell.atexit_operations()
    atexit.unregister(shell.atexit_operations)


def test_sync_and_async_cells_run(terminal: Terminal) -> None:
    assert terminal.good("%%theus_process a --outputs x\nx = 1\nx + 1") == 2
    terminal.good("import asyncio")
    assert terminal.good("%%theus_process b --outputs y\ny = await asyncio.sleep(0, 3)\ny") == 3
    assert terminal.good("x, y") == (1, 3)


def test_plain_cell_awaits_a_process(terminal: Terminal) -> None:
    terminal.good("%%theus_process a --outputs z.x\nx = 1\nx + 1")
    assert terminal.good("await theus.run('a')") == 2
    assert terminal.good("theus.run_sync('a')") == 2


def test_traceback_shows_the_cell_only(terminal: Terminal) -> None:
    error, shown = terminal.bad("%%theus_process a --outputs x\nx = 1\n1 / 0")
    assert isinstance(error, ZeroDivisionError)
    assert "----> 3 1 / 0" in shown
    assert "theus_nb" not in shown
    assert shown.count("<ipython-input") == 1


def test_syntax_error_is_displayed_by_ipython(terminal: Terminal) -> None:
    error, shown = terminal.bad("%%theus_process a --outputs x\n\nx = (\n")
    assert isinstance(error, SyntaxError)
    assert error.lineno == 3
    assert "theus_nb" not in shown
    assert "a" not in terminal.shell.user_ns["theus"].processes


def test_refused_line_is_a_short_message(terminal: Terminal) -> None:
    _, shown = terminal.bad("%%theus_process a --ouputs x\nx = 1")
    assert shown.startswith("ContractError: unknown option '--ouputs'; did you mean '--outputs'?")
    assert len(shown.splitlines()) <= 3
    _, shown = terminal.bad("%%theus_process a --nope\nx = 1")
    assert shown.startswith("ContractError: unknown option '--nope'\n")


def test_definition_that_is_refused_leaves_the_earlier_one(terminal: Terminal) -> None:
    terminal.good("%%theus_process a --outputs x\nx = 1")
    terminal.good("table = []")
    terminal.bad("%%theus_process a --outputs x\nx = table")
    assert terminal.good("theus.run_sync('a')") is None
    assert terminal.good("x") == 1


def test_process_run_by_name_sees_helpers_as_they_are_then(terminal: Terminal) -> None:
    terminal.good("def helper(): return 1")
    terminal.good("%%theus_process a --outputs x\nx = helper()")
    terminal.good("def helper(): return 2")
    terminal.good("theus.run_sync('a')")
    assert terminal.good("x") == 2


def test_process_run_by_name_is_checked_again(terminal: Terminal) -> None:
    terminal.good("%%theus_process a --outputs x\nx = later if 'later' in globals() else 0")
    terminal.good("later = [1]")
    error, _ = terminal.bad("theus.run_sync('a')")
    assert isinstance(error, theus_nb.errors.UndeclaredReadError)


def test_status_escapes_what_users_wrote(terminal: Terminal) -> None:
    terminal.good("%%theus_process a --side-effects <b>,&\nx = 1")
    bundle = status_bundle(terminal.shell.user_ns["theus"])
    assert "&lt;b&gt;, &amp;" in bundle["text/html"]
    assert "<b>, &" in bundle["text/plain"]
    assert "(open)" in bundle["text/plain"]


def test_status_of_an_empty_session(terminal: Terminal) -> None:
    bundle = status_bundle(terminal.shell.user_ns["theus"])
    assert "runs: none yet" in bundle["text/plain"]


def test_status_shows_the_latest_runs(terminal: Terminal) -> None:
    terminal.good("%%theus_process a --outputs x\nx = 1")
    terminal.good("for _ in range(25): theus.run_sync('a')")
    bundle = status_bundle(terminal.shell.user_ns["theus"])
    assert "latest 20 of 26 runs" in bundle["text/plain"]
    assert bundle["text/html"].count("<td>finished</td>") == 20


@pytest.mark.parametrize(
    ("seconds", "text"), [(None, "-"), (0.0123, "12.3 ms"), (1.5, "1.50 s"), (0, "0.0 ms")]
)
def test_durations_are_for_people(seconds: float | None, text: str) -> None:
    assert format_seconds(seconds) == text


def test_accept_says_what_it_accepted(terminal: Terminal) -> None:
    terminal.bad("%%theus_process a --outputs zone.deep.x,zone.deep.y\n1 / 0")
    out = io.StringIO()
    with redirect_stdout(out):
        terminal.good("%theus accept zone.deep")
    assert out.getvalue().startswith("zone.deep.x, zone.deep.y: accepted")


def test_loading_twice_is_loading_once(terminal: Terminal) -> None:
    theus_nb.load_ipython_extension(terminal.shell)
    assert len(terminal.shell.input_transformers_post) == 1


def test_loading_that_fails_half_way_leaves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    shell = InteractiveShell(config=Config({"HistoryManager": {"enabled": False}}))
    monkeypatch.setattr(shell.events, "register", None)
    with pytest.raises(TypeError):
        theus_nb.load_ipython_extension(shell)
    assert shell.input_transformers_post == []
    assert "theus_process" not in shell.magics_manager.magics["cell"]
    assert theus_nb.session() is None
    assert "theus" not in shell.user_ns
    shell.atexit_operations()
    atexit.unregister(shell.atexit_operations)
