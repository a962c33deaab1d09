"""Terminal IPython and the console of a kernel, in a pseudo-terminal: Ctrl-C is a key.

In IPython itself there is no loop between cells; in the console there is.
"""

from __future__ import annotations

import re
import sys
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    import pathlib
    from collections.abc import Iterator

pexpect = pytest.importorskip("pexpect")

TIMEOUT = 30
_COLOUR = re.compile(r"\x1b\[[0-9;?]*[a-zA-Z]")


class Terminal:
    """What a person at a terminal sees.

    Args:
        folder: Its working directory, with cells as files.
        arguments: Of Python; what they start.
    """

    def __init__(self, folder: pathlib.Path, arguments: list[str]) -> None:
        self._folder = folder
        env = {"IPYTHONDIR": str(folder), "PATH": "/usr/bin:/bin", "TERM": "dumb", "HOME": "/"}
        self._child: Any = pexpect.spawn(
            sys.executable, arguments, cwd=str(folder), env=env, encoding="utf-8", timeout=TIMEOUT
        )
        self._child.expect(r"In \[1\]: ")
        self.enter("%load_ext theus_nb")

    def send(self, line: str) -> None:
        self._child.sendline(line)

    def wait(self, pattern: str) -> str:
        """Wait until something is printed; return what was printed before it."""
        self._child.expect(pattern)
        return _COLOUR.sub("", self._child.before)

    def enter(self, line: str) -> str:
        """Enter a line; return what is printed until the next prompt."""
        self.send(line)
        return self.wait(r"In \[\d+\]: ")

    def cell(self, source: str) -> None:
        """Execute a cell of several lines, and do not wait for its end."""
        (self._folder / "cell.txt").write_text(source)
        self.send("get_ipython().run_cell(open('cell.txt').read(), store_history=False);")

    def interrupt(self) -> str:
        """Press Ctrl-C; return what is printed until the next prompt."""
        self._child.sendintr()
        return self.wait(r"In \[\d+\]: ")

    def close(self) -> None:
        self.send("exit")
        self._child.expect(pexpect.EOF)
        self._child.close()
        assert self._child.exitstatus == 0


IPYTHON = ["-m", "IPython", "--simple-prompt", "--no-banner", "--colors=NoColor"]
CONSOLE = ["-m", "jupyter_console", "--simple-prompt", "--kernel=python3"]


@pytest.fixture(scope="module", params=[IPYTHON, CONSOLE], ids=["IPython", "console"])
def terminal(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Terminal]:
    terminal = Terminal(tmp_path_factory.mktemp("terminal"), request.param)
    yield terminal
    terminal.close()


@pytest.mark.parametrize("first", ["await asyncio.sleep(0)", "pass"], ids=["loop", "worker"])
def test_cells_run_to_their_end(terminal: Terminal, first: str) -> None:
    terminal.cell(f"%%theus_process there -o n\nimport asyncio\n{first}\nn = 6 * 7\nprint('n', n)")
    assert "n 42" in terminal.wait(r"In \[\d+\]: ")
    assert "42" in terminal.enter("n")


@pytest.mark.parametrize(
    "body", ["await asyncio.sleep(60)", "stop.wait(60)"], ids=["loop", "worker"]
)
def test_interrupt_is_one_line_and_leaves_nothing_pending(terminal: Terminal, body: str) -> None:
    terminal.enter("import asyncio, threading; stop = threading.Event()")
    terminal.cell(
        f"%%theus_process stuck -i stop -o n\nprint('rea' 'dy', flush=True)\n{body}\nn = 1"
    )
    terminal.wait("ready")
    said = terminal.interrupt()
    terminal.enter("stop.set()")
    assert "process 'stuck' was interrupted" in said
    assert "Traceback" not in said
    assert "2" in terminal.enter("1 + 1")
    assert "[]" in terminal.enter("theus.runs.unfinished()")
    assert "never retrieved" not in terminal.enter("import gc; gc.collect();")


@pytest.mark.parametrize("call", ["await theus.run", "theus.run_sync"])
def test_interrupt_of_a_plain_cell_that_awaits_a_run(terminal: Terminal, call: str) -> None:
    terminal.cell(
        "import asyncio\nfrom theus_nb import process\n"
        "@process\nasync def endless(ctx):\n    print('rea' 'dy', flush=True)\n"
        "    await asyncio.sleep(60)\n"
    )
    terminal.wait(r"In \[\d+\]: ")
    terminal.send(f"{call}(endless)")
    terminal.wait("ready")
    said = terminal.interrupt()
    assert "process 'endless' was interrupted" in said
    assert "Traceback" not in said
    assert "asyncio" not in said
    assert "[]" in terminal.enter("theus.runs.unfinished()")


IN_IPYTHON = pytest.mark.parametrize("terminal", [IPYTHON], ids=["IPython"], indirect=True)
IN_CONSOLE = pytest.mark.parametrize("terminal", [CONSOLE], ids=["console"], indirect=True)


@IN_IPYTHON
def test_background_says_why_not(terminal: Terminal) -> None:
    terminal.cell("%%theus_process later -b\n1")
    said = terminal.wait(r"In \[\d+\]: ")
    assert "--background needs an event loop" in said
    assert "Traceback" not in said


@IN_CONSOLE
def test_background_runs_where_the_kernel_has_a_loop(terminal: Terminal) -> None:
    terminal.cell("%%theus_process later -o n -b\nn = 6 * 7")
    terminal.wait(r"In \[\d+\]: ")
    assert "'later' finished" in terminal.enter("%theus wait later")
    assert "42" in terminal.enter("n")


def test_wait_for_nothing_and_cancel_of_nothing(terminal: Terminal) -> None:
    assert "nothing to wait for" in terminal.enter("%theus wait")
    assert "nothing to cancel" in terminal.enter("%theus cancel all")
