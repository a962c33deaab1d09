"""The same timeline in Notebook 7."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.browser.notebook import LOAD, lanes_of
from tests.browser.test_timeline_lab import WORK

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.browser.notebook import Notebook
    from tests.browser.server import Server

pytestmark = pytest.mark.timeout(150)


def test_notebook_7_shows_both_kinds_of_lane(
    notebook7: Server, open_notebook: Callable[..., Notebook]
) -> None:
    notebook = open_notebook(notebook7, LOAD, "%theus timeline", WORK)
    notebook.run_all()
    notebook.spans(9)
    assert "worker 1" in lanes_of(notebook.canvas)
