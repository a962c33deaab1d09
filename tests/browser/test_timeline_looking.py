"""Looking closer: the critical path, the loop's lag, ranges, the minimap, the whole screen."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pytest

from tests.browser.notebook import LOAD, SEEN
from tests.browser.test_timeline_acts import select
from tests.browser.test_timeline_lab import WORK

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.browser.notebook import Notebook
    from tests.browser.server import Server

pytestmark = pytest.mark.timeout(150)


def drag(notebook: Notebook, part: str, start: tuple[int, int], end: tuple[int, int]) -> None:
    """Drag the pointer over the canvas or the minimap."""
    place = notebook.timeline.locator(f".tn-{part}")
    place.scroll_into_view_if_needed()
    box = place.bounding_box()
    assert box is not None
    mouse = notebook.page.mouse
    mouse.move(box["x"] + start[0], box["y"] + start[1])
    mouse.down()
    mouse.move(box["x"] + end[0], box["y"] + end[1], steps=4)
    mouse.up()


def counts(notebook: Notebook) -> str:
    return notebook.timeline.locator("[data-part=counts]").inner_text()


def test_the_critical_path_of_a_run(lab: Server, open_notebook: Callable[..., Notebook]) -> None:
    notebook = open_notebook(lab, LOAD, "theus.timeline()", WORK)
    notebook.run_all()
    notebook.spans(9)
    select(notebook, "crunch")
    words = notebook.timeline.locator(".tn-details").inner_text()
    assert "fetch (r7) → crunch (r8)" in words
    assert notebook.path() == []
    bright = notebook.pixels((0xC2, 0x41, 0x0C))
    notebook.timeline.get_by_role("button", name="Critical path").click()
    assert notebook.path() == [8, 7]
    notebook.painted()
    assert notebook.pixels((0xC2, 0x41, 0x0C)) < bright / 2, "what is not on the path fades"
    notebook.canvas.focus()
    notebook.page.keyboard.press("p")
    assert notebook.path() == []


BLOCKED: Final = (
    "() => document.querySelector('.theus-timeline')?.view.painter.blocked.length === 1"
)

LATE: Final = """
import asyncio, time
from theus_nb import process

@process
async def nap(ctx):
    await asyncio.sleep(0.6)

run = theus.start(nap)
await asyncio.sleep(0.2)
time.sleep(0.06)
await asyncio.sleep(0.1)
time.sleep(0.4)
await run
"""


def test_where_the_loop_was_late_is_a_strip(
    lab: Server, open_notebook: Callable[..., Notebook]
) -> None:
    notebook = open_notebook(lab, LOAD, "theus.timeline()", LATE)
    notebook.run_all()
    notebook.spans(1)
    notebook.until(BLOCKED)
    red, amber = (0xC8, 0x1E, 0x1E), (0x8A, 0x6D, 0x00)
    assert notebook.pixels(red) > 50
    assert notebook.pixels(amber) + notebook.pixels(red) > 60
    notebook.page.evaluate("async () => await jupyterapp.shell.currentWidget.context.save()")
    notebook.page.reload(wait_until="domcontentloaded")
    notebook.ready()
    notebook.spans(1)
    notebook.until(BLOCKED)


def test_a_range_has_totals_and_shows_worker_use(
    lab: Server, open_notebook: Callable[..., Notebook]
) -> None:
    notebook = open_notebook(lab, LOAD, "theus.timeline()", WORK)
    notebook.run_all()
    notebook.spans(9)
    width = int(notebook.canvas.evaluate("c => c.clientWidth"))
    notebook.page.keyboard.down("Shift")
    drag(notebook, "canvas", (126, 200), (width - 2, 200))
    notebook.page.keyboard.up("Shift")
    notebook.until(
        "() => document.querySelector('[data-part=counts]').innerText.includes('selected')"
    )
    words = counts(notebook)
    assert "9 runs" in words
    assert "workers" in words
    follow = notebook.timeline.get_by_role("button", name="Follow")
    assert follow.get_attribute("aria-pressed") == "true", "selecting is not moving"


def test_the_minimap_moves_what_is_seen(
    lab: Server, open_notebook: Callable[..., Notebook]
) -> None:
    notebook = open_notebook(lab, LOAD, "theus.timeline()", WORK)
    notebook.run_all()
    notebook.spans(9)
    notebook.canvas.focus()
    for _ in range(6):
        notebook.page.keyboard.press("w")
    middle = notebook.seen()
    width = int(notebook.canvas.evaluate("c => c.clientWidth"))
    drag(notebook, "map", (width // 2, 10), (20, 10))
    notebook.until(f"before => ({SEEN})()[0] < before", middle[0])
    left = notebook.seen()
    drag(notebook, "map", (20, 10), (width - 20, 10))
    notebook.until(f"before => ({SEEN})()[0] > before", left[1])
    follow = notebook.timeline.get_by_role("button", name="Follow")
    assert follow.get_attribute("aria-pressed") == "false"


def test_it_fills_the_screen_until_the_user_leaves_it(
    lab: Server, open_notebook: Callable[..., Notebook]
) -> None:
    notebook = open_notebook(lab, LOAD, "theus.timeline()", WORK, "await theus.run(fetch)")
    notebook.run_all()
    notebook.spans(10)
    drawn = """words => jupyterapp.shell.currentWidget.content.widgets[1].model.outputs.toJSON()
        .some(one => one.data['text/plain']?.includes(words))"""
    notebook.until(drawn, "r10")
    notebook.timeline.get_by_role("button", name="Full screen").click()
    notebook.until(
        "() => document.fullscreenElement?.classList.contains('theus-timeline')"
        " && document.querySelector('.tn-canvas').clientHeight > 500"
    )
    notebook.page.screenshot(path="out/shots/full_screen.png")
    # At the end of a cell the picture in the notebook's file is renewed, which the view outlives.
    notebook.page.evaluate(
        """async () => {
            jupyterapp.shell.currentWidget.content.activeCellIndex = 3;
            await jupyterapp.commands.execute('notebook:run-cell');
        }"""
    )
    notebook.spans(11)
    notebook.until(drawn, "r11")
    assert notebook.page.evaluate("() => Boolean(document.fullscreenElement)")
    notebook.timeline.get_by_role("button", name="Full screen").click()
    notebook.until(
        "() => !document.fullscreenElement"
        " && document.querySelector('.tn-canvas').clientHeight === 280"
    )
