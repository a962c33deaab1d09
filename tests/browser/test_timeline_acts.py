"""What users do from the timeline: export, verify, run again, go to a cell, copy an error."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import pytest

from tests.browser.notebook import LOAD
from tests.browser.test_timeline_lab import EVIL, WORK

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.browser.notebook import Notebook
    from tests.browser.server import Server

pytestmark = pytest.mark.timeout(150)

LOG_PATH = "print('log:', theus.audit.directory)"


def export(notebook: Notebook, kind: str) -> str:
    """Choose a kind of file in the timeline, and return the file."""
    with notebook.page.expect_download() as download:
        notebook.timeline.get_by_label("Export").select_option(kind)
    assert download.value.suggested_filename == f"timeline.{kind}"
    return Path(download.value.path()).read_text(encoding="utf-8")


def select(notebook: Notebook, words: str) -> None:
    """Select the newest run that has these words in its name, by the search field."""
    search = notebook.timeline.get_by_label("Search runs")
    search.fill(words)
    search.press("Enter")
    notebook.timeline.locator(".tn-details button").first.wait_for()


def notice(notebook: Notebook, words: str) -> None:
    """Wait until the timeline says something."""
    notebook.until(
        "w => document.querySelector('.tn-notice').textContent.includes(w)",
        words,
    )


def test_every_kind_of_file_is_exported(
    lab: Server, open_notebook: Callable[..., Notebook]
) -> None:
    notebook = open_notebook(lab, LOAD, "theus.timeline()", WORK)
    notebook.run_all()
    notebook.spans(9)
    picture = ET.fromstring(export(notebook, "svg"))  # noqa: S314 - our own
    assert "9 runs" in str(picture.get("aria-label"))
    assert "wrote domain.raw" in ET.tostring(picture, encoding="unicode")
    trace = json.loads(export(notebook, "json"))["traceEvents"]
    assert [one["name"] for one in trace].count("ping") == 6
    html = export(notebook, "html")
    assert "8 finished" in html
    assert "http" not in html.replace("http://www.w3.org/2000/svg", "").replace("http-equiv", "")
    page = notebook.page.context.new_page()
    page.set_content(html)
    assert page.locator("svg rect").count() > 9
    page.close()
    with notebook.page.expect_download() as download:
        notebook.timeline.get_by_label("Export").select_option("png")
    assert Path(download.value.path()).read_bytes().startswith(b"\x89PNG")


def test_the_log_is_verified_from_the_view(
    lab: Server, open_notebook: Callable[..., Notebook]
) -> None:
    notebook = open_notebook(lab, LOAD, "theus.timeline()", WORK, LOG_PATH)
    notebook.run_all()
    notebook.spans(9)
    verify = notebook.timeline.get_by_role("button", name="Verify log")
    chip = notebook.timeline.locator("[data-part=verdict]")
    verify.click()
    notebook.until(
        "() => /✓ verified to #\\d+/.test(document.querySelector('[data-part=verdict]').innerText)"
    )
    assert "tn-warn" not in str(chip.get_attribute("class"))
    said = notebook.page.get_by_text("log: /").inner_text()
    segment = Path(said.partition("log: ")[2].strip()) / "000001.jsonl"
    written = segment.read_bytes()
    bad = "() => document.querySelector('[data-part=verdict].tn-warn')?.innerText"
    for name, words in ((b"ping", "edited at seq"), (b"broken", "no longer fit")):
        changed = name[:-1] + b"_"
        segment.write_bytes(written.replace(b'"process":"' + name, b'"process":"' + changed))
        verify.click()
        notice(notebook, words)
        notebook.until(f"{bad} === '✕ NOT CONSISTENT'")


def test_a_process_is_run_again(lab: Server, open_notebook: Callable[..., Notebook]) -> None:
    notebook = open_notebook(lab, LOAD, "theus.timeline()", WORK)
    notebook.run_all()
    notebook.spans(9)
    again = notebook.timeline.get_by_role("button", name="Run again")
    select(notebook, "crunch")
    again.click()
    notice(notebook, "crunch was started again, as r")
    notebook.spans(10)
    select(notebook, "broken")
    again.click()
    notice(notebook, "broken was started again, as r")
    notebook.spans(11)
    notebook.until(
        "() => document.querySelector('[data-part=counts]').innerText === '9 finished · 2 failed'"
    )
    select(notebook, "ping")
    again.click()
    notice(notebook, "ping takes arguments (i)")


def test_a_process_that_is_gone_is_not_run_again(
    lab: Server, open_notebook: Callable[..., Notebook]
) -> None:
    forget = "from theus_nb.registry import default\ndefault.remove('crunch')"
    notebook = open_notebook(lab, LOAD, "theus.timeline()", WORK, forget)
    notebook.run_all()
    notebook.spans(9)
    select(notebook, "crunch")
    notebook.timeline.get_by_role("button", name="Run again").click()
    notice(notebook, "Not started: no process is called 'crunch'")


def test_the_cell_is_found_or_said_to_be_missing(
    lab: Server, open_notebook: Callable[..., Notebook]
) -> None:
    space = "\n".join(f"print({i})" for i in range(60))
    notebook = open_notebook(lab, LOAD, "theus.timeline()", space, WORK)
    notebook.run_all()
    notebook.spans(9)
    notebook.timeline.scroll_into_view_if_needed()
    select(notebook, "crunch")
    notebook.page.evaluate(
        """() => { const scroll = Element.prototype.scrollIntoView;
            Element.prototype.scrollIntoView = function (...how) {
                window.__shown = (window.__shown ?? '') + this.textContent;
                scroll.apply(this, how); }; }"""
    )
    go = notebook.timeline.get_by_role("button", name="Go to cell [4]")
    go.click()
    notebook.until("() => window.__shown?.includes('async def fetch')")
    notebook.page.evaluate(
        """() => { const cells = jupyterapp.shell.currentWidget.content.widgets;
            cells[3].model.executionCount = 77; }"""
    )
    go.click()
    assert notebook.timeline.get_by_role("button", name="Cell [4] is not on this page").count()


@pytest.mark.parametrize("clipboard", [True, False], ids=["clipboard", "no clipboard"])
def test_an_error_is_copied(
    lab: Server, open_notebook: Callable[..., Notebook], *, clipboard: bool
) -> None:
    notebook = open_notebook(lab, LOAD, "theus.timeline()", WORK)
    if clipboard:
        notebook.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    else:
        notebook.page.evaluate(
            """() => { Object.defineProperty(navigator, 'clipboard', {value: undefined});
                document.execCommand = () => false; }"""
        )
    notebook.run_all()
    notebook.spans(9)
    select(notebook, "broken")
    error = notebook.timeline.locator(".tn-details details").first
    assert "Cell [3], line 21, in broken" in error.inner_text()
    assert 'raise ValueError("no")' in error.inner_text()
    error.get_by_role("button", name="Copy error").click()
    if clipboard:
        error.get_by_role("button", name="Copied").wait_for()
        copied = notebook.page.evaluate("async () => await navigator.clipboard.readText()")
    else:
        error.get_by_role("button", name="Selected: press Ctrl+C").wait_for()
        copied = notebook.page.evaluate("() => getSelection().toString()")
    assert copied.splitlines()[0] == "broken (r9) failed"
    assert copied.splitlines()[-1] == "ValueError"


def test_what_is_exported_holds_no_markup_of_users(
    lab: Server, open_notebook: Callable[..., Notebook]
) -> None:
    cell = (
        "import re, sys, asyncio\n"
        "from theus_nb.process import Process\n"
        "sys.modules['theus_nb.process']._NAME = re.compile('.*', re.S)\n"
        "from theus_nb import Contract\n"
        f"evil = {EVIL!r}\n"
        "async def f(ctx): await asyncio.sleep(0)\n"
        "await theus.run(Process(f, Contract(), name=evil))\n"
        "theus.audit.note(evil)"
    )
    notebook = open_notebook(lab, LOAD, "theus.timeline()", cell)
    notebook.run_all()
    notebook.spans(1)
    for kind in ("svg", "html"):
        content = export(notebook, kind)
        assert "&lt;img" in content
        assert "<img" not in content
    select(notebook, "onerror")
    assert EVIL in notebook.timeline.locator(".tn-details h3").inner_text()
    assert notebook.page.evaluate("() => window.__evil") is None
