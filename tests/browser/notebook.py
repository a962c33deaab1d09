"""One open notebook, driven through the application's own objects."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

PATIENCE: Final = 45_000
"""Milliseconds after which a page counts as never getting there."""

LOAD: Final = "%load_ext theus_nb"


SEEN: Final = """
() => {
    const {from, to} = document.querySelector('.theus-timeline').view.window;
    return [from, to];
}
"""
"""What part of time a timeline shows."""


def lanes_of(canvas: Locator) -> list[str]:
    """Return the names of the lanes that a timeline shows, from above."""
    boxes = "canvas => canvas.closest('.theus-timeline').view.painter.boxes"
    return [str(name) for name in canvas.evaluate(f"{boxes}.map(box => box.name)")]


def pixels_of(canvas: Locator, colour: tuple[int, int, int]) -> int:
    """Count the pixels of a colour on a canvas itself."""
    count: int = canvas.evaluate(
        """(canvas, [r, g, b]) => {
            const {width, height} = canvas;
            const {data} = canvas.getContext('2d').getImageData(0, 0, width, height);
            let count = 0;
            for (let i = 0; i < data.length; i += 4) {
                if (data[i] === r && data[i + 1] === g && data[i + 2] === b) count++;
            }
            return count;
        }""",
        list(colour),
    )
    return count


class Notebook:
    """A page with a notebook whose kernel is ready.

    Args:
        page: The page.
        address: Of the notebook.
        wait: Whether to wait for the kernel, which does not answer while a cell runs.
    """

    def __init__(self, page: Page, address: str, *, wait: bool = True) -> None:
        self.page = page
        page.set_default_timeout(PATIENCE)
        page.goto(address, wait_until="domcontentloaded")
        if wait:
            self.ready()

    def ready(self) -> None:
        """Wait until the kernel has answered."""
        self.page.wait_for_function("window.jupyterapp?.shell.currentWidget?.sessionContext")
        self.page.evaluate(
            """async () => {
                const widget = jupyterapp.shell.currentWidget;
                await widget.context.ready;
                await widget.sessionContext.ready;
                await widget.sessionContext.session.kernel.info;
            }"""
        )

    def run_all(self, *, wait: bool = True) -> None:
        """Execute every cell; by default until the last has ended."""
        wait_word = "await" if wait else "void"
        command = "jupyterapp.commands.execute('notebook:run-all-cells')"
        self.page.evaluate(f"async () => {{ {wait_word} {command}; }}")

    def until(self, condition: str, argument: object = None) -> Any:  # noqa: ANN401
        """Wait for a JavaScript condition; fail at once with the traceback of a failed cell."""
        found = self.page.wait_for_function(
            """([condition, argument]) => {
                const failed = document.querySelector('[data-mime-type*="stderr"]');
                if (failed && /Error|Traceback/.test(failed.innerText)) {
                    return {failed: failed.innerText};
                }
                try {
                    const value = (0, eval)('(' + condition + ')')(argument);
                    return value ? {value} : false;
                } catch (error) {
                    // An output that is renewed is not on the page for a moment.
                    if (error instanceof TypeError) return false;
                    throw error;
                }
            }""",
            arg=[condition, argument],
        ).json_value()
        assert "failed" not in found, found["failed"]
        return found["value"]

    def spans(self, at_least: int) -> None:
        """Wait until so many runs are painted."""
        self.until(
            """n => { const c = document.querySelector('.tn-canvas');
                const view = document.querySelector('.theus-timeline')?.view;
                return c && Number(c.dataset.spans) >= n && view.painter.frames > 1; }""",
            at_least,
        )

    def seen(self) -> list[float]:
        """Return from when to when is in view, in nanoseconds."""
        seen: list[float] = self.page.evaluate(SEEN)
        return seen

    def path(self) -> list[int]:
        """Return the numbers of the runs on the critical path that is shown."""
        path: list[int] = self.page.evaluate(
            """() => { const {painter, store} = document.querySelector('.theus-timeline').view;
                return [...painter.path].map(id => store.run.data[id]); }"""
        )
        return path

    def painted(self) -> None:
        """Wait until what was asked for before has been painted."""
        self.page.evaluate(
            "() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))"
        )

    @property
    def timeline(self) -> Locator:
        """The first timeline of the page."""
        return self.page.locator(".theus-timeline").first

    @property
    def canvas(self) -> Locator:
        """Its canvas."""
        return self.page.locator(".tn-canvas").first

    def pixels(self, colour: tuple[int, int, int]) -> int:
        """Count the pixels of a colour on the canvas itself."""
        return pixels_of(self.canvas, colour)
