"""A notebook that is opened again, when its kernel is gone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.browser.notebook import LOAD, Notebook
from tests.browser.test_timeline_lab import WORK

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.sync_api import Browser

    from tests.browser.server import Server

pytestmark = pytest.mark.timeout(150)

PICTURE = "svg[role=img][aria-label^='Timeline of 9 runs in ']"


@pytest.mark.parametrize("app", ["lab", "notebook7"])
def test_a_notebook_opened_without_its_kernel_shows_the_last_picture(
    app: str,
    request: pytest.FixtureRequest,
    open_notebook: Callable[..., Notebook],
    browser: Browser,
) -> None:
    server: Server = request.getfixturevalue(app)
    notebook = open_notebook(server, LOAD, "theus.timeline()", WORK)
    notebook.run_all()
    notebook.spans(9)
    picture = notebook.page.locator(PICTURE)
    picture.wait_for(state="attached")
    assert not picture.is_visible(), "the live view stands there"
    notebook.page.evaluate(
        """async () => {
            await jupyterapp.shell.currentWidget.context.save();
            await jupyterapp.shell.currentWidget.sessionContext.shutdown();
        }"""
    )
    address = notebook.page.url
    notebook.page.goto("about:blank")
    page = browser.new_page(viewport={"width": 1280, "height": 1100})
    Notebook(page, address)
    page.locator(PICTURE).wait_for()
    # What JupyterLab says of a widget without a kernel gives way to what it means.
    said = page.get_by_text("Error displaying widget")
    said.wait_for(state="attached")
    assert said.evaluate("one => getComputedStyle(one).fontSize") == "0px"
    words = said.evaluate("one => getComputedStyle(one, '::after').content")
    assert "this is what was saved" in words
    page.screenshot(path=f"out/shots/reopened_{app}.png")
    page.close()
