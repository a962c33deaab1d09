"""Blocks of the kernel's loop: the cell and the line are named, and nobody else."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.kernel.driver import Kernel

UNTIL = """
async def until(true):
    import asyncio
    async with asyncio.timeout(10):
        while not true():
            await asyncio.sleep(.01)
"""
SOON = """
import time
from theus_nb import process
@process
async def soon(ctx):
    await asyncio.sleep(.02)
"""


def blocks(kernel: Kernel) -> list[tuple[str, int, str, str | None]]:
    rows = kernel.value("[(b.cell, b.line, b.function, b.process) for b in theus.blocks]")
    found = ast.literal_eval(rows)
    assert isinstance(found, list)
    return found


def test_plain_cell_that_blocks_is_named_with_its_line(kernel: Kernel) -> None:
    kernel.good(UNTIL + SOON)
    kernel.good("theus.watch.blocks.clear()")
    cell = kernel.good("run = theus.start(soon)\nawait asyncio.sleep(0)\n\ntime.sleep(.3)")
    kernel.good("await run\nawait until(lambda: theus.blocks)")
    assert blocks(kernel) == [(f"plain cell [{cell.count}]", 4, "<module>", None)]
    assert cell.stdout == cell.stderr == ""
    shown = kernel.good("%theus status").displays[0]["text/plain"]
    assert f"plain cell [{cell.count}], line 4" in shown
    assert "run in a worker" in shown


def test_function_defined_in_an_earlier_cell_is_named_with_that_cell(kernel: Kernel) -> None:
    kernel.good(UNTIL + SOON)
    defined = kernel.good("@process\nasync def sleepy(ctx):\n    time.sleep(.3)")
    kernel.good("theus.watch.blocks.clear()")
    kernel.good("await asyncio.gather(theus.run(soon), theus.run(sleepy))")
    kernel.good("await until(lambda: theus.blocks)")
    assert blocks(kernel) == [(f"cell [{defined.count}]", 3, "sleepy", "sleepy")]


def test_cell_with_await_is_a_process(kernel: Kernel) -> None:
    kernel.good(UNTIL + SOON)
    kernel.good("theus.watch.blocks.clear()\nrun = theus.start(soon)")
    cell = kernel.good(
        "%%theus_process bad --outputs n\nrun = 1\nawait asyncio.sleep(0)\ntime.sleep(.3)\nn = 1"
    )
    kernel.good("await until(lambda: theus.blocks)")
    assert blocks(kernel) == [(f"cell [{cell.count}]", 4, "<module>", "bad")]


def test_blocking_an_idle_kernel_leaves_no_record(kernel: Kernel) -> None:
    kernel.good(UNTIL + SOON)
    kernel.good("await theus.run(soon)\ntheus.watch.blocks.clear()")
    kernel.good("import sys\nawait until(lambda: sys.getswitchinterval() > .001)")
    kernel.good("time.sleep(.3)")
    kernel.good("await theus.run(soon)")
    assert blocks(kernel) == []
