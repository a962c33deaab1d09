"""The stop button reaches a cell that awaits a process: at once, as one line."""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING

import IPython
import pytest

if TYPE_CHECKING:
    from tests.kernel.driver import Cell, Kernel


TIME_SWALLOWS = IPython.version_info < (9,)
"""There ``%%time`` shows what its cell raises, and goes on as if nothing had been."""

LIMIT = 3
"""Far above what it takes (below half a second), and far below what is interrupted."""


def interrupted(kernel: Kernel, code: str) -> tuple[Cell, float]:
    """Run a cell, interrupt it when it says so, and return it with the seconds that took."""
    cell = kernel.send(code)
    kernel.wait_until(lambda: "ready" in cell.stdout)
    begin = time.monotonic()
    kernel.interrupt()
    kernel.wait(cell)
    return cell, time.monotonic() - begin


GIVEN_UP = (
    "process '{0}' was interrupted; its thread did not stop and goes on, what it writes to the "
    "state is dropped; the kernel is ready"
)
STOPPED = "process '{0}' was interrupted; the kernel is ready"
NOT_DROPPED = " (what this cell does to the notebook's variables is not); "

BODIES = pytest.mark.parametrize(
    ("body", "said", "status_then"),
    [
        ("await asyncio.sleep(30)", STOPPED, "cancelled"),
        ("await asyncio.get_running_loop().create_future()", STOPPED, "cancelled"),
        ("while not gate.is_set(): pass", STOPPED, "cancelled"),
        ("sum(iter(gate.is_set, True))", STOPPED, "cancelled"),
        ("gate.wait(30)", GIVEN_UP, "abandoned"),
    ],
    ids=["sleep", "future", "pure Python", "C that calls Python", "C"],
)


def status(kernel: Kernel) -> str:
    """Return how the last run has ended."""
    return kernel.value("list(theus.runs)[-1].status").strip("'")


@pytest.mark.parametrize("top", ["", "%%time\n"], ids=["", "where the cell cannot await"])
@BODIES
def test_interrupt_of_a_process_cell(
    kernel: Kernel, body: str, said: str, status_then: str, top: str
) -> None:
    kernel.good("gate = threading.Event()")
    cell, seconds = interrupted(
        kernel,
        f"{top}%%theus_process stuck -i gate -o n\nprint('ready', flush=True)\n{body}\nn = 1",
    )
    if not (top and TIME_SWALLOWS):
        assert cell.status == "error"
    assert cell.traceback.strip() == said.format("stuck")
    assert seconds < LIMIT
    assert status(kernel) == status_then
    # The lane of the cells has another thread already.
    assert kernel.good("%%theus_process next -o m\nm = 1\nm").result == "1"
    kernel.good("gate.set()")
    assert kernel.value("'n' in globals()") == "False"


@pytest.mark.parametrize("top", ["", "%%time\n"], ids=["", "where the cell cannot await"])
def test_interrupt_says_what_a_thread_may_go_on_changing(kernel: Kernel, top: str) -> None:
    kernel.good("gate = threading.Event()")
    cell, _ = interrupted(
        kernel, f"{top}%%theus_process opened\nprint('ready', flush=True)\ngate.wait(30)"
    )
    kernel.good("gate.set()")
    assert cell.traceback.strip() == GIVEN_UP.format("opened").replace(
        "dropped; ", f"dropped{NOT_DROPPED}"
    )


@pytest.mark.parametrize(
    ("cell", "status_then"),
    [
        ("await theus.run(endless)", "cancelled"),
        ("await theus.run(spinning)", "cancelled"),
        ("await theus.run(blocked)", "abandoned"),
        ("await asyncio.create_task(theus.run(blocked))", "abandoned"),
        ("theus.run_sync(endless)", "cancelled"),
        ("theus.run_sync(spinning)", "cancelled"),
        ("theus.run_sync(blocked)", "abandoned"),
        ("await asyncio.sleep(0)\ntheus.run_sync(endless)", "cancelled"),
    ],
)
def test_interrupt_of_a_plain_cell_that_waits_for_a_run(
    kernel: Kernel, cell: str, status_then: str
) -> None:
    kernel.good(PROCESSES)
    ended, seconds = interrupted(kernel, cell)
    kernel.good("gate.set()")
    name = next(n for n in ("endless", "spinning", "blocked") if n in cell)
    said = GIVEN_UP if status_then == "abandoned" else STOPPED
    assert ended.traceback.strip() == said.format(name)
    assert seconds < LIMIT
    assert status(kernel) == status_then
    assert kernel.value("1 + 1") == "2"


PROCESSES = (
    "from theus_nb import process\n"
    "gate = threading.Event()\n"
    "@process\nasync def endless(ctx): print('ready', flush=True); await asyncio.sleep(30)\n"
    "@process\ndef spinning(ctx):\n"
    "    print('ready', flush=True)\n"
    "    while not gate.is_set(): pass\n"
    "@process\ndef blocked(ctx): print('ready', flush=True); gate.wait(30)\n"
    "@process\nasync def outer(ctx): await theus.run(blocked)"
)


def test_interrupt_of_several_runs_is_one_line(kernel: Kernel) -> None:
    kernel.good(PROCESSES)
    cell, _ = interrupted(kernel, "await asyncio.gather(theus.run(endless), theus.run(spinning))")
    said = {STOPPED.format(name) for name in ("endless", "spinning")}
    assert cell.traceback.strip() in said
    assert kernel.value("{run.status for run in list(theus.runs)[-2:]}") == "{'cancelled'}"


def test_interrupt_names_the_process_whose_thread_goes_on(kernel: Kernel) -> None:
    kernel.good(PROCESSES)
    cell, _ = interrupted(kernel, "%%theus_process front\nawait theus.run('outer')")
    kernel.good("gate.set()")
    assert cell.traceback.strip() == GIVEN_UP.format("front").replace(
        "its thread", "the thread of 'blocked'"
    )


READY = "asyncio.get_running_loop().call_later(0.05, lambda: print('ready', flush=True))"


@pytest.mark.parametrize(
    "waiting",
    [
        "await theus.start(endless)",
        "await asyncio.gather(theus.start(endless), theus.start(endless))",
        "await asyncio.wait_for(theus.run(endless), 50)",
        "async with asyncio.timeout(50): await theus.start(endless)",
        "async with asyncio.TaskGroup() as group: group.create_task(theus.run(endless))",
    ],
)
def test_interrupt_is_one_line_whatever_stands_between(kernel: Kernel, waiting: str) -> None:
    kernel.good(PROCESSES)
    cell, _ = interrupted(kernel, waiting)
    assert cell.traceback.strip() == STOPPED.format("endless")


@pytest.mark.parametrize(
    "waiting",
    ["async for _ in signals: pass", "await signals.get()", "await signals.get(timeout=60)"],
)
def test_interrupt_of_a_wait_for_a_signal_is_one_line(kernel: Kernel, waiting: str) -> None:
    kernel.good("signals = theus.signals.subscribe('never')")
    cell, _ = interrupted(kernel, f"{READY}\n{waiting}")
    assert cell.traceback.strip() == "the wait was interrupted; the kernel is ready"


def test_a_task_that_the_user_cancelled_was_not_interrupted(kernel: Kernel) -> None:
    kernel.good(PROCESSES)
    cell = kernel.bad(
        "task = asyncio.create_task(theus.run(endless))\nawait asyncio.sleep(0)\ntask.cancel()\n"
        "await task"
    )
    assert "interrupted" not in cell.traceback
    assert "CancelledError" in cell.traceback


@pytest.mark.parametrize(
    "waiting",
    [
        "await asyncio.gather(*runs)",
        (
            "async with asyncio.TaskGroup() as group:\n"
            "    for run in runs: group.create_task(asyncio.wait_for(run, 60))"
        ),
    ],
    ids=["gather", "task group"],
)
@pytest.mark.parametrize("start", ["start", "run"])
def test_every_thread_that_goes_on_is_named_once(kernel: Kernel, waiting: str, start: str) -> None:
    kernel.good(PROCESSES)
    kernel.good("@process\ndef held(ctx): print('ready', flush=True); gate.wait(30)")
    cell, _ = interrupted(
        kernel, f"runs = [theus.{start}(one) for one in (blocked, held)]\n{waiting}"
    )
    kernel.good("gate.set()")
    said = (cell.stderr + cell.traceback).replace("'held', 'blocked'", "'blocked', 'held'")
    assert said.count("did not stop") == 1
    assert "the threads of 'blocked', 'held' did not stop and go on, what they write" in said


def test_background_runs_are_untouched(kernel: Kernel) -> None:
    kernel.good("gate = threading.Event()")
    for number, wait in enumerate(["await asyncio.to_thread(gate.wait, 20)", "gate.wait(20)"]):
        kernel.good(
            f"%%theus_process behind{number} -i gate -o x{number} -b\n{wait}\nx{number} = 1"
        )
    for waiting in ("await asyncio.sleep(30)", "%theus wait"):
        cell, seconds = interrupted(kernel, f"print('ready', flush=True)\n{waiting}")
        assert cell.status == "error"
        assert seconds < LIMIT
    for top in ("%%time\n", ""):
        cell, seconds = interrupted(
            kernel, f"{top}%%theus_process front -o x\nprint('ready')\nawait asyncio.sleep(30)"
        )
        assert seconds < LIMIT
    kernel.good("gate.set()\n%theus wait behind0 behind1")
    assert kernel.value("x0, x1") == "(1, 1)"


def test_interrupt_of_the_wait_is_one_line(kernel: Kernel) -> None:
    kernel.good("gate = threading.Event()")
    kernel.good("%%theus_process held -i gate -b\ngate.wait(20)")
    for top in ("", "%%time\n"):
        # Said by the loop, when the wait has the loop: an interrupt of print is another matter.
        ready = "asyncio.get_running_loop().call_soon(lambda: print('ready', flush=True))"
        cell, seconds = interrupted(kernel, f"{top}{ready}\n%theus wait held")
        assert re.fullmatch(
            r"the wait was interrupted; r\d+ 'held' goes on: %theus cancel all ends what runs",
            cell.traceback.strip(),
        )
        assert seconds < LIMIT
    kernel.good("gate.set()\n%theus wait held")


def test_interrupt_before_the_wait_has_begun_is_the_same_line(kernel: Kernel) -> None:
    kernel.good("import signal\ngate = threading.Event()")
    kernel.good("%%theus_process held -i gate -b\ngate.wait(20)")
    # The callback runs when the wait pumps the loop, ahead of the wait's own first step.
    cell = kernel.wait(
        kernel.send(
            "%%time\nasyncio.get_running_loop().call_soon(signal.raise_signal, signal.SIGINT)\n"
            "%theus wait held"
        )
    )
    assert cell.traceback.strip().startswith("the wait was interrupted; r")
    kernel.good("gate.set()\n%theus wait held")


def test_interrupt_of_a_pump_does_not_strike_other_callbacks(kernel: Kernel) -> None:
    # A KeyboardInterrupt in the middle of the loop would hit this one, which never rests.
    kernel.good(
        "from theus_nb import process\n"
        "hits = []\nspinning = True\n"
        "def spin():\n"
        "    try:\n        for _ in range(2000): pass\n"
        "    except BaseException as error: hits.append(error)\n"
        "    if spinning: asyncio.get_running_loop().call_soon(spin)\n"
        "spin()\n"
        "@process\nasync def endless(ctx): print('ready', flush=True); await asyncio.sleep(30)"
    )
    try:
        for _ in range(5):
            cell, _seconds = interrupted(kernel, "theus.run_sync(endless)")
            assert "'endless' was interrupted" in cell.traceback
        assert kernel.value("hits") == "[]"
    finally:
        kernel.good("spinning = False")


def test_interrupt_leaves_the_handler_that_it_found(kernel: Kernel) -> None:
    kernel.good(
        "from theus_nb import process\nimport signal\n"
        "@process\nasync def endless(ctx): print('ready', flush=True); await asyncio.sleep(30)"
    )
    before = kernel.value("signal.getsignal(signal.SIGINT)")
    interrupted(kernel, "theus.run_sync(endless)")
    assert kernel.value("signal.getsignal(signal.SIGINT)") == before


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
