"""The stop button reaches a cell that awaits a process: at once, as one line."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.kernel.driver import Cell, Kernel


def interrupted(kernel: Kernel, code: str) -> tuple[Cell, float]:
    """Run a cell, interrupt it when it says so, and return it with the seconds that took."""
    cell = kernel.send(code)
    kernel.wait_until(lambda: "ready" in cell.stdout)
    begin = time.monotonic()
    kernel.interrupt()
    kernel.wait(cell)
    return cell, time.monotonic() - begin


@pytest.mark.parametrize(
    "body",
    [
        "print('ready')\nawait asyncio.sleep(30)",
        "print('ready')\nawait asyncio.get_running_loop().create_future()",
        "print('ready', flush=True)\nstop.wait(30)",
    ],
    ids=["sleep", "future", "worker"],
)
def test_interrupt_of_a_process_cell(kernel: Kernel, body: str) -> None:
    kernel.good("stop = threading.Event()")
    cell, seconds = interrupted(
        kernel, f"%%theus_process stuck --inputs stop --outputs n\n{body}\nn = 1"
    )
    kernel.good("stop.set()")  # the thread itself cannot be interrupted
    assert cell.status == "error"
    assert "process 'stuck' was interrupted; the kernel is ready" in cell.traceback
    assert len(cell.traceback.splitlines()) == 1
    assert seconds < 3
    assert kernel.value("1 + 1") == "2"
    assert kernel.value("'n' in globals()") == "False"


@pytest.mark.parametrize(
    "body",
    ["print('ready')\nawait asyncio.sleep(30)", "print('ready', flush=True)\ngate.wait(3)"],
    ids=["loop", "worker"],
)
def test_interrupt_where_the_cell_cannot_await(kernel: Kernel, body: str) -> None:
    kernel.good("gate = threading.Event()")
    cell, seconds = interrupted(
        kernel, f"%%time\n%%theus_process pumped --inputs gate --outputs n\n{body}\nn = 1"
    )
    kernel.good("gate.set()")
    assert cell.traceback.strip() == "process 'pumped' was interrupted; the kernel is ready"
    assert seconds < 2
    assert kernel.value("list(theus.runs)[-1].status in ('cancelled', 'abandoned')") == "True"


def test_interrupt_of_a_plain_cell_that_awaits_a_run(kernel: Kernel) -> None:
    kernel.good(
        "from theus_nb import process\n"
        "@process\nasync def endless(ctx):\n    print('ready')\n    await asyncio.sleep(30)"
    )
    cell, seconds = interrupted(kernel, "await theus.run(endless)")
    assert cell.status == "error"
    assert seconds < 1
    assert kernel.value("1 + 1") == "2"


def test_cells_queued_behind_an_interrupted_one_are_aborted(kernel: Kernel) -> None:
    cell = kernel.send("%%theus_process stuck2\nprint('ready')\nawait asyncio.sleep(30)")
    queued = kernel.send("ran_anyway = True")
    kernel.wait_until(lambda: "ready" in cell.stdout)
    kernel.interrupt()
    assert kernel.wait(cell).status == "error"
    assert kernel.wait(queued).status == "aborted"
    assert kernel.value("'ran_anyway' in globals()") == "False"


def test_cancellation_from_inside_is_not_an_interrupt(kernel: Kernel) -> None:
    cell = kernel.bad(
        "%%theus_process self --outputs n\n"
        "task = asyncio.create_task(asyncio.sleep(30))\n"
        "asyncio.get_running_loop().call_soon(task.cancel)\n"
        "await task"
    )
    assert cell.error.startswith("RunCancelledError")
    assert "interrupted" not in cell.traceback
    assert "theus_nb" not in cell.traceback
