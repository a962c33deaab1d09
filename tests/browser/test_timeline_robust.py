"""What must not break the view: renewed outputs, reloads, second tabs, restarts, contrast."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pytest

from tests.browser.accessibility import violations
from tests.browser.notebook import LOAD, Notebook
from tests.browser.test_timeline_acts import select
from tests.browser.test_timeline_lab import WORK

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.browser.server import Server

pytestmark = pytest.mark.timeout(150)

MORE: Final = """
@process
async def more(ctx):
    await asyncio.sleep(0.01)

await theus.run(more)
"""

AWAITING: Final = f"""{WORK}
from pathlib import Path
while not Path("go_on").exists():
    await asyncio.sleep(0.05)
await theus.run(crunch)
"""

BLOCKING: Final = f"""{WORK}
import time
from pathlib import Path
while not Path("go_on").exists():
    time.sleep(0.05)
await theus.run(crunch)
"""

SAVE: Final = "async () => await jupyterapp.shell.currentWidget.context.save()"


def test_a_renewed_picture_keeps_the_view(
    lab: Server, open_notebook: Callable[..., Notebook]
) -> None:
    notebook = open_notebook(lab, LOAD, "theus.timeline()", WORK, MORE)
    notebook.run_all()
    notebook.spans(10)
    select(notebook, "crunch")
    notebook.canvas.focus()
    notebook.page.keyboard.press("w")
    notebook.painted()
    seen = notebook.seen()
    notebook.page.evaluate(
        """async () => {
            jupyterapp.shell.currentWidget.content.activeCellIndex = 3;
            await jupyterapp.commands.execute('notebook:run-cell');
        }"""
    )
    notebook.spans(11)
    # The picture in the file is renewed by now: it names the newest run.
    notebook.until(
        """() => jupyterapp.shell.currentWidget.content.widgets[1].model.outputs.toJSON()
            .some(one => one.data['text/plain']?.includes('r11'))"""
    )
    notebook.painted()
    assert notebook.timeline.locator("canvas").count() == 2
    assert notebook.page.locator(".theus-timeline").count() == 1
    assert notebook.canvas.get_attribute("data-selected") == "r8"
    assert notebook.seen() == seen


def test_a_reload_while_a_cell_awaits_and_a_second_tab(
    lab: Server, open_notebook: Callable[..., Notebook]
) -> None:
    notebook = open_notebook(lab, LOAD, "theus.timeline()", AWAITING)
    notebook.run_all(wait=False)
    notebook.spans(9)
    notebook.page.evaluate(SAVE)
    notebook.page.reload(wait_until="domcontentloaded")
    notebook.spans(9)
    other = Notebook(notebook.page.context.new_page(), notebook.page.url, wait=False)
    other.spans(9)
    (lab.notebooks / "go_on").touch()
    for one in (notebook, other):
        one.page.bring_to_front()
        one.spans(10)
        one.until(
            "() => document.querySelector('[data-part=counts]').innerText"
            " === '9 finished · 1 failed'"
        )
    (lab.notebooks / "go_on").unlink()


def test_a_reload_while_a_cell_blocks_is_made_good_when_it_ends(
    lab: Server, open_notebook: Callable[..., Notebook]
) -> None:
    notebook = open_notebook(lab, LOAD, "theus.timeline()", BLOCKING)
    notebook.run_all(wait=False)
    notebook.spans(9)
    notebook.page.evaluate(SAVE)
    notebook.page.reload(wait_until="domcontentloaded")
    # JupyterLab asks the kernel for its widgets, which cannot answer now.
    notebook.until("() => document.body.innerText.includes('Loading widget')")
    assert not notebook.timeline.count()
    (lab.notebooks / "go_on").touch()
    notebook.spans(10)
    (lab.notebooks / "go_on").unlink()


def test_a_restarted_kernel_leaves_the_last_picture_greyed(
    lab: Server, open_notebook: Callable[..., Notebook]
) -> None:
    notebook = open_notebook(lab, LOAD, "theus.timeline()", WORK)
    notebook.run_all()
    notebook.spans(9)
    notebook.page.evaluate(
        "async () => await jupyterapp.shell.currentWidget.sessionContext.session.kernel.restart()"
    )
    notebook.until("() => document.querySelector('.tn-gone .tn-canvas')")
    assert notebook.canvas.get_attribute("data-spans") == "9"
    assert "No news from the kernel" in notebook.timeline.inner_text()
    assert not notebook.timeline.get_by_role("button", name="Verify log").is_visible()


@pytest.mark.parametrize("theme", ["JupyterLab Dark High Contrast", "forced colors"])
def test_high_contrast(lab: Server, open_notebook: Callable[..., Notebook], theme: str) -> None:
    notebook = open_notebook(lab, LOAD, "theus.timeline()", WORK)
    notebook.run_all()
    notebook.spans(9)
    select(notebook, "broken")
    if theme == "forced colors":
        notebook.page.emulate_media(forced_colors="active", contrast="more", color_scheme="dark")
    else:
        notebook.page.evaluate(
            "async name => await jupyterapp.commands.execute('apputils:change-theme',"
            " {theme: name})",
            theme,
        )
    notebook.until(
        "() => document.querySelector('.theus-timeline')?.hasAttribute('data-dark')"
        " && !document.getElementById('jupyterlab-splash')"
    )
    notebook.painted()
    ground = notebook.timeline.evaluate(
        "root => getComputedStyle(root).backgroundColor.match(/\\d+/g).map(Number).slice(0, 3)"
    )
    assert max(ground) < 40
    assert notebook.pixels(tuple(ground)) > 10_000, "the canvas has the page's ground"
    assert violations(notebook.page) == []
    notebook.page.screenshot(path=f"out/shots/{theme.replace(' ', '_').lower()}.png")
    notebook.page.evaluate(
        "async () => await jupyterapp.commands.execute('apputils:change-theme',"
        " {theme: 'JupyterLab Light'})"
    )
