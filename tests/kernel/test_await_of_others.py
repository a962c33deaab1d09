"""Whoever awaits the run of another cell only waits for it: the run goes on without them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from tests.kernel.test_interrupt import LIMIT, PROCESSES, interrupted, status

if TYPE_CHECKING:
    from tests.kernel.driver import Kernel

READY = "asyncio.get_running_loop().call_soon(lambda: print('ready', flush=True))"
GOES_ON = r"the wait was interrupted; r\d+ 'behind' goes on: %theus cancel all ends what runs"
GATED = {"loop": "await asyncio.to_thread(gate.wait, 20)", "worker": "gate.wait(20)"}


def begin(kernel: Kernel, start: str, lane: str = "worker") -> None:
    """Start `run` of 'behind' in a cell, behind a closed gate, in one of two ways."""
    kernel.good("gate = threading.Event()\nasync def until(run): return await run")
    body = GATED[lane]
    if start == "cell":
        kernel.good(f"%%theus_process behind -i gate -o x -b\n{body}\nx = 5\nx")
        kernel.good("run = _")
    else:
        word = "def" if lane == "worker" else "async def"
        kernel.good(
            f"from theus_nb import process\n@process\n{word} behind(ctx):\n    {body}\n    return 5"
        )
        kernel.good("run = theus.start(behind)")


@pytest.mark.parametrize("start", ["cell", "theus.start"])
@pytest.mark.parametrize("lane", ["loop", "worker"])
@pytest.mark.parametrize(
    "waiting",
    [
        "await run",
        "async with asyncio.timeout(50): await run",
        "async with asyncio.TaskGroup() as group: group.create_task(until(run))",
        "await asyncio.gather(until(run))",
        "await theus.run(outer)",
    ],
)
def test_interrupt_ends_the_wait_and_not_the_run(
    kernel: Kernel, start: str, lane: str, waiting: str
) -> None:
    begin(kernel, start, lane)
    kernel.good("from theus_nb import process\n@process\nasync def outer(ctx): return await run")
    cell, seconds = interrupted(kernel, f"{READY}\n{waiting}")
    assert cell.status == "error"
    if "outer" in waiting:  # that one is this cell's own, and ends
        assert cell.traceback.strip() == "process 'outer' was interrupted; the kernel is ready"
    else:
        assert re.fullmatch(GOES_ON, cell.traceback.strip())
    assert seconds < LIMIT
    assert kernel.value("run.status") == "'running'"
    assert kernel.good("gate.set()\nawait run").result == "5"


def test_a_gather_cancels_whatever_it_is_given_unless_that_is_shielded(kernel: Kernel) -> None:
    begin(kernel, "cell", "loop")
    cell, _ = interrupted(kernel, f"{READY}\nawait asyncio.gather(asyncio.shield(run))")
    assert re.fullmatch(GOES_ON, cell.traceback.strip())
    assert kernel.value("run.status") == "'running'"
    cell, _ = interrupted(kernel, f"{READY}\nawait asyncio.gather(run, asyncio.sleep(30))")
    assert cell.traceback.strip() == "process 'behind' was interrupted; the kernel is ready"
    kernel.good("gate.set()\n%theus wait behind")
    assert kernel.value("run.status") == "'cancelled'"


def test_the_run_can_still_be_cancelled(kernel: Kernel) -> None:
    begin(kernel, "cell", "loop")
    interrupted(kernel, f"{READY}\nawait run")
    kernel.good("run.cancel('enough')\ngate.set()")
    assert "was cancelled: enough" in kernel.bad("await run").traceback


def test_a_failure_after_an_interrupted_wait_is_shown_in_its_cell(kernel: Kernel) -> None:
    kernel.good("gate = threading.Event()")
    started = kernel.good("%%theus_process behind -i gate -o x -b\ngate.wait(20)\nx = 1 / 0")
    kernel.good("run = _")
    interrupted(kernel, f"{READY}\nawait run")
    kernel.good("gate.set()")
    kernel.wait_until(lambda: started.error == "ZeroDivisionError: division by zero")


def test_whoever_polls_a_run_with_a_time_limit_leaves_nothing_behind(kernel: Kernel) -> None:
    begin(kernel, "cell")
    kernel.good(
        "import gc\n"
        "for _ in range(50):\n"
        "    try:\n"
        "        async with asyncio.timeout(0): await run\n"
        "    except TimeoutError: pass"
    )
    left = "gc.collect() * 0 + sum(type(o).__name__ == 'Waiter' for o in gc.get_objects())"
    assert kernel.value(left) == "0"
    assert kernel.good("gate.set()\nawait run").result == "5"


@pytest.mark.parametrize("task", ["theus.run(endless)", "until(theus.start(endless))", "inner()"])
def test_a_task_takes_the_run_with_it_that_its_cell_has_started(kernel: Kernel, task: str) -> None:
    kernel.good(PROCESSES)
    started = kernel.good(
        "async def until(run): return await run\n"
        "async def inner(): return await theus.start(endless)\n"
        f"task = asyncio.create_task({task})"
    )
    kernel.wait_until(lambda: "ready" in started.stdout)
    assert "CancelledError" in kernel.bad("task.cancel()\nawait task").traceback
    assert status(kernel) == "cancelled"
