"""What a page knows outlives the outputs that show it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.browser.notebook import LOAD
from tests.browser.test_timeline_lab import WORK

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.browser.notebook import Notebook
    from tests.browser.server import Server

pytestmark = pytest.mark.timeout(150)


def test_renewing_the_picture_leaves_the_view_alone(
    lab: Server, open_notebook: Callable[..., Notebook]
) -> None:
    notebook = open_notebook(lab, LOAD, "theus.timeline()", WORK)
    notebook.run_all()
    notebook.spans(9)
    notebook.canvas.focus()
    notebook.page.keyboard.press("ArrowRight")
    selected = notebook.canvas.get_attribute("data-selected")
    assert selected
    notebook.timeline.evaluate("view => { view.parentElement.dataset.stood = 'here'; }")
    # At the end of a cell the picture in the notebook's file is renewed.
    notebook.page.evaluate(
        """async () => {
            jupyterapp.shell.currentWidget.content.activeCellIndex = 2;
            await jupyterapp.commands.execute('notebook:run-cell');
        }"""
    )
    notebook.until(
        """() => jupyterapp.shell.currentWidget.content.widgets[1].model.outputs.toJSON()
            .some(one => one.data['text/plain']?.includes('r18'))"""
    )
    notebook.spans(18)
    assert notebook.timeline.evaluate("view => view.parentElement.dataset.stood") == "here"
    assert notebook.canvas.get_attribute("data-selected") == selected
    assert notebook.page.locator(".theus-timeline").count() == 1


def test_a_cell_that_is_moved_keeps_its_view(
    lab: Server, open_notebook: Callable[..., Notebook]
) -> None:
    notebook = open_notebook(lab, LOAD, "theus.timeline()", WORK)
    notebook.run_all()
    notebook.spans(9)
    notebook.canvas.focus()
    notebook.page.keyboard.press("ArrowRight")
    selected = notebook.canvas.get_attribute("data-selected")
    notebook.page.evaluate(
        """async () => {
            jupyterapp.shell.currentWidget.content.activeCellIndex = 1;
            await jupyterapp.commands.execute('notebook:move-cell-down');
        }"""
    )
    notebook.spans(9)
    assert notebook.canvas.get_attribute("data-selected") == selected
    assert notebook.page.locator(".theus-timeline").count() == 1
