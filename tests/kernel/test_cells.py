"""A cell as a process: where it runs, what it shows, and what may stand on top of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.kernel.driver import Kernel


def test_async_cell_runs_on_the_loop_of_the_kernel(kernel: Kernel) -> None:
    kernel.good("loop = asyncio.get_running_loop()")
    cell = kernel.good(
        "%%theus_process fetch --inputs loop --outputs seen\n"
        "await asyncio.sleep(0)\n"
        "main = threading.current_thread() is threading.main_thread()\n"
        "seen = main and asyncio.get_running_loop() is loop\n"
        "seen"
    )
    assert cell.result == "True"
    assert kernel.value("seen") == "True"


def test_loop_is_free_while_a_sync_cell_runs(kernel: Kernel) -> None:
    kernel.good("gate = threading.Event()\nasyncio.get_running_loop().call_later(0.05, gate.set)")
    cell = kernel.good(
        "%%theus_process blocked --inputs gate --outputs opened\n"
        "assert threading.current_thread() is not threading.main_thread()\n"
        "opened = gate.wait(10)"  # only the loop can open it
    )
    assert cell.result is None
    assert kernel.value("opened") == "True"


def test_loop_ticks_while_an_async_cell_awaits(kernel: Kernel) -> None:
    kernel.good(
        "ticks = asyncio.Event()\n"
        "async def tick():\n"
        "    for _ in range(5): await asyncio.sleep(0.01)\n"
        "    ticks.set()\n"
        "ticker = asyncio.create_task(tick())"
    )
    cell = kernel.good(
        "%%theus_process awaiting --inputs ticks --outputs ok\nok = await ticks.wait()\nok"
    )
    assert cell.result == "True"


def test_result_history_and_execution_count(kernel: Kernel) -> None:
    first = kernel.good("%%theus_process number --outputs n\nn = 20\nn + 1")
    assert first.result == "21"
    assert kernel.value("_") == "21"
    assert kernel.value(f"Out[{first.count}]") == "21"
    assert kernel.good("1").count == first.count + 3


def test_trailing_semicolon_silences(kernel: Kernel) -> None:
    assert kernel.good("%%theus_process quiet --outputs n\nn = 5\nn;").result is None
    assert kernel.good("%%theus_process quiet --outputs n\nn = 5\nn; # really").result is None
    assert kernel.good("%%theus_process quiet --outputs n\nn = 6\nn").result == "6"


def test_magics_and_shell_commands_inside_the_body(kernel: Kernel) -> None:
    cell = kernel.good(
        "%%theus_process shell --outputs listing\n!echo from the shell\nlisting = !echo captured\n"
        "%who_ls int"
    )
    assert "from the shell" in cell.stdout
    assert kernel.value("list(listing)") == "['captured']"


def test_future_statement_in_the_body_holds_for_all_of_it(kernel: Kernel) -> None:
    cell = kernel.good(
        "%%theus_process future --outputs f\nfrom __future__ import annotations\n"
        "def f(x: nowhere): return x\n(lambda: f.__annotations__)()"
    )
    assert cell.result == "{'x': 'nowhere'}"


def test_running_again_redefines(kernel: Kernel) -> None:
    kernel.good("%%theus_process versioned --outputs v\nv = 1")
    kernel.good("%%theus_process versioned --outputs v\nv = 2\nawait asyncio.sleep(0)")
    assert kernel.value("v") == "2"
    kernel.good("v = None")
    kernel.good("await theus.run('versioned')")
    assert kernel.value("v") == "2"
    assert kernel.value("[p.name for p in theus.processes].count('versioned')") == "1"


def test_cells_queued_behind_an_awaiting_cell_wait_for_it(kernel: Kernel) -> None:
    cells = [
        kernel.send("%%theus_process slow --outputs order\nawait asyncio.sleep(.05)\norder = [1]"),
        kernel.send("order.append(2)"),
        kernel.send("%%theus_process next --inputs order --outputs order\norder.append(3)"),
        kernel.send("order"),
    ]
    assert [kernel.wait(cell).status for cell in cells] == ["ok"] * 4
    assert cells[-1].result == "[1, 2, 3]"


def test_time_on_top(kernel: Kernel) -> None:
    for body in ("n = 1", "await asyncio.sleep(0)\nn = 1"):
        cell = kernel.good(f"%%time\n%%theus_process timed --outputs n\n{body}\nn")
        assert "Wall time" in cell.stdout
        assert cell.result == "1"


def test_capture_on_top(kernel: Kernel) -> None:
    for body in ("n = 1", "await asyncio.sleep(0)\nn = 1"):
        cell = kernel.good(
            f"%%capture taken\n%%theus_process captured --outputs n\n{body}\nprint('x')"
        )
        assert cell.stdout == ""
        assert kernel.value("taken.stdout") == r"'x\n'"


def test_nested_run_cell(kernel: Kernel) -> None:
    for body in ("n = 7", "await asyncio.sleep(0)\nn = 7"):
        kernel.good("n = None")
        code = f"%%theus_process nested --outputs n\n{body}"
        assert kernel.value(f"get_ipython().run_cell({code!r}).success") == "True"
        assert kernel.value("n") == "7"


def test_autoawait_off(kernel: Kernel) -> None:
    kernel.good("%autoawait off")
    try:
        for body in ("n = 8", "await asyncio.sleep(0)\nn = 8"):
            kernel.good("n = None")
            assert kernel.good(f"%%theus_process plain --outputs n\n{body}\nn").result == "8"
    finally:
        kernel.good("%autoawait on")


def test_lane_loop_runs_sync_code_on_the_main_thread(kernel: Kernel) -> None:
    kernel.good(
        "%%theus_process here --outputs main --lane loop\n"
        "main = threading.current_thread() is threading.main_thread()"
    )
    assert kernel.value("main") == "True"


def test_thread_bound_object_of_one_sync_cell_works_in_the_next(kernel: Kernel) -> None:
    kernel.good(
        "%%theus_process connect --outputs db\nimport sqlite3\ndb = sqlite3.connect(':memory:')\n"
        "db.execute('create table t (x)')"
    )
    kernel.good(
        "%%theus_process insert --inputs db --outputs db\ndb.execute('insert into t values (42)')"
    )
    cell = kernel.good(
        "%%theus_process select --inputs db --outputs rows\n"
        "rows = db.execute('select * from t').fetchall()\nrows"
    )
    assert cell.result == "[(42,)]"


def test_plain_cell_runs_processes_by_name(kernel: Kernel) -> None:
    kernel.good("%%theus_process one --outputs domain.one\nawait asyncio.sleep(0)\none = 1\none")
    kernel.good("%%theus_process two --inputs domain.one --outputs domain.two\ntwo = one + 1\ntwo")
    cell = kernel.good("await asyncio.gather(theus.run('one'), theus.run('two'))")
    assert cell.result == "[1, 2]"
    assert kernel.value("theus.state['domain.two']") == "2"


def test_status_lists_processes_and_runs(kernel: Kernel) -> None:
    kernel.good("%%theus_process shown --outputs n?\nn = 1")
    bundle = kernel.good("%theus status").displays[0]
    assert "shown" in bundle["text/plain"]
    assert "finished" in bundle["text/plain"]
    assert "<td>shown</td>" in bundle["text/html"]


def test_trailing_expression_is_shown_whatever_it_is(kernel: Kernel) -> None:
    cell = kernel.good("%%theus_process lazy --outputs n\nn = 1\n(i for i in [1])")
    assert "generator" in str(cell.result)
    kernel.good("%%theus_process other --outputs m\nm = 1")
    cell = kernel.good("%%theus_process handle --outputs n\nn = 1\ntheus.start('other')")
    assert str(cell.result).startswith("<Run ")


def test_forgotten_await_is_shown_as_the_corrected_line(kernel: Kernel) -> None:
    kernel.good("%%theus_process soon --outputs n\nn = 1")
    cell = kernel.good("forgotten = theus.run('soon')\nforgotten")
    assert "write: await theus.run('soon')" in str(cell.result)
    assert "coroutine" in str(kernel.good("async def own(): pass\nmine = own()\nmine").result)
    kernel.good("await forgotten, await mine")


@pytest.mark.parametrize(
    "body",
    [
        "n = asyncio.get_running_loop()",
        "import signal\nn = signal.signal(signal.SIGUSR1, signal.SIG_DFL)",
        "n = theirs.execute('select 1')",
    ],
    ids=["asyncio", "signal", "sqlite3"],
)
def test_errors_about_threads_suggest_the_other_lane(kernel: Kernel, body: str) -> None:
    kernel.good("import sqlite3\ntheirs = sqlite3.connect(':memory:')")
    cell = kernel.bad(f"%%theus_process bound --inputs theirs --outputs n\n{body}")
    assert "ran in a worker thread" in cell.traceback
    assert "--lane loop" in cell.traceback
    kernel.good(f"%%theus_process bound --inputs theirs --outputs n --lane loop\n{body}")
