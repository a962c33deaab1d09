"""Cells that are executed in a subshell, a thread beside the main one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.kernel.driver import Kernel


@pytest.fixture(scope="module")
def subshell(kernel: Kernel) -> str:
    if kernel.value("__import__('ipykernel').version_info[0] >= 7") != "True":
        pytest.skip("this kernel has no subshells")
    return kernel.open_subshell()


@pytest.mark.parametrize("first", ["await asyncio.sleep(0)", "pass"], ids=["loop", "worker"])
def test_cell_in_a_subshell_reads_and_binds_variables(
    kernel: Kernel, subshell: str, first: str
) -> None:
    kernel.run("numbers = [1, 2]", subshell=subshell)
    cell = kernel.run(
        f"%%theus_process within -i numbers -o total\n{first}\nprint('said')\n"
        "total = sum(numbers)\ntotal",
        subshell=subshell,
    )
    assert (cell.result, cell.stdout, cell.error) == ("3", "said\n", "")
    assert kernel.good("%%theus_process main -i numbers -o seen\nseen = numbers\nseen").result == (
        "[1, 2]"
    )
    assert kernel.value("total") == "3"


def test_subshell_goes_on_while_a_cell_of_the_main_shell_awaits(
    kernel: Kernel, subshell: str
) -> None:
    kernel.good("released = asyncio.Event(); loop = asyncio.get_running_loop()")
    main = kernel.send(
        "%%theus_process long -i released -o done\ndone = await released.wait()\ndone"
    )
    cell = kernel.run("%%theus_process quick -o q\nq = 1\nq", subshell=subshell)
    assert cell.result == "1"
    assert not main.idle
    # Without a value: the kernel's display hook keeps what it is about to send for all shells.
    kernel.run("handle = loop.call_soon_threadsafe(released.set)", subshell=subshell)
    assert kernel.wait(main).result == "True"


def test_line_numbers_of_both_shells_are_right_at_once(kernel: Kernel, subshell: str) -> None:
    main = kernel.send("%%theus_process f1 -o x\n\n\nawait asyncio.sleep(.02)\nx = 1 / 0")
    other = kernel.run("%%theus_process f2 -o x\nx = 1 / 0", subshell=subshell)
    kernel.wait(main)
    assert "----> 5 x = 1 / 0" in main.traceback
    assert "----> 2 x = 1 / 0" in other.traceback


@pytest.mark.parametrize("first", ["await asyncio.sleep(0)", "pass"], ids=["loop", "worker"])
def test_background_cell_of_a_subshell(kernel: Kernel, subshell: str, first: str) -> None:
    cell = kernel.run(
        f"%%theus_process behind -o left -b\n{first}\nprint('later')\nleft = 1\n1 / 0",
        subshell=subshell,
    )
    kernel.wait_until(lambda: bool(cell.error))
    assert cell.stdout == "later\n"
    assert cell.error == "ZeroDivisionError: division by zero"
    waited = kernel.run("%theus wait behind", subshell=subshell)
    assert waited.error == "ZeroDivisionError: division by zero"


def test_run_sync_in_a_subshell(kernel: Kernel, subshell: str) -> None:
    kernel.good("%%theus_process answer -o a\nawait asyncio.sleep(0)\na = 42\na")
    assert kernel.run("theus.run_sync('answer')", subshell=subshell).result == "42"
    kernel.good("%%theus_process answer -o a\na = 43\na")
    assert kernel.run("theus.run_sync('answer')", subshell=subshell).result == "43"


def test_comm_messages_start_runs(kernel: Kernel) -> None:
    kernel.good(
        "from theus_nb import process\n"
        "import comm\n"
        "@process\nasync def called(ctx): called_in.append(threading.current_thread().name)\n"
        "called_in = []\nruns = []\n"
        "def opened(made, message):\n"
        "    made.on_msg(lambda message: runs.append(theus.start(called)))\n"
        "comm.get_comm_manager().register_target('starts', opened)"
    )
    kernel.notify("comm_open", {"comm_id": "c1", "target_name": "starts", "data": {}})
    kernel.notify("comm_msg", {"comm_id": "c1", "data": {}})
    kernel.good("await asyncio.gather(*runs)")
    assert kernel.value("called_in") == "['MainThread']"
