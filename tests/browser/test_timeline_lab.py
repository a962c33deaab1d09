"""The timeline in JupyterLab, in Chromium, from real kernels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import pytest

from tests.browser.notebook import LOAD

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.browser.notebook import Notebook
    from tests.browser.server import Server

pytestmark = pytest.mark.timeout(150)

WORK: Final = """
import asyncio, time
from theus_nb import process

@process(outputs=["domain.raw"])
async def fetch(ctx):
    await asyncio.sleep(0.3)
    return 7

@process(inputs=["domain.raw"], outputs=["domain.sum"])
def crunch(ctx):
    time.sleep(0.2)
    return ctx.domain.raw + 1

@process
async def ping(ctx, i):
    await asyncio.sleep(0.05 + i / 50)

@process
def broken(ctx):
    time.sleep(0.05)
    raise ValueError("no")

runs = [theus.start(ping, i) for i in range(6)]
await theus.run(fetch)
await theus.run(crunch)
await asyncio.gather(*runs)
failed = theus.start(broken)
try:
    await failed
except ValueError:
    pass
"""


def test_both_kinds_of_lane_are_seen(lab: Server, open_notebook: Callable[..., Notebook]) -> None:
    notebook = open_notebook(lab, LOAD, "theus.timeline()", WORK)
    notebook.run_all()
    notebook.spans(9)
    lanes = notebook.canvas.get_attribute("data-lanes")
    assert lanes is not None
    assert lanes.startswith("loop,")
    assert "worker 1" in lanes
    assert notebook.pixels((0xC2, 0x41, 0x0C)) > 20, "the failure has its colour"
    counts = notebook.timeline.locator("[data-part=counts]").inner_text()
    assert counts == "8 finished · 1 failed"
