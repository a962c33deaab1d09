"""Pages without a kernel: nbconvert with and without widget state, offline; a log alone."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

import nbformat
import pytest
from nbclient import NotebookClient
from nbconvert import HTMLExporter
from nbformat.v4 import new_code_cell, new_notebook

from tests.audit_logs import GOLDEN
from tests.browser.notebook import LOAD
from tests.browser.test_timeline_lab import EVIL, WORK
from theus_nb import cli

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from nbformat import NotebookNode
    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.timeout(150)

SPANS: Final = "canvas.tn-canvas[data-spans='9']"


@pytest.fixture(scope="module")
def executed() -> NotebookNode:
    """A notebook executed by nbclient, which saves the state of its widgets."""
    cells = (LOAD, "theus.timeline()", WORK)
    notebook: NotebookNode = new_notebook(cells=[new_code_cell(cell) for cell in cells])
    NotebookClient(notebook, timeout=60, kernel_name="python3").execute()
    return notebook


@pytest.fixture
def offline(browser: Browser) -> Iterator[Page]:
    """A page that reaches no network."""
    context = browser.new_context(viewport={"width": 1100, "height": 1200}, offline=True)
    page = context.new_page()
    page.set_default_timeout(30_000)
    yield page
    context.close()


def show(page: Page, html: str, out: Path) -> None:
    """Open HTML as a file."""
    out.write_text(html, encoding="utf-8")
    page.goto(out.as_uri())


def test_saved_widget_state_draws_by_itself(
    executed: NotebookNode, offline: Page, tmp_path: Path
) -> None:
    html, _ = HTMLExporter().from_notebook_node(executed)
    show(offline, html, tmp_path / "with.html")
    offline.locator(SPANS).wait_for()
    timeline = offline.locator(".theus-timeline")
    assert timeline.count() == 1
    assert not offline.locator("svg[role=img]").is_visible(), "one of them is enough"
    assert "8 finished · 1 failed" in timeline.inner_text()
    timeline.get_by_text("No kernel: this is what was saved with the notebook.").wait_for()
    assert "run_failed" in timeline.locator(".tn-audit").inner_text()
    offline.locator(SPANS).focus()
    offline.keyboard.press("ArrowRight")
    assert offline.locator(SPANS).get_attribute("data-selected")
    offline.screenshot(path="out/shots/nbconvert_with_state.png")


def test_without_widget_state_there_is_the_picture(
    executed: NotebookNode, offline: Page, tmp_path: Path
) -> None:
    notebook = nbformat.from_dict(json.loads(json.dumps(executed)))
    del notebook.metadata["widgets"]
    html, _ = HTMLExporter().from_notebook_node(notebook)
    show(offline, html, tmp_path / "without.html")
    assert "Timeline of 9 runs" in str(offline.locator("svg[role=img]").get_attribute("aria-label"))
    assert offline.locator("svg[role=img] path.a").count() == 1, "who read from whom"
    assert offline.locator(".theus-timeline").count() == 0


@pytest.mark.parametrize("name", ["plain", "killed"])
def test_a_log_alone_is_a_page(name: str, offline: Page, tmp_path: Path) -> None:
    out = tmp_path / "log.html"
    assert cli.main(["show", str(GOLDEN / name), "--html", str(out)]) == 0
    offline.goto(out.as_uri())
    assert offline.locator("svg[role=img] rect").count() > 1
    offline.locator("summary").click()
    assert offline.locator("table").first.is_visible()
    offline.screenshot(path=f"out/shots/log_{name}.png", full_page=True)


def test_a_hostile_log_stays_text(offline: Page, tmp_path: Path) -> None:
    log = tmp_path / EVIL.replace("/", "_")
    log.mkdir()
    named = {"ts": EVIL, "mono": 1, "run": "r1", "process": EVIL, "lane": EVIL}
    made = [
        {**named, "kind": "run_started"},
        {**named, "kind": "state_committed", "detail": {"version": 1, "paths": [{"path": EVIL}]}},
        {**named, "kind": "run_failed", "mono": 9, "detail": {"error": EVIL}},
        {**named, "kind": "run_started", "run": "r2", "detail": {"reads": [[EVIL, 1]]}},
        {**named, "kind": "loop_blocked", "detail": {"ms": 5, "where": f"</svg></title>{EVIL}"}},
        {**named, "kind": f"</li><script>window.__evil=1</script>{EVIL}"},
    ]
    lines = [json.dumps({"seq": seq, **entry}) for seq, entry in enumerate(made)]
    (log / "000001.jsonl").write_text("\n".join(lines), encoding="utf-8")
    out = tmp_path / "log.html"
    assert cli.main(["show", str(log), "--html", str(out)]) == 0
    offline.goto(out.as_uri())
    assert offline.locator("svg rect").count() > 1
    assert offline.locator("img, script").count() == 0
    assert offline.evaluate("() => window.__evil") is None
    assert EVIL in offline.locator("h2").inner_text()
