"""The whole of a session in view: failures, the axis, what is fitted and followed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.browser.alone import Alone, ms

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser

ORANGE = (0xC2, 0x41, 0x0C)


@pytest.fixture
def alone(browser: Browser) -> Iterator[Alone]:
    """A timeline without a kernel."""
    page = browser.new_page(viewport={"width": 1000, "height": 800})
    yield Alone(page)
    page.close()


def test_one_failure_among_thousands_is_seen_in_lane_and_minimap(alone: Alone) -> None:
    rows = [ms(i, "worker 1", (i, i + 1)) for i in range(2, 5000)]
    rows[2500].status = "failed"
    alone.tell([ms(1, "loop", (0, 50)), *rows])
    assert alone.pixels(ORANGE) >= 20
    assert alone.pixels(ORANGE, "map") >= 5


def test_what_is_over_is_fitted_to_its_end_not_to_now(alone: Alone) -> None:
    alone.tell([ms(1, "loop", (10, 50))], now=60_000_000_000)
    alone.page.get_by_role("button", name="Fit").click()
    alone.painted()
    assert alone.seen()[1] < 60
    # And the minimap knows the same end: its middle is the middle.
    alone.press("w", "w", "w", "w", "w", "w")
    alone.page.locator(".tn-map").click()
    alone.painted()
    begin, end = alone.seen()
    assert 28 < (begin + end) / 2 < 32


def test_following_keeps_the_span_that_was_chosen_and_slides(alone: Alone) -> None:
    alone.tell([ms(1, "loop", (0, 1000))])
    begin, end = alone.seen()
    assert begin < 0
    assert end > 1000, "at first everything"
    alone.press("w", "w", "w", "w")
    begin, end = alone.seen()
    alone.press("f")
    alone.tell([ms(2, "loop", (1500, 3000))])
    left, right = alone.seen()
    assert right - left == pytest.approx(end - begin, rel=0.01)
    assert 3000 < right < 3000 + (end - begin) / 10
    alone.press("0", "f")
    alone.tell([ms(3, "loop", (3500, 9000))])
    begin, end = alone.seen()
    assert begin < 0
    assert end > 9000, "fitted is everything again"


def test_the_wheel_scrolls_lanes_that_have_no_room_to_their_end(alone: Alone) -> None:
    alone.tell([ms(i, f"worker {i}", (i, i + 30)) for i in range(1, 61)])
    place = alone.canvas.bounding_box()
    assert place is not None
    alone.page.mouse.move(place["x"] + 300, place["y"] + 200)
    for _ in range(12):
        alone.page.mouse.wheel(0, 100)
        alone.painted()
    begin, end = alone.seen()
    assert begin < 1
    assert end > 90, "time stays where it is"
    last = alone.page.mouse
    last.click(place["x"] + place["width"] - 60, place["y"] + 270)
    alone.painted()
    assert alone.canvas.get_attribute("data-selected") == "r60"
    alone.page.screenshot(path="out/shots/many_workers.png")


def test_a_failure_at_the_very_end_is_in_the_minimap(alone: Alone) -> None:
    alone.tell([ms(1, "loop", (10, 50)), ms(2, "loop", (50, 900), "failed")])
    assert alone.pixels(ORANGE, "map") >= 5


def test_keys_select_a_range_from_the_selected_run_on(alone: Alone) -> None:
    alone.tell([ms(i, "worker 1", (i * 100, i * 100 + 50)) for i in range(10)])
    counts = alone.page.locator("[data-part=counts]")
    told = alone.page.locator("[aria-live=polite]")
    alone.press("ArrowLeft", "ArrowLeft", "ArrowLeft", "Shift+ArrowRight", "Shift+ArrowRight")
    selected = str(alone.canvas.get_attribute("data-selected"))
    begin, _ = alone.seen()
    first = counts.inner_text()
    assert "1 runs" in first
    assert told.inner_text() == first
    alone.press(*["Shift+ArrowRight"] * 12)
    assert "1 runs" not in counts.inner_text()
    assert alone.canvas.get_attribute("data-selected") == selected
    assert alone.seen()[0] == begin, "selecting is not moving"
    alone.press(*["Shift+ArrowLeft"] * 12)
    assert counts.inner_text() == first
    alone.press("Escape")
    assert "selected" not in counts.inner_text()
    assert not alone.canvas.get_attribute("data-selected")
    alone.press("Shift+ArrowLeft")
    assert "selected" in counts.inner_text(), "without a run from the middle of what is seen"


WORDS = """
() => {
    const {painter} = document.querySelector('.theus-timeline').view;
    const write = painter.write;
    window.words = new Set();
    painter.write = (words, ...rest) => {
        window.words.add(words);
        write.call(painter, words, ...rest);
    };
}
"""
"""Collects what is written on the canvas."""


def test_an_opened_lane_says_what_has_no_room_and_points_at_none_of_it(alone: Alone) -> None:
    rows = [ms(i, "loop", (i / 1000, 100 + i)) for i in range(1, 61)]
    reads = [(60, 1, "x"), (2, 1, "x")]
    alone.tell([*rows, ms(61, "worker 1", (200, 300))], arrows=[*reads, (61, 60, "x")])
    alone.page.evaluate(WORDS)
    alone.press("ArrowLeft")
    words = alone.page.evaluate("() => [...window.words]")
    assert "60 runs" in words, "closed, all are in its shades"
    alone.press("o")
    words = alone.page.evaluate("() => [...window.words]")
    assert "+12 not drawn" in words
    assert "▾ Event loop" in words
    alone.page.screenshot(path="out/shots/opened.png")
    places = alone.page.evaluate(
        """() => {
            const {painter, store} = document.querySelector('.theus-timeline').view;
            return [1, 48, 49, 60].map(run => painter.point(store.byRun.get(run), 0) !== null);
        }"""
    )
    assert places == [True, True, False, False]


def test_an_arrow_to_what_is_scrolled_under_the_loop_ends_below_the_loop(alone: Alone) -> None:
    rows = [ms(i, f"worker {i}", (10, 50)) for i in range(2, 61)]
    alone.tell([ms(1, "loop", (1, 9)), *rows], arrows=[(2, 1, "x")])
    alone.page.get_by_label("Search runs").fill("r60")
    alone.page.keyboard.press("Enter")
    alone.painted()
    below, y = alone.page.evaluate(
        """() => {
            const {painter, store} = document.querySelector('.theus-timeline').view;
            const {top, height} = painter.boxes[0];
            return [top + height, painter.point(store.byRun.get(2), 0).y];
        }"""
    )
    assert below < y < below + 10


@pytest.mark.parametrize("height", [120, 280])
def test_an_opened_lane_has_room_for_all_its_lines(browser: Browser, height: int) -> None:
    page = browser.new_page(viewport={"width": 1000, "height": 800})
    low = Alone(page, height=height)
    low.tell([ms(i, "loop", (i, 100 + i)) for i in range(1, 49)])
    low.press("o")
    bottom, last = page.evaluate(
        """() => {
            const {painter, store} = document.querySelector('.theus-timeline').view;
            const {top, height} = painter.boxes[0];
            return [top + height, painter.point(store.byRun.get(48), 0).y];
        }"""
    )
    assert last < bottom
    page.close()


def test_a_run_that_is_looked_for_is_scrolled_into_sight(alone: Alone) -> None:
    alone.tell([ms(i, f"worker {i}", (10, 50), name=f"work_{i}") for i in range(1, 61)])
    height = """
    run => {
        const {painter, store} = document.querySelector('.theus-timeline').view;
        const {boxes, height} = painter, {y} = painter.point(store.byRun.get(run), 0);
        return boxes[0].top + boxes[0].height < y && y < height;
    }
    """
    search = alone.page.get_by_label("Search runs")
    for run in (60, 7, 30):
        search.fill(f"work_{run}")
        search.press("Enter")
        alone.painted()
        assert alone.page.evaluate(height, run)
    alone.press("ArrowDown")
    assert alone.canvas.get_attribute("data-selected") == "r31"
    for run in range(32, 61):
        alone.press("ArrowDown")
        assert alone.page.evaluate(height, run)


def test_the_lanes_are_made_higher_by_their_corner(alone: Alone) -> None:
    alone.tell([ms(i, f"worker {i}", (0, 50)) for i in range(1, 40)])
    height = "() => document.querySelector('.theus-timeline').view.painter.height"
    before = alone.page.evaluate(height)
    box = alone.page.locator(".tn-lanes").bounding_box()
    assert box is not None
    assert before == box["height"] == 280
    mouse = alone.page.mouse
    mouse.move(box["x"] + box["width"] - 5, box["y"] + box["height"] - 5)
    mouse.down()
    mouse.move(box["x"] + box["width"] - 5, box["y"] + box["height"] + 95)
    mouse.up()
    alone.painted()
    assert alone.page.evaluate(height) == 380
    assert not alone.canvas.get_attribute("data-selected"), "the corner is no place in time"
    alone.page.screenshot(path="out/shots/higher.png")


def test_keys_make_lanes_and_entries_higher(alone: Alone) -> None:
    alone.tell([ms(i, f"worker {i}", (0, 50)) for i in range(1, 40)])
    entries = alone.page.locator(".tn-scroll")

    def heights() -> list[int]:
        parts = [alone.page.locator(".tn-lanes"), entries]
        return [int(part.evaluate("part => part.offsetHeight")) for part in parts]

    before = heights()
    alone.press("Shift+ArrowDown", "Shift+ArrowDown")
    assert heights() == [before[0] + 80, before[1]]
    entries.focus()
    alone.page.keyboard.press("Shift+ArrowDown")
    assert heights() == [before[0] + 80, before[1] + 40]
    for _ in range(20):
        alone.page.keyboard.press("Shift+ArrowUp")
    assert 60 < heights()[1] < before[1], "there is a least height"


@pytest.mark.parametrize(
    ("page", "lane", "wanted"),
    [("#ffffff", "#eeeeee", (251, 251, 251)), ("#212121", "#424242", (41, 41, 41))],
)
def test_the_ground_of_the_loops_lane_is_near_to_the_page(
    alone: Alone, page: str, lane: str, wanted: tuple[int, int, int]
) -> None:
    """In JupyterLab's dark theme the bars would hardly stand out from its second ground."""
    alone.page.add_style_tag(
        content=f":root {{ --jp-layout-color1: {page}; --jp-layout-color2: {lane} }}"
    )
    alone.page.set_viewport_size({"width": 990, "height": 700})
    alone.tell([ms(1, "loop", (0, 1)), ms(2, "worker 1", (0, 100))])
    assert alone.pixels(wanted) > 5_000
