"""Background cells: the kernel goes on, and whatever they say later belongs to them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.kernel.test_output import SPEAK
from tests.kernel.test_tracebacks import check_clean

if TYPE_CHECKING:
    from tests.kernel.driver import Cell, Kernel

WAITS = ["await asyncio.to_thread(gate.wait, 10)", "gate.wait(10)"]
LANES = pytest.mark.parametrize("wait", WAITS, ids=["loop", "worker"])


def start(kernel: Kernel, line: str, body: str) -> Cell:
    """Start a background cell behind a closed gate."""
    kernel.good("gate = threading.Event()")
    cell = kernel.good(f"%%theus_process {line} --background\n{body}")
    assert "Run r" in str(cell.result)
    return cell


@LANES
def test_the_kernel_goes_on_and_the_run_tells_its_state(kernel: Kernel, wait: str) -> None:
    body = f"print('ready', flush=True)\n{wait}\ngone = 5\n'the value'"
    started = start(kernel, "going -i gate -o gone", body)
    run = f"Out[{started.count}]"
    kernel.wait_until(lambda: "ready" in started.stdout)
    assert "'going' running" in kernel.value(run)
    assert kernel.value("'gone' in globals()") == "False"
    assert kernel.good(f"gate.set()\nawait {run}").result == "'the value'"
    assert "'going' finished" in kernel.value(run)
    assert kernel.value("gone") == "5"
    assert kernel.value(f"{run}.lane").strip("'").split()[0] in ("loop", "worker")
    kernel.good("del gone")


@LANES
@pytest.mark.parametrize("options", ["-i gate -o spoken", ""], ids=["contract", "open"])
def test_everything_it_says_belongs_to_its_cell(kernel: Kernel, wait: str, options: str) -> None:
    kernel.good(
        "import logging, sys\n"
        "class ToStderr(logging.Handler):\n"
        "    def emit(self, record): print(record.getMessage(), file=sys.stderr)\n"
        "logging.getLogger('speaking').handlers = [ToStderr()]\n"
        "logging.getLogger('speaking').propagate = False"
    )
    cell = start(kernel, f"speaking {options}", f"{wait}\n{SPEAK}")
    other = kernel.good("print('foreground')\ngate.set()\n%theus wait speaking")
    kernel.wait_until(lambda: "shelled" in cell.stdout and bool(cell.displays))
    assert "printed\n" in cell.stdout
    assert "complained\n" in cell.stderr
    assert "logged\n" in cell.stderr
    assert "warned" in cell.stderr
    assert [d["text/plain"] for d in cell.displays] == ["'displayed'"]
    first, waited = other.stdout.splitlines()
    assert first == "foreground"
    assert "'speaking' finished" in waited
    assert other.stderr == ""
    assert other.displays == []


@LANES
def test_failure_is_shown_in_its_own_cell_at_once(kernel: Kernel, wait: str) -> None:
    cell = start(kernel, "doomed -i gate -o x", f"# three\n{wait}\nx = 1 / 0")
    other = kernel.good("gate.set()\nprint('unharmed')")
    kernel.wait_until(lambda: bool(cell.error))
    assert cell.error == "ZeroDivisionError: division by zero"
    assert "----> 4 x = 1 / 0" in cell.traceback
    assert f"Cell In[{cell.count}], line 4" in cell.traceback
    check_clean(cell.traceback)
    assert other.stdout == "unharmed\n"
    later = kernel.bad(f"await Out[{cell.count}]")
    assert f"Cell In[{cell.count}], line 4" in later.traceback
    assert f"Cell In[{later.count}], line 1" in later.traceback
    check_clean(later.traceback)
    waited = kernel.bad("%theus wait doomed")
    assert waited.error == "ZeroDivisionError: division by zero"
    quiet = kernel.good("del _, Out\nimport gc\ngc.collect();")
    assert "never retrieved" not in quiet.stderr + cell.stderr
    kernel.good("Out = get_ipython().user_ns_hidden.get('Out', {})")


def test_failing_text_is_not_markup(kernel: Kernel) -> None:
    cell = start(kernel, "markup -i gate -o x", "gate.wait(10)\nraise ValueError('<b>bold</b>')")
    kernel.good("gate.set()")
    kernel.wait_until(lambda: bool(cell.error))
    assert cell.error == "ValueError: <b>bold</b>"
    kernel.bad("%theus wait markup")  # reported: the next %theus wait is not about it
    assert cell.displays == []  # an error message; front ends escape what is in it


def test_replaced_run_gives_its_place_to_the_new_one(kernel: Kernel) -> None:
    first = start(kernel, "source -i gate -o domain.value", "gate.wait(10)\nvalue = 'old'")
    reader = kernel.good(
        "%%theus_process reader -i domain.value -o seen --background\nseen = value"
    )
    kernel.good("first_gate = gate")
    second = start(kernel, "source -i gate -o domain.value", "gate.wait(10)\nvalue = 'new'")
    assert kernel.value(f"Out[{first.count}].cancel_requested") == "True"
    assert kernel.value(f"Out[{reader.count}].status") == "'waiting'"
    kernel.good("first_gate.set()")
    assert kernel.value(f"Out[{reader.count}].status") == "'waiting'"
    kernel.good("gate.set()\n%theus wait source reader")
    assert kernel.value("seen") == "'new'"
    assert first.error == second.error == reader.error == ""


@LANES
@pytest.mark.parametrize("above", ["", "%%time\n"])
def test_executed_again_in_the_foreground_it_takes_its_place_too(
    kernel: Kernel, above: str, wait: str
) -> None:
    first = start(kernel, "shown -i gate -o end", f"{wait}\nend = 1")
    kernel.good("await asyncio.sleep(0)")
    kernel.good(f"{above}%%theus_process shown -o end\nend = 2")
    kernel.good(f"gate.set()\nawait asyncio.wait([Out[{first.count}]])")
    assert kernel.value(f"Out[{first.count}].status") == "'cancelled'"
    assert kernel.value("end") == "2"
    assert first.error == ""


def test_replaced_coroutine_is_cancelled_and_says_nothing(kernel: Kernel) -> None:
    body = "try: await asyncio.sleep(60)\nfinally: print('cleaned up')\nend = 1"
    first = kernel.good(f"%%theus_process again -o end --background\n{body}")
    kernel.good("await asyncio.sleep(0)")
    kernel.good("%%theus_process again -o end --background\nawait asyncio.sleep(0)\nend = 2")
    waited = kernel.good("%theus wait again")
    assert waited.stdout.count("again") == 1
    kernel.wait_until(lambda: first.stdout == "cleaned up\n")
    assert kernel.value("end") == "2"
    assert first.error == ""
    assert kernel.value(f"Out[{first.count}].status") == "'cancelled'"


def test_run_all_is_right_by_order_of_submission(kernel: Kernel) -> None:
    for _ in range(2):  # and again, with the values of the first time still there
        sent = [
            kernel.send(
                "%%theus_process get -o domain.raw -b\nawait asyncio.sleep(.05)\nraw = [1]"
            ),
            kernel.send("%%theus_process add -i domain.raw -o total -b\ntotal = sum(raw) + 1"),
            kernel.send("%%theus_process show -i total -o shown\nshown = total * 10\nshown"),
            kernel.send("theus.state['domain.raw'] = [1, 2]"),
            kernel.send("%%theus_process show -i domain.raw -o shown\nshown = raw\nshown"),
        ]
        cells = [kernel.wait(cell) for cell in sent]
        assert [cell.status for cell in cells] == ["ok"] * 5
        assert [cell.result for cell in cells[2:]] == ["20", None, "[1, 2]"]


def test_wait_for_some_and_for_all(kernel: Kernel) -> None:
    kernel.good("gates = [threading.Event() for _ in range(2)]")
    for number in range(2):
        kernel.good(
            f"%%theus_process w{number} -i gates -o x{number} -b\n"
            f"x{number} = gates[{number}].wait(10)"
        )
    kernel.good("asyncio.get_running_loop().call_later(.02, gates[0].set)")
    assert "'w0' finished" in kernel.good("%theus wait w0").stdout
    assert kernel.value("theus.background['w1'].status") == "'running'"
    kernel.good("asyncio.get_running_loop().call_later(.02, gates[1].set)")
    said = kernel.good("before = 1\n%theus wait\nafter = x1").stdout
    assert "'w0'" not in said  # it has been reported
    assert "'w1' finished" in said
    assert kernel.value("after") == "True"


@pytest.mark.parametrize(
    "cell",
    [
        "%%time\n%theus wait late",
        "if True:\n    %theus wait late",
        "get_ipython().run_cell('%theus wait late').raise_error()",
    ],
    ids=["under %%time", "indented", "nested"],
)
def test_wait_where_nobody_can_await(kernel: Kernel, cell: str) -> None:
    start(kernel, "late -i gate -o done", "done = gate.wait(10)")
    waited = kernel.good(
        f"asyncio.get_running_loop().call_later(.02, gate.set)\n{cell}"
        if not cell.startswith("%%")
        else cell.replace("%%time", "%%time\nasyncio.get_running_loop().call_later(.02, gate.set)")
    )
    assert "'late' finished" in waited.stdout


def test_cancel_by_name_by_run_and_all(kernel: Kernel) -> None:
    kernel.good("%%theus_process sleep1 -b\nawait asyncio.sleep(60)")
    second = kernel.good("%%theus_process sleep2 -b\nawait asyncio.sleep(60)")
    kernel.good("%%theus_process sleep3 -b\nawait asyncio.sleep(60)")
    assert "'sleep1' asked to end" in kernel.good("%theus cancel sleep1").stdout
    run = kernel.value(f"Out[{second.count}].id").strip("'")
    assert f"{run} 'sleep2'" in kernel.good(f"%theus cancel {run}").stdout
    assert "'sleep3'" in kernel.good("%theus cancel all").stdout
    said = kernel.good("%theus wait sleep1 sleep2 sleep3").stdout
    assert said.count("cancelled") == 3
    assert second.error == ""


@pytest.mark.parametrize("contract", ["", "-i gate -o n "], ids=["open", "contracted"])
@pytest.mark.parametrize(
    ("body", "status"),
    [("while not gate.is_set(): pass", "cancelled"), ("gate.wait(30)", "abandoned")],
    ids=["pure Python", "C"],
)
def test_cancelling_a_thread(kernel: Kernel, contract: str, body: str, status: str) -> None:
    kernel.good("import threading\ngate = threading.Event()")
    cell = kernel.good(
        f"%%theus_process told {contract}-b\nprint('ready', flush=True)\n{body}\nn = 1"
    )
    kernel.wait_until(lambda: "ready" in cell.stdout)
    kernel.good("%theus cancel told\n%theus wait told")
    kernel.good("gate.set()")
    assert kernel.value(f"Out[{cell.count}].status") == f"'{status}'"


def test_cancelled_run_raises_for_who_awaits_it(kernel: Kernel) -> None:
    cell = kernel.good("%%theus_process ended -b\nawait asyncio.sleep(60)")
    kernel.good("%theus cancel ended")
    assert "RunCancelledError" in kernel.bad(f"await Out[{cell.count}]").error


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("%theus cancel", ["name of a process", "No run is unfinished"]),
        ("%theus cancel all", ["nothing to cancel"]),
        ("%theus cancel nosuch", ["no process is called 'nosuch'"]),
        ("%theus cancel r99999", ["r99999", "no such run"]),
        ("%theus cancel over", ["over", "its last run has finished"]),
        ("%theus wait nosuch", ["no process is called 'nosuch'"]),
        ("%theus wait never", ["never", "no run yet"]),
        ("%theus wait --timeout 3", ["no option '--timeout'", "write %theus wait crunch r7"]),
        ("%theus wait ,nosuch", ["no process is called 'nosuch'"]),
        (
            "%%theus_process x -b --lane cell\n1",
            ["--background and --lane cell", "%%theus_process x --outputs table --background"],
        ),
    ],
)
def test_bad_input_is_named_briefly(kernel: Kernel, code: str, words: list[str]) -> None:
    kernel.good("%%theus_process over --outputs o\no = 1")
    kernel.good("from theus_nb import process\n@process(name='never')\ndef never(ctx): pass")
    cell = kernel.bad(code)
    for word in words:
        assert word in cell.error
    assert len(cell.traceback.splitlines()) <= 3


def test_waiting_for_nothing(bare_kernel: Kernel) -> None:
    bare_kernel.good("%load_ext theus_nb")
    assert "nothing to wait for" in bare_kernel.bad("%theus wait").error


def test_failure_of_a_started_run_that_nobody_looks_at(kernel: Kernel) -> None:
    kernel.good(
        "from theus_nb import process\n"
        "@process\nasync def failing(ctx, gate):\n"
        "    await asyncio.to_thread(gate.wait, 10)\n    raise ValueError('unlooked')"
    )
    looked = kernel.good(
        "gate = threading.Event()\ngate.set()\nrun = theus.start(failing, gate)\n"
        "try: await run\nexcept ValueError: print('handled')"
    )
    in_cell = kernel.good(
        "run = theus.start(failing, gate)\nwhile not run.done(): await asyncio.sleep(0.001)"
    )
    kernel.wait_until(lambda: bool(in_cell.error))
    later = kernel.good("gate = threading.Event()\nrun = theus.start(failing, gate)")
    other = kernel.good("gate.set()\nprint('going on')")
    kernel.wait_until(lambda: bool(later.error))
    assert in_cell.error == later.error == "ValueError: unlooked"
    assert looked.stdout == "handled\n"
    assert looked.error == other.error == ""


def test_commit_publishes_the_names_of_outputs(kernel: Kernel) -> None:
    kernel.good("steps = [threading.Event() for _ in range(3)]")
    for first in ("await asyncio.sleep(0)", "pass"):
        kernel.good("count = None\nfor step in steps: step.clear()")
        wait = (
            "await asyncio.to_thread(steps[number].wait, 10)"
            if "await" in first
            else "steps[number].wait(10)"
        )
        cell = kernel.good(
            "%%theus_process poll -i steps -o count,many=domain.count -b\n"
            "for number in range(3):\n"
            f"    {wait}\n"
            "    count = number\n    many = [number] * number\n"
            "    ctx.commit()\n"
            "    print('committed', number, flush=True)"
        )
        assert cell.error == ""
        for number in range(2):
            kernel.good(f"steps[{number}].set()")
            kernel.wait_until(lambda: f"committed {number}" in cell.stdout)  # noqa: B023
            assert kernel.value("count") == str(number)
            read = kernel.good("%%theus_process read -i count,c=domain.count -o ignored?\ncount, c")
            assert read.result == str((number, [number] * number))
        kernel.good("steps[2].set()\n%theus wait poll")
        assert kernel.value("count") == "2"


def test_commit_does_not_overwrite_what_a_plain_cell_rebound(kernel: Kernel) -> None:
    for wait in WAITS:
        cell = start(
            kernel,
            "clash -i gate -o mine",
            f"mine = 1\nctx.commit()\nprint('ready', flush=True)\n{wait}\nmine = 2\nctx.commit()",
        )
        kernel.wait_until(lambda: "ready" in cell.stdout)  # noqa: B023
        kernel.good("mine = 'the user'\ngate.set()")
        kernel.wait_until(lambda: bool(cell.error))  # noqa: B023
        assert cell.error.startswith("NotebookConflictError")
        assert kernel.value("mine") == "'the user'"
        kernel.good("del mine")


def test_figure_left_open_is_shown_by_its_cell(kernel: Kernel) -> None:
    if kernel.run("import matplotlib").status == "error":
        pytest.skip("matplotlib is not installed")
    kernel.good("%matplotlib inline\nimport matplotlib.pyplot as plt", timeout=60)
    for wait in WAITS:
        cell = start(kernel, "plotting -i gate", f"{wait}\nplt.plot([1, 2])")
        other = kernel.good("gate.set()\n%theus wait plotting", timeout=30)
        kernel.wait_until(lambda: bool(cell.displays))  # noqa: B023
        assert "image/png" in cell.displays[0]
        assert other.displays == []
        assert kernel.good("plt.get_fignums()").result == "[]"


def test_figures_of_started_runs_are_shown_by_their_cell(kernel: Kernel) -> None:
    if kernel.run("import matplotlib").status == "error":
        pytest.skip("matplotlib is not installed")
    kernel.good("%matplotlib inline\nimport matplotlib.pyplot as plt", timeout=60)
    kernel.good(
        "from theus_nb import process\n@process\ndef inner(ctx): plt.plot([1, 2])\n"
        "@process\ndef sync(ctx): gate.wait(30); theus.run_sync(inner)\n"
        "@process\nasync def on_loop(ctx): await arrived.wait(); await theus.run(inner)"
    )
    for name, opening in (("sync", "gate.set()"), ("on_loop", "arrived.set()")):
        kernel.good("gate, arrived = threading.Event(), asyncio.Event()")
        cell = kernel.good(f"run = theus.start({name})")
        other = kernel.good(f"{opening}\nawait run\nplt.plot([2, 1])[0] and None", timeout=30)
        kernel.wait_until(lambda: bool(cell.displays))  # noqa: B023
        assert ["image/png" in display for display in (*cell.displays, *other.displays)] == [
            True
        ] * 2
        assert kernel.good("plt.get_fignums()").result == "[]"


def test_a_thread_that_goes_on_is_named_in_the_cell_that_started_it(kernel: Kernel) -> None:
    kernel.good("gate = threading.Event()")
    cell = kernel.good(
        "%%theus_process stuck -i gate -b\nprint('ready', flush=True)\ngate.wait(30)"
    )
    kernel.wait_until(lambda: "ready" in cell.stdout)
    kernel.good("%theus cancel stuck")
    # It is said when the grace is over, while another cell runs.
    other = kernel.good(
        "while not list(theus.runs)[-1].status == 'abandoned': await asyncio.sleep(0)"
    )
    kernel.wait_until(lambda: bool(cell.stderr))
    kernel.good("gate.set()")
    said = "theus_nb: the thread of 'stuck' did not stop and goes on, what it writes to the state"
    assert cell.stderr.startswith(said)
    assert not other.stderr


def test_a_time_limit_in_c_code_is_shown_in_the_cell_that_started_it(kernel: Kernel) -> None:
    kernel.good("gate = threading.Event()\nkept = 0")
    cell = kernel.good(
        "%%theus_process late -b --timeout 0.05\nkept = 1\nprint('ready')\ngate.wait(30)"
    )
    kernel.wait_until(lambda: bool(cell.traceback))
    kernel.good("gate.set()")
    assert "RunTimeoutError" in cell.traceback
    # An open cell works on the notebook's own variables.
    assert "what it did to the notebook's variables stays" in cell.traceback
    assert "its thread did not stop and goes on" in cell.traceback
    assert not cell.stderr
    assert kernel.value("kept") == "1"
