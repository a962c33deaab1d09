"""Loading, reloading, unloading: nothing is left behind, nothing of the user's is taken."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.kernel.driver import Kernel

SNAPSHOT = """
def descriptors():
    # Without files: IPython's history thread opens and closes its journal as it pleases.
    import glob, os
    found = []
    for link in glob.glob("/proc/self/fd/*"):
        try: found.append(os.readlink(link).partition(":")[0])
        except OSError: pass
    return sorted(kind for kind in found if kind in ("socket", "pipe", "anon_inode"))

def snapshot():
    import asyncio, os, signal, threading
    ip = get_ipython()
    fd = signal.set_wakeup_fd(-1)
    signal.set_wakeup_fd(fd)
    return {
        "names": sorted(n for n in ip.user_ns if not n.startswith("_")),
        "hidden": sorted(n for n in ip.user_ns_hidden if not n.startswith("_")),
        "transformers": [len(ip.input_transformers_post), len(ip.input_transformers_cleanup)],
        "events": {k: len(v) for k, v in ip.events.callbacks.items()},
        "magics": {k: sorted(v) for k, v in ip.magics_manager.magics.items()},
        "registry": sorted(ip.magics_manager.registry),
        "matchers": len(ip.Completer.custom_matchers),
        "configurables": sorted(type(c).__name__ for c in ip.configurables),
        "threads": sorted(t.name for t in threading.enumerate()),
        "wakeup": fd != -1,
        "descriptors": descriptors(),
        "readers": len(asyncio.get_running_loop()._selector.get_map()),
        "hook": "structured_traceback" in vars(ip.InteractiveTB),
    }
"""
USE = (
    "%%theus_process used --outputs used_output\nimport json\nused_output = json.dumps([1])",
    "%%theus_process used --outputs used_output\nawait asyncio.sleep(0)\nused_output = 1",
    "%theus status",
    "del used_output",
)


def snapshot(kernel: Kernel) -> dict[str, object]:
    # Collected first: what is only waiting for the garbage collector was not left behind.
    found = ast.literal_eval(kernel.value("__import__('gc').collect() and None or snapshot()"))
    assert isinstance(found, dict)
    return found


def test_unload_leaves_nothing_behind(bare_kernel: Kernel) -> None:
    bare_kernel.good(SNAPSHOT)
    bare_kernel.good("%load_ext storemagic\n%unload_ext storemagic\nimport asyncio, json")
    snapshot(bare_kernel)  # whatever looking and loading bring along by themselves is there now
    before = snapshot(bare_kernel)
    for _ in range(2):
        bare_kernel.good("%load_ext theus_nb")
        loaded = snapshot(bare_kernel)
        assert loaded != before
        for code in USE:
            bare_kernel.good(code)
        bare_kernel.good("%unload_ext theus_nb")
        assert snapshot(bare_kernel) == before


def test_reload_leaves_one_of_everything(bare_kernel: Kernel) -> None:
    bare_kernel.good(SNAPSHOT)
    bare_kernel.good("import asyncio, json")
    bare_kernel.good("%load_ext theus_nb")
    once = snapshot(bare_kernel)
    for _ in range(3):
        bare_kernel.good("%reload_ext theus_nb")
        for code in USE:
            bare_kernel.good(code)
    bare_kernel.good("%reload_ext theus_nb")
    again = snapshot(bare_kernel)
    assert again == once
    assert bare_kernel.good("%%theus_process works --outputs x\nx = 1\nx").result == "1"


def test_name_theus_is_taken_only_where_it_is_free(bare_kernel: Kernel) -> None:
    bare_kernel.good("theus = 'mine'\n%load_ext theus_nb")
    assert bare_kernel.value("theus") == "'mine'"
    assert bare_kernel.value("__import__('theus_nb').session().run is not None") == "True"
    bare_kernel.good("%unload_ext theus_nb")
    assert bare_kernel.value("theus") == "'mine'"


def test_magic_of_the_same_name_comes_back(bare_kernel: Kernel) -> None:
    bare_kernel.good(
        "from IPython.core.magic import register_line_magic\n"
        "@register_line_magic\ndef theus(line): print('the user')\n"
        "del theus"
    )
    bare_kernel.good("%load_ext theus_nb")
    assert "the user" not in bare_kernel.good("%theus help").stdout
    bare_kernel.good("%unload_ext theus_nb")
    assert bare_kernel.good("%theus help").stdout == "the user\n"


def test_loading_is_quiet(bare_kernel: Kernel) -> None:
    cell = bare_kernel.good("%load_ext theus_nb")
    assert (cell.stdout, cell.stderr, cell.displays) == ("", "", [])


def test_unloading_cancels_what_runs(bare_kernel: Kernel) -> None:
    bare_kernel.good("%load_ext theus_nb\nimport asyncio, threading\ngate = threading.Event()")
    bare_kernel.good(
        "from theus_nb import process\n"
        "@process\nasync def sleeper(ctx): await asyncio.sleep(60)\n"
        "@process\ndef worker(ctx): gate.wait(60)\n"
        "runs = [theus.start(sleeper), theus.start(worker)]\n"
        "await asyncio.sleep(0)\n"
        "runs.append(theus.start(sleeper))"  # its task has not taken its first step
    )
    bare_kernel.good("%unload_ext theus_nb")
    cell = bare_kernel.good(
        "[type(e).__name__ for e in await asyncio.gather(*runs, return_exceptions=True)]"
    )
    assert cell.result == str(["RunCancelledError"] * 3)
    bare_kernel.good("gate.set()")
    bare_kernel.good("%load_ext theus_nb")
    assert bare_kernel.good("%%theus_process works --outputs x\nx = 1\nx").result == "1"


def test_kernel_exits_while_a_worker_is_busy(bare_kernel: Kernel) -> None:
    bare_kernel.good("%load_ext theus_nb")
    cell = bare_kernel.send("%%theus_process busy\nimport time\nprint('ready')\ntime.sleep(60)")
    bare_kernel.wait_until(lambda: "ready" in cell.stdout)
    assert bare_kernel.shut_down() < 5


def test_wakeup_descriptor_of_somebody_else_is_left_alone(bare_kernel: Kernel) -> None:
    bare_kernel.good(
        "import signal, socket\na, b = socket.socketpair()\nb.setblocking(False)\n"
        "signal.set_wakeup_fd(b.fileno())"
    )
    bare_kernel.good("%load_ext theus_nb")
    bare_kernel.good("%unload_ext theus_nb")
    assert bare_kernel.value("signal.set_wakeup_fd(-1) == b.fileno()") == "True"


def test_kernel_with_the_extension_in_its_configuration(bare_kernel: Kernel) -> None:
    # Such an extension is loaded before the loop runs; the loop is adopted at the first cell.
    bare_kernel.good(
        "from IPython.core.interactiveshell import InteractiveShell\n"
        "import threading\n"
        "def load():\n"
        "    import theus_nb\n    theus_nb.load_ipython_extension(get_ipython())\n"
        "thread = threading.Thread(target=load); thread.start(); thread.join()"
    )
    bare_kernel.good(
        "import asyncio\ngate = threading.Event()\n"
        "asyncio.get_running_loop().call_later(.02, gate.set)"
    )
    bare_kernel.good("%%theus_process wait --inputs gate --outputs ok\nok = gate.wait(10)")
    assert bare_kernel.value("ok") == "True"
