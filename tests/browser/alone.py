"""A view on a page of its own: the test says what the kernel would."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any, Final

from tests.browser.notebook import SEEN, pixels_of
from theus_nb.timeline.assets import markup, script, styles
from theus_nb.timeline.model import Row, pack

if TYPE_CHECKING:
    from collections.abc import Sequence

    from playwright.sync_api import Locator, Page

START: Final = """
async ([script, markup, height]) => {
    const {default: timeline} = await import(
        URL.createObjectURL(new Blob([script], {type: 'text/javascript'})));
    const widget = timeline();
    const model = {
        get: name => ({markup, height})[name],
        on: (_, hear) => { window.hear = hear; },
        send: message => { window.sent = [...(window.sent ?? []), message]; },
    };
    widget.initialize({model});
    widget.render({el: document.getElementById('here')});
}
"""

HEAR: Final = """
([frame, data]) => hear(frame, [Uint8Array.from(atob(data), one => one.charCodeAt(0)).buffer])
"""


def ms(
    run: int,
    lane: str,
    times: tuple[float, float],
    status: str = "finished",
    name: str = "work",
) -> Row:
    """A run by the milliseconds of its begin and its end; an end of 0 is none."""
    begins, ends = (int(time * 1e6) for time in times)
    started = 0 if status in {"waiting", "queued"} else begins
    return Row(run, 0, name, lane, status, begins, started, ends)


class Alone:
    """A page with nothing but a timeline.

    Args:
        page: An empty page.
        height: Of the lanes, in pixels.
    """

    def __init__(self, page: Page, height: int = 280) -> None:
        self.page = page
        self.frames = 0
        self.names = 0
        page.set_content(f"<style>{styles()}</style><main id='here'></main>")
        page.evaluate(START, [script(), markup(), height])
        self.canvas: Locator = page.locator(".tn-canvas")

    def tell(self, rows: Sequence[Row], **more: Any) -> None:  # noqa: ANN401
        """Send a frame with rows, and wait until it is painted."""
        packed = pack(rows, more.pop("arrows", ()))
        self.frames += 1
        frame = {
            "op": "frame",
            "frame": self.frames,
            "now": max([row.ended or row.begin for row in rows], default=0),
            "rows": packed.rows,
            "reads": packed.reads,
            "lost": 0,
            "names": list(packed.names),
            "anew": self.frames == 1,
            "first_name": 0,
            "lines": [],
            "audit": None,
            "lag": None,
            "lags": [],
            "blocked": [],
            **more,
        }
        self.page.evaluate(HEAR, [frame, base64.b64encode(packed.data).decode()])
        self.painted()

    def painted(self) -> None:
        """Wait until what was asked for before has been painted."""
        self.page.evaluate(
            "() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))"
        )

    def press(self, *keys: str) -> None:
        """Press keys on the canvas."""
        self.canvas.focus()
        for key in keys:
            self.page.keyboard.press(key)
        self.painted()

    def seen(self) -> tuple[float, float]:
        """Return from when to when is in view, in milliseconds."""
        begin, end = self.page.evaluate(SEEN)
        return begin / 1e6, end / 1e6

    def pixels(self, colour: tuple[int, int, int], part: str = "canvas") -> int:
        """Count the pixels of a colour on the canvas or the minimap."""
        return pixels_of(self.page.locator(f".tn-{part}"), colour)
