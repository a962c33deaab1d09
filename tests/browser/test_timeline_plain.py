"""Outside of Jupyter: marimo, a page without a kernel, and the rules of accessibility."""

from __future__ import annotations

import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path
from time import monotonic, sleep
from typing import TYPE_CHECKING, Final

import pytest

from tests.browser.accessibility import violations
from tests.browser.notebook import LOAD, lanes_of
from tests.browser.server import PATIENCE, free_port
from tests.browser.test_timeline_lab import WORK
from theus_nb.timeline import picture, static
from theus_nb.timeline.model import Row

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from playwright.sync_api import Browser

    from tests.browser.notebook import Notebook
    from tests.browser.server import Server

pytestmark = pytest.mark.timeout(150)

MARIMO: Final = """
import marimo
app = marimo.App()

@app.cell
def _():
    import asyncio
    from theus_nb import Session, process
    theus = Session()
    return Session, asyncio, process, theus

@app.cell
def _(theus):
    theus.timeline()
    return

@app.cell
async def _(asyncio, process, theus):
    @process
    async def fetch(ctx):
        await asyncio.sleep(0.1)

    @process
    def crunch(ctx):
        return 1

    await theus.run(fetch)
    await theus.run(crunch)
    return

if __name__ == "__main__":
    app.run()
"""


@pytest.fixture
def marimo_url(tmp_path: Path) -> Iterator[str]:
    """A marimo application with a timeline."""
    app = tmp_path / "app.py"
    app.write_text(MARIMO, encoding="utf-8")
    port = free_port()
    command = [sys.executable, "-m", "marimo", "run", str(app), "--headless", "--no-token"]
    with (tmp_path / "log").open("wb") as log:
        server = subprocess.Popen(
            [*command, "--host=127.0.0.1", f"--port={port}"],
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    url = f"http://127.0.0.1:{port}"
    deadline = monotonic() + PATIENCE
    while True:
        try:
            urllib.request.urlopen(url, timeout=2).close()
            break
        except (OSError, urllib.error.URLError):
            assert server.poll() is None, (tmp_path / "log").read_text(encoding="utf-8")
            assert monotonic() < deadline, (tmp_path / "log").read_text(encoding="utf-8")
            sleep(0.1)
    yield url
    server.terminate()
    server.wait(10)


def test_marimo_shows_both_kinds_of_lane(marimo_url: str, browser: Browser) -> None:
    page = browser.new_page(viewport={"width": 1200, "height": 800})
    page.goto(marimo_url)
    canvas = page.locator("canvas.tn-canvas[data-spans='2']")  # through the shadow root
    canvas.wait_for(timeout=60_000)
    page.screenshot(path="out/shots/marimo.png")
    assert lanes_of(canvas) == ["loop", "worker 1"]
    page.close()


def test_axe_finds_nothing(lab: Server, open_notebook: Callable[..., Notebook]) -> None:
    notebook = open_notebook(lab, LOAD, "theus.timeline()", WORK)
    notebook.run_all()
    notebook.spans(9)
    notebook.timeline.get_by_role("button", name="Table").click()
    assert violations(notebook.page) == []


def test_the_picture_is_seen_without_a_kernel(browser: Browser) -> None:
    name = "<img src=x onerror=window.__evil=1>"
    rows = [
        Row(
            i,
            0,
            name if i == 1 else f"step_{i}",
            ("loop", "worker 1", "worker 2")[i % 3],
            tuple(picture.FILL)[2 + i % 5],
            i * 10**8,
            i * 10**8,
            i * 10**8 + 3 * 10**8,
        )
        for i in range(1, 20)
    ]
    page = browser.new_page(viewport={"width": 1000, "height": 400})
    page.set_content(static.page(rows, 3 * 10**9, None))
    assert page.locator("svg rect").count() > len(rows)
    assert page.locator("img").count() == 0
    assert page.evaluate("() => window.__evil") is None
    Path("out/shots").mkdir(parents=True, exist_ok=True)
    page.screenshot(path="out/shots/static.png")
    page.close()
