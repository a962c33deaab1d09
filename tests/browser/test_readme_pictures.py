"""The pictures of the README, made from the quickstart.

They are left in out/shots; ``--write-pictures`` puts them into docs/images as well.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Final

import nbformat
import pytest

from tests.browser.notebook import Notebook
from tests.browser.test_timeline_acts import select

if TYPE_CHECKING:
    from playwright.sync_api import Browser

    from tests.browser.server import Server

ROOT: Final = Path(__file__).resolve().parents[2]
IMAGES: Final = ROOT / "docs" / "images"
SHOTS: Final = ROOT / "out" / "shots"
MOST: Final = 150_000
"""Bytes that a picture may have."""


@pytest.mark.timeout(300)
def test_the_quickstart_makes_the_pictures(
    lab: Server, browser: Browser, request: pytest.FixtureRequest
) -> None:
    quickstart = nbformat.read(ROOT / "notebooks" / "01_quickstart.ipynb", as_version=4)
    context = browser.new_context(viewport={"width": 1180, "height": 900})
    name = "01_quickstart.ipynb"
    lab.write(name)
    nbformat.write(quickstart, lab.notebooks / name)
    notebook = Notebook(context.new_page(), f"{lab.url}/lab/tree/{name}?reset")
    notebook.page.evaluate(
        "async () => await jupyterapp.commands.execute('application:toggle-left-area')"
    )
    notebook.run_all()
    # Not `until`: one cell of the quickstart fails, and is meant to.
    notebook.page.wait_for_function(
        "() => Number(document.querySelector('.tn-canvas')?.dataset.spans) >= 12"
    )
    notebook.page.wait_for_function(
        "() => /^\\d+ finished$/.test(document.querySelector('[data-part=counts]')?.textContent)"
    )
    select(notebook, "by_month")
    notebook.timeline.get_by_role("button", name="Critical path").click()
    notebook.timeline.get_by_role("button", name="Verify log").click()
    notebook.timeline.get_by_text("✓ verified").wait_for()
    SHOTS.mkdir(parents=True, exist_ok=True)
    for theme in ("Light", "Dark"):
        notebook.page.evaluate(
            "async name => await jupyterapp.commands.execute("
            "'apputils:change-theme', {theme: name})",
            f"JupyterLab {theme}",
        )
        dark = "true" if theme == "Dark" else "false"
        notebook.page.wait_for_function(
            "() => !document.getElementById('jupyterlab-splash') &&"
            f" document.querySelector('.theus-timeline')?.hasAttribute('data-dark') === {dark}"
        )
        notebook.painted()
        picture = SHOTS / f"timeline-{theme.lower()}.png"
        notebook.timeline.screenshot(path=picture)
        assert 5_000 < picture.stat().st_size < MOST
        if request.config.getoption("--write-pictures"):
            IMAGES.mkdir(parents=True, exist_ok=True)
            shutil.copy(picture, IMAGES / picture.name)
    notebook.page.evaluate(
        "async () => await jupyterapp.commands.execute('apputils:change-theme',"
        " {theme: 'JupyterLab Light'})"
    )
    context.close()
