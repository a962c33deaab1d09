"""Many runs at once: nothing is lost, nothing is left behind."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.kernel.driver import Cell, Kernel

RUNS = 1_000
CELLS = 50
LINES = 10


@pytest.mark.timeout(180)
def test_every_line_of_a_thousand_runs_is_in_its_own_cell(kernel: Kernel) -> None:
    kernel.good(
        "from theus_nb import process\n"
        # In one piece: print writes its parts one by one, and threads share the cell.
        "def say(name, line): print(f'{name} {line}\\n', end='')\n"
        "@process\nasync def on_loop(ctx, name):\n"
        f"    for line in range({LINES}):\n"
        "        say(name, line)\n        await asyncio.sleep(0)\n"
        "@process\ndef in_worker(ctx, name):\n"
        f"    for line in range({LINES}):\n        say(name, line)\n"
    )
    many = RUNS // CELLS
    cells = []
    front: list[Cell] = []
    for place in range(CELLS):
        kind = ("on_loop", "in_worker")[place % 2]
        cells.append(
            kernel.send(
                f"runs = [theus.start({kind}, 'c{place}-{{}}'.format(n)) for n in range({many})];"
            )
        )
        if place % (CELLS // 3) == 1:
            front.append(
                kernel.send(
                    f"%%theus_process front -o f\nfor line in range(50):\n"
                    f"    print('front {place}', line)\n    await asyncio.sleep(0)\nf = 1"
                )
            )
    kernel.wait_until(
        lambda: all(cell.stdout.count("\n") >= many * LINES for cell in cells), timeout=120
    )
    for number, cell in enumerate(cells):
        kernel.wait(cell)
        said: dict[str, list[int]] = {}
        for text in cell.stdout.splitlines():
            name, line = text.split()
            said.setdefault(name, []).append(int(line))
        assert said == {f"c{number}-{n}": list(range(LINES)) for n in range(many)}
    for cell in front:
        kernel.wait(cell)
        name = cell.stdout.split()[1]
        assert cell.stdout == "".join(f"front {name} {line}\n" for line in range(50))
    assert len(front) >= 3


LOOK = """
def look():
    import gc, os, threading
    gc.collect()
    memory = int(open("/proc/self/statm").read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    links = []
    for number in os.listdir("/proc/self/fd"):
        try: links.append(os.readlink(f"/proc/self/fd/{number}"))
        except OSError: pass
    # Without files: IPython's history thread opens and closes its journal as it pleases.
    descriptors = sum(not link.startswith("/") for link in links)
    return threading.active_count(), descriptors, memory
"""


IN_POOL = "sum(t.name.startswith('theus worker') for t in threading.enumerate())"


@pytest.mark.timeout(180)
def test_ten_thousand_cancelled_runs_leave_nothing(bare_kernel: Kernel) -> None:
    bare_kernel.good("%load_ext theus_nb\nimport asyncio, threading" + LOOK)
    bare_kernel.good(
        "from theus_nb import process\n"
        "@process\nasync def sleeping(ctx): await asyncio.sleep(600)\n"
        "@process\ndef waiting(ctx): gate.wait(600)\n"
        "async def round(count):\n"
        "    global gate\n"
        "    gate = threading.Event()\n"
        "    runs = [theus.start(p) for _ in range(count // 2) for p in (sleeping, waiting)]\n"
        "    await asyncio.sleep(0)\n"
        "    for run in runs: run.cancel()\n"
        "    ended = await asyncio.gather(*runs, return_exceptions=True)\n"
        "    gate.set()\n"
        "    assert {type(e).__name__ for e in ended} == {'RunCancelledError'}, ended[:3]\n"
    )
    # The threads and caches there will be, and what is kept of the latest runs: all are bounded.
    for _ in range(5):
        bare_kernel.good("await round(1_000)", timeout=60)
    threads = int(bare_kernel.value("theus.workers + threading.active_count() - " + IN_POOL))
    settled = (
        "for _ in range(1_000):\n"  # given up threads come back, and those that stood in leave
        f"    if threading.active_count() <= {threads}: break\n"
        "    await asyncio.sleep(0.01)\n"
        "look()"
    )
    before = ast.literal_eval(str(bare_kernel.good(settled).result))
    for _ in range(10):
        bare_kernel.good("await round(1_000)", timeout=60)
    after = ast.literal_eval(str(bare_kernel.good(settled).result))
    assert max(before[0], after[0]) <= threads
    assert after[1] <= before[1]
    assert after[2] - before[2] < 20e6
    assert bare_kernel.value("len(theus.runs.unfinished())") == "0"
