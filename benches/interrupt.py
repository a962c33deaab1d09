"""How long it takes from the stop button to the next cell's reply, in a real kernel.

Each case is a cell that says when it is busy; then the kernel is interrupted and one more cell
sent, and the clock stops when that one has its reply. Cases are interleaved round by round in one
kernel per case, beside a plain cell that sleeps in a kernel that has never heard of theus_nb. Ends
with status 1 if a "must" was missed.

Usage: ``python benches/interrupt.py [-n ROUNDS] [--quick]``
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import pathlib
import statistics
import sys
import tempfile
import time
from typing import TYPE_CHECKING, Final

from benches._report import Goal, facts, table
from tests.kernel.driver import Kernel
from theus_nb.stopper import GRACE

if TYPE_CHECKING:
    from collections.abc import Sequence

MUST: Final = 500.0
"""Milliseconds until the kernel is usable again, beyond the grace where a thread is given up."""

SAY: Final = "print('busy', flush=True)"

PREPARE: Final = f"""
%load_ext theus_nb
import asyncio, threading
from theus_nb import process
gate = threading.Event()
@process
async def endless(ctx):
    {SAY}
    await asyncio.sleep(60)
@process
def spin(ctx):
    {SAY}
    while True: pass
"""

HELD: Final = f"%%theus_process held -i gate -b\n{SAY}\ngate.wait()"


@dataclasses.dataclass(frozen=True)
class Case:
    """One row of the table.

    Attributes:
        name: What it is called.
        cell: What is interrupted once it has printed ``busy``.
        prepare: Cells executed once before the first round.
        before: A cell executed before each round, if there is one.
        after: A cell executed after each round; not measured.
        grace: Milliseconds that a thread is given before it is abandoned.
    """

    name: str
    cell: str
    prepare: Sequence[str] = (PREPARE,)
    before: str | None = None
    after: str = "gate.set(); gate = threading.Event()"
    grace: float = 0.0


GIVE_UP: Final = GRACE * 1e3
ASYNC: Final = f"%%theus_process waits -o n\n{SAY}\nawait asyncio.sleep(60)\nn = 1"
SPIN: Final = f"%%theus_process spins -o n\n{SAY}\nwhile True: pass\nn = 1"
IN_C: Final = f"%%theus_process in_c -i gate -o n\n{SAY}\ngate.wait()\nn = 1"

# Not for long: without the extension nothing may wake the loop before the sleep is over.
PLAIN: Final = Case(
    "plain await asyncio.sleep(5), without theus_nb",
    f"{SAY}\nawait asyncio.sleep(5)",
    prepare=("import asyncio",),
    after="pass",
)
CASES: Final = (
    Case("a cell that awaits a coroutine", ASYNC),
    Case("a cell in a thread, pure Python", SPIN),
    Case("a cell in a thread, in C", IN_C, grace=GIVE_UP),
    Case("await theus.run(async process)", "await theus.run(endless)"),
    Case("await theus.run(sync process)", "await theus.run(spin)"),
    Case(
        "%theus wait",
        f"{SAY}\n%theus wait held",
        before=HELD,
        after="gate.set()\n%theus wait held\ngate.clear()",
    ),
    Case("theus.run_sync(async process)", "theus.run_sync(endless)"),
    Case("theus.run_sync(sync process)", "theus.run_sync(spin)"),
    Case("%%time over a cell that awaits", f"%%time\n{ASYNC}"),
    Case("%%time over a cell in a thread", f"%%time\n{SPIN}"),
)


def one_round(kernel: Kernel, case: Case) -> float:
    """Interrupt the cell of a case; return the milliseconds until the next cell's reply.

    Raises:
        AssertionError: The cell was not interrupted, or the next one failed.
    """
    if case.before is not None:
        kernel.good(case.before)
    cell = kernel.send(case.cell)
    kernel.wait_until(lambda: "busy" in cell.stdout)
    began = time.perf_counter()
    kernel.interrupt()
    # Not sent before: cells that are queued behind an interrupted one are aborted.
    kernel.wait(cell, 90)
    kernel.good("1 + 1", timeout=90)
    took = (time.perf_counter() - began) * 1e3
    if cell.status != "error" and case is not PLAIN:
        msg = f"{case.name}: the cell was not interrupted: {cell.stdout}"
        raise AssertionError(msg)
    kernel.good(case.after)
    return took


def measure(rounds: int) -> dict[Case, list[float]]:
    """Take every case once a round, each in a kernel of its own; one round does not count."""
    found: dict[Case, list[float]] = {case: [] for case in (PLAIN, *CASES)}
    with contextlib.ExitStack() as stack:
        folder = pathlib.Path(stack.enter_context(tempfile.TemporaryDirectory()))
        kernels = {}
        for case in found:
            kernels[case] = stack.enter_context(
                Kernel(folder, {"THEUS_AUDIT_DIR": str(folder / "audit")})
            )
            for cell in case.prepare:
                kernels[case].good(cell, timeout=60)
        for number in range(rounds + 1):
            for case, times in found.items():
                took = one_round(kernels[case], case)
                if number:
                    times.append(took)
    return found


def rows(found: dict[Case, list[float]]) -> list[tuple[str, ...]]:
    """Lay out what was measured."""
    return [
        (case.name, f"{statistics.median(times):,.0f} ms", f"{max(times):,.0f} ms")
        for case, times in found.items()
    ]


def goals(found: dict[Case, list[float]]) -> list[Goal]:
    """Set the slowest of all rounds against what was promised."""
    quick = [max(times) for case, times in found.items() if case in CASES and not case.grace]
    given_up = [max(times) for case, times in found.items() if case in CASES and case.grace]
    slow = f"slowest, thread given up after {GRACE:g} s"
    return [
        Goal("slowest, coroutine or pure Python", MUST, None, "ms", max(quick)),
        Goal(slow, GIVE_UP + MUST, None, "ms", max(given_up)),
    ]


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse the command line and run."""
    parser = argparse.ArgumentParser(description="from the stop button to the next cell's reply")
    parser.add_argument("-n", "--rounds", type=int, default=7, help="interrupts of each kind")
    parser.add_argument("--quick", action="store_true", help="few rounds, rough numbers")
    options = parser.parse_args(arguments)
    rounds = 2 if options.quick else max(1, options.rounds)
    found = measure(rounds)
    promised = goals(found)
    print(table(["what", "must", "aim", "measured", "met?"], (goal.row() for goal in promised)))
    head = ["interrupted", "median", "max"]
    print(f"\n{table(head, rows(found))}\n\n{facts()}; {rounds} rounds, a kernel for each row.")
    return 1 if any(goal.missed for goal in promised) else 0


if __name__ == "__main__":
    sys.exit(main())
