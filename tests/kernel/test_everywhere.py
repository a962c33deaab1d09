"""The ways in which front ends drive a kernel, and what a notebook may set."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.kernel.driver import Kernel
from tests.kernel.test_tracebacks import check_clean

if TYPE_CHECKING:
    import pathlib

BODIES = pytest.mark.parametrize(
    "first", ["await asyncio.sleep(0)", "pass"], ids=["loop", "worker"]
)


@BODIES
def test_every_expression_is_shown_where_that_is_asked_for(kernel: Kernel, first: str) -> None:
    kernel.good("get_ipython().ast_node_interactivity = 'all'")
    try:
        cell = kernel.good(f"%%theus_process every -o n\n1\nNone\n{first}\nn = 2\nn\n3")
        assert [d["text/plain"] for d in cell.displays] == ["1", "2"]
        assert cell.result == "3"
        kernel.good("get_ipython().ast_node_interactivity = 'last_expr_or_assign'")
        assert kernel.good(f"%%theus_process every -o n\n{first}\n1\nn = 2").result == "2"
        assert kernel.good(f"%%theus_process every -o n\n{first}\nn = 2;").result is None
        kernel.good("get_ipython().ast_node_interactivity = 'none'")
        assert kernel.good(f"%%theus_process every -o n\n{first}\nn = 2\nn").result is None
    finally:
        kernel.good("get_ipython().ast_node_interactivity = 'last_expr'")


@BODIES
def test_groups_are_shown_without_our_frames(kernel: Kernel, first: str) -> None:
    cell = kernel.bad(
        f"%%theus_process grouped -o x\n{first}\n"
        "raise ExceptionGroup('several', [ValueError('one'), KeyError('two')])"
    )
    shown = cell.traceback + cell.stderr
    assert "ExceptionGroup: several (2 sub-exceptions)" in shown
    assert "ValueError: one" in shown
    assert "line 3" in shown
    check_clean(shown)


def test_group_in_the_background_is_shown(kernel: Kernel) -> None:
    cell = kernel.good(
        "%%theus_process grouped_later -o x -b\nawait asyncio.sleep(0)\n"
        "raise ExceptionGroup('several', [ValueError('one')])"
    )
    kernel.wait_until(lambda: "ValueError: one" in cell.traceback)
    check_clean(cell.traceback)


def test_number_of_workers_is_configured_while_they_run(kernel: Kernel) -> None:
    before = int(kernel.value("theus.workers"))
    assert f"Current: {before}" in kernel.good("%config TheusNb").stdout
    barrier = (
        "from theus_nb import process\n"
        "@process\ndef meet(ctx): barrier.wait(10); return threading.current_thread().name\n"
        f"barrier = threading.Barrier({before + 3})\n"
        f"runs = [theus.start(meet) for _ in range({before + 3})]"
    )
    kernel.good(barrier)  # they need three threads more than there are
    kernel.good(f"%config TheusNb.workers = {before + 3}")
    assert kernel.value("len(set(await asyncio.gather(*runs)))") == str(before + 3)
    kernel.good("%config TheusNb.workers = 1")
    assert kernel.value("theus.workers") == "1"
    one = kernel.good(
        "@process\ndef name(ctx): return threading.current_thread().name\n"
        "[len(set(await asyncio.gather(*(theus.run(name) for _ in range(20))))) for _ in 'ab'][-1]"
    )
    assert one.result == "1"
    refused = kernel.run("%config TheusNb.workers = 0")  # IPython prints what it catches
    assert "at least 1, not 0" in refused.stderr + refused.stdout + refused.error
    assert kernel.value("theus.workers") == "1"
    kernel.good(f"%config TheusNb.workers = {before}")


def test_number_of_workers_from_a_configuration_file(tmp_path: pathlib.Path) -> None:
    profile = tmp_path / "profile_default"
    profile.mkdir()
    profile.joinpath("ipython_config.py").write_text("c.TheusNb.workers = 7\n")
    with Kernel(tmp_path, {"IPYTHONDIR": str(tmp_path)}) as kernel:
        kernel.good("%load_ext theus_nb")
        assert kernel.value("theus.workers") == "7"


@BODIES
def test_input_in_a_process(kernel: Kernel, first: str) -> None:
    cell = kernel.send(
        f"%%theus_process asking -o answer\n{first}\nanswer = input('what? ')\nanswer",
        allow_stdin=True,
    )
    assert kernel.answer("42") == "what? "
    assert kernel.wait(cell).result == "'42'"
    refused = kernel.run(f"%%theus_process asking -o answer\n{first}\nanswer = input('what? ')")
    assert refused.error.startswith("StdinNotImplementedError")


def test_cells_that_leave_no_history_as_vs_code_sends_them(kernel: Kernel) -> None:
    first = kernel.good("%%theus_process coded -o v -b\nawait asyncio.sleep(0)\nv = 1")
    looked = kernel.run("import json as _vsc\ntheus.background", store_history=False)
    assert looked.status == "ok"
    silent = kernel.run("_vsc_names = list(globals())", silent=True, store_history=False)
    assert silent.status == "ok"
    again = kernel.run("%%theus_process coded -o v\nv = 1 / 0", store_history=False)
    assert "----> 2 v = 1 / 0" in again.traceback
    later = kernel.bad("%%theus_process coded -o v\n\nv = 1 / 0")
    assert f"Cell In[{later.count}], line 3" in later.traceback
    assert later.count == first.count + 1


def test_restart_in_the_middle_of_runs(bare_kernel: Kernel) -> None:
    for _ in range(2):
        bare_kernel.good("%load_ext theus_nb\nimport asyncio")
        bare_kernel.good("%%theus_process sleeping -b\nawait asyncio.sleep(60)")
        bare_kernel.good("%%theus_process computing -b\nwhile True: pass")
        cell = bare_kernel.send("%%theus_process stuck\nprint('ready')\nawait asyncio.sleep(60)")
        bare_kernel.wait_until(lambda: "ready" in cell.stdout)  # noqa: B023
        bare_kernel.restart()
    bare_kernel.good("%load_ext theus_nb")
    assert bare_kernel.good("%%theus_process works -o x\nx = 1\nx").result == "1"


def test_shutdown_lets_coroutines_clean_up_and_is_quick(
    bare_kernel: Kernel, tmp_path: pathlib.Path
) -> None:
    bare_kernel.good("%load_ext theus_nb\nimport asyncio, pathlib")
    bare_kernel.good(
        "%%theus_process tidy -b\ntry: await asyncio.sleep(60)\n"
        "finally: pathlib.Path('cleaned').write_text('up')"
    )
    bare_kernel.good("%%theus_process thread -b\nimport time; time.sleep(60)")
    bare_kernel.good(
        "%%theus_process stubborn -b\nwhile True:\n    try: await asyncio.sleep(60)\n"
        "    except asyncio.CancelledError: pass"
    )
    bare_kernel.good("await asyncio.sleep(0)")
    assert bare_kernel.shut_down() < 5  # else the front end would have killed it
    assert (tmp_path / "cleaned").read_text() == "up"


def test_unload_names_what_goes_on(bare_kernel: Kernel) -> None:
    bare_kernel.good("%load_ext theus_nb\nimport asyncio, threading\ngate = threading.Event()")
    bare_kernel.good("%%theus_process thread -i gate -b\ngate.wait(60)")
    bare_kernel.good("await asyncio.sleep(0)")
    cell = bare_kernel.good("%unload_ext theus_nb")
    bare_kernel.wait_until(lambda: "'thread' could not be stopped" in cell.stdout)
    bare_kernel.good("gate.set()")
