"""What axe-core finds wrong with a timeline."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from tests.browser.conftest import absent

if TYPE_CHECKING:
    from playwright.sync_api import Page

AXE: Final = Path(__file__).resolve().parents[2] / "node_modules" / "axe-core" / "axe.min.js"

RUN: Final = """
async () => (await axe.run('.theus-timeline')).violations.map(
    one => one.id + ': ' + one.nodes.map(node => node.html).join(' | ').slice(0, 300))
"""


def violations(page: Page) -> Any:  # noqa: ANN401 - whatever the page returns
    """Return a line for each rule that a timeline on the page breaks."""
    if not AXE.exists():
        absent("no axe-core here: npm ci, to check that the timeline is accessible")
    page.add_script_tag(path=AXE)
    return page.evaluate(RUN)
