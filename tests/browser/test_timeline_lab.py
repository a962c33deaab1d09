"""The timeline in JupyterLab, in Chromium, from real kernels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pytest

from tests.browser.notebook import LOAD, lanes_of

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
    lanes = lanes_of(notebook.canvas)
    assert lanes[0] == "loop"
    assert "worker 1" in lanes
    assert notebook.pixels((0xC2, 0x41, 0x0C)) > 20, "the failure has its colour"
    counts = notebook.timeline.locator("[data-part=counts]").inner_text()
    assert counts == "8 finished · 1 failed"


SLOW: Final = """
import asyncio, threading, time
from theus_nb import process

@process
async def endless(ctx):
    await asyncio.sleep(3600)
"""

STUB: Final = """
import json, types
class Tail:
    def __init__(self): self.rows = []
    def add(self, **entry):
        seq = len(self.rows)
        self.rows.append(json.dumps({"seq": seq, "ts": "2026-01-01T00:00:00.000000000Z", **entry},
                                    separators=(",", ":")))
    def lines(self, after, limit): return self.rows[after + 1:after + 1 + limit]
    def position(self): return (len(self.rows), len(self.rows) - 1, 0)
    def settle(self, timeout): return True
    def tell(self): pass
tail = Tail()
theus.audit = types.SimpleNamespace(log=tail)
"""

EVIL: Final = "<img src=x onerror=window.__evil=1>"


def test_cancel_click_reaches_a_cell_that_awaits(
    lab: Server, open_notebook: Callable[..., Notebook]
) -> None:
    watch = (
        "run = theus.start(endless)\ntry:\n    await run\nexcept Exception as error:\n"
        "    print(type(error).__name__)"
    )
    notebook = open_notebook(lab, LOAD, "theus.timeline()", SLOW, watch)
    notebook.run_all(wait=False)
    notebook.spans(1)
    notebook.page.get_by_role("button", name="Cancel all").first.click()
    notebook.until("() => document.body.innerText.includes('RunCancelledError')")
    notebook.until("() => document.querySelector('[data-part=counts]').innerText === '1 cancelled'")


def test_a_blocked_cell_is_seen_while_it_blocks_and_the_button_does_not_pretend(
    lab: Server, open_notebook: Callable[..., Notebook]
) -> None:
    block = (
        "run = theus.start(endless)\nawait asyncio.sleep(0.5)\n"
        "end = time.monotonic() + 6\nwhile time.monotonic() < end: time.sleep(0.01)"
    )
    notebook = open_notebook(lab, LOAD, "theus.timeline()", SLOW, block)
    notebook.run_all(wait=False)
    notebook.spans(1)
    red = (0xC8, 0x1E, 0x1E)
    notebook.until(
        """([r, g, b]) => { const c = document.querySelector('.tn-canvas');
            if (!c) return false;
            const {data} = c.getContext('2d').getImageData(0, 0, c.width, c.height);
            for (let i = 0; i < data.length; i += 4)
                if (data[i] === r && data[i + 1] === g && data[i + 2] === b) return true;
            return false; }""",
        list(red),
    )
    notebook.page.get_by_role("button", name="Cancel all").first.click()
    # Either it gets through (a kernel with subshells), or the page says that it does not.
    notebook.until(
        """() => document.querySelector('.tn-notice').innerText.includes('Not delivered yet')
            || document.querySelector('[data-part=counts]').innerText.includes('cancelled')"""
    )
    notebook.until(
        "() => document.querySelector('[data-part=counts]').innerText.includes('1 cancelled')"
    )
    assert notebook.pixels(red) > 200, "where the loop was held up stays marked"


def test_the_audit_table_follows_and_highlights_both_ways(
    lab: Server, open_notebook: Callable[..., Notebook]
) -> None:
    fill = (
        f"{WORK}\nfor i in range(1, 9):\n"
        "    tail.add(mono=i, kind='run_started', run=f'r{i}', process='ping')\n"
        "tail.add(mono=9, kind='run_failed', run='r9', process='broken', detail={'error': 'E'})\n"
        "tail.add(mono=theus._dispatcher.engine.now(), kind='loop_blocked',"
        " detail={'ms': 120, 'where': 'cell 3, line 4'})"
    )
    notebook = open_notebook(lab, LOAD, STUB, "theus.timeline()", fill)
    notebook.run_all()
    notebook.spans(9)
    audit = notebook.timeline.locator(".tn-audit")
    notebook.until(
        "() => document.querySelector('.theus-timeline')?.view.audit.entries.length === 10"
    )
    assert "durable to #9" in audit.inner_text()
    audit.get_by_label("Kind of entry").select_option("run_failed")
    rows = audit.locator(".tn-row")
    assert rows.count() == 1
    rows.first.click()
    assert notebook.canvas.get_attribute("data-selected") == "r9"
    audit.get_by_label("Kind of entry").select_option("")
    notebook.canvas.focus()
    notebook.page.keyboard.press("ArrowUp")
    selected = notebook.canvas.get_attribute("data-selected")
    notebook.until("run => document.querySelector('.tn-marked')?.innerText.includes(run)", selected)


def test_keys_do_everything_and_do_not_reach_the_notebook(
    lab: Server, open_notebook: Callable[..., Notebook]
) -> None:
    notebook = open_notebook(lab, LOAD, "theus.timeline()", WORK)
    notebook.run_all()
    notebook.spans(9)
    press = notebook.page.keyboard.press
    notebook.canvas.focus()
    cells = "() => jupyterapp.shell.currentWidget.content.widgets.length"
    before = notebook.page.evaluate(cells)
    for key in ("ArrowRight", "ArrowLeft", "ArrowDown", "ArrowUp", "w", "d", "a", "s", "o", "0"):
        press(key)
    assert notebook.canvas.get_attribute("data-selected")
    told = notebook.timeline.locator("[aria-live=polite]").inner_text()
    assert "finished" in told
    follow = notebook.timeline.get_by_role("button", name="Follow")
    assert follow.get_attribute("aria-pressed") == "false", "who moves, stops following"
    press("f")
    notebook.until(
        "() => document.querySelector('[data-do=follow]').getAttribute('aria-pressed') === 'true'"
    )
    assert notebook.page.evaluate(cells) == before
    table = notebook.timeline.get_by_role("button", name="Table")
    table.focus()
    press("Enter")
    assert notebook.timeline.locator(".tn-table tbody tr").count() == 9


def test_names_are_text_wherever_they_are_shown(
    lab: Server, open_notebook: Callable[..., Notebook]
) -> None:
    cell = (
        "from theus_nb.process import Process\n"
        "import re, sys\n"
        "sys.modules['theus_nb.process']._NAME = re.compile('.*', re.S)\n"
        "sys.modules['theus_nb.contract'].MAX_NAME = 20_000\n"
        "from theus_nb import Contract\n"
        f"evil = {EVIL!r}\n"
        "async def f(ctx): await asyncio.sleep(0)\n"
        "for name in (evil, 'x' * 10_000, '\\u202eevil \\u05d0\\u05d1'):\n"
        "    await theus.run(Process(f, Contract(), name=name))\n"
        "tail.add(mono=1, kind='note', run='r1', process=evil, detail={'text': evil})"
    )
    notebook = open_notebook(lab, LOAD, STUB, "theus.timeline()", "import asyncio", cell)
    notebook.run_all()
    notebook.spans(3)
    notebook.canvas.focus()
    for key in ("ArrowRight", "ArrowLeft", "ArrowLeft"):
        notebook.page.keyboard.press(key)
    notebook.timeline.get_by_role("button", name="Table").click()
    assert EVIL in notebook.timeline.locator(".tn-table").inner_text()
    html = notebook.page.evaluate(
        """() => jupyterapp.shell.currentWidget.content.widgets.flatMap(
            cell => cell.model.outputs?.toJSON() ?? [])
            .map(output => output.data?.['text/html'] ?? '').join('')"""
    )
    assert "&lt;img" in html
    assert "<img" not in html
    assert notebook.page.evaluate("() => window.__evil") is None


def test_a_reload_brings_everything_back(
    lab: Server, open_notebook: Callable[..., Notebook]
) -> None:
    notebook = open_notebook(lab, LOAD, "theus.timeline()", WORK)
    notebook.run_all()
    notebook.spans(9)
    notebook.page.evaluate("async () => await jupyterapp.shell.currentWidget.context.save()")
    notebook.page.reload(wait_until="domcontentloaded")
    notebook.ready()
    notebook.spans(9)


def test_ten_views_are_fed_by_one_thread(
    lab: Server, open_notebook: Callable[..., Notebook]
) -> None:
    views = "from IPython.display import display\nfor _ in range(10): display(theus.timeline())"
    count = (
        "import threading\n"
        "print('pumps:', sum(t.name == 'theus timeline' for t in threading.enumerate()))"
    )
    notebook = open_notebook(lab, LOAD, views, WORK, count)
    notebook.run_all()
    notebook.until("() => document.body.innerText.includes('pumps: 1')")


def test_a_dark_theme(lab: Server, open_notebook: Callable[..., Notebook]) -> None:
    notebook = open_notebook(lab, LOAD, "theus.timeline()", WORK)
    notebook.run_all()
    notebook.spans(9)
    change = (
        "async name => await jupyterapp.commands.execute('apputils:change-theme', {theme: name})"
    )
    notebook.page.evaluate(change, "JupyterLab Dark")
    notebook.until(
        "() => document.querySelector('.theus-timeline')?.hasAttribute('data-dark')"
        " && !document.getElementById('jupyterlab-splash')"
    )
    notebook.page.screenshot(path="out/shots/dark.png")
    notebook.page.evaluate(change, "JupyterLab Light")
    notebook.until(
        "() => document.querySelector('.theus-timeline')?.hasAttribute('data-dark') === false"
    )


def test_a_kernel_that_is_gone_leaves_the_last_picture(
    lab: Server, open_notebook: Callable[..., Notebook]
) -> None:
    notebook = open_notebook(lab, LOAD, "theus.timeline()", WORK)
    notebook.run_all()
    notebook.spans(9)
    notebook.page.evaluate(
        "async () => await jupyterapp.shell.currentWidget.sessionContext.shutdown()"
    )
    notebook.until("() => document.querySelector('.tn-gone .tn-canvas')")
    assert "No news from the kernel" in notebook.timeline.inner_text()
