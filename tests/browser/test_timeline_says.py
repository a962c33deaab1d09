"""What a view says: one thing does not hide another, and nothing pretends."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.browser.alone import Alone, ms

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser

ANSWER = """
message => hear({op: 'answer', to: sent.find(one => one.op === message[0]).id, ...message[1]}, [])
"""


@pytest.fixture
def alone(browser: Browser) -> Iterator[Alone]:
    """A timeline without a kernel."""
    page = browser.new_page(viewport={"width": 1000, "height": 800})
    yield Alone(page)
    page.close()


def test_one_notice_does_not_hide_another_and_success_is_no_alarm(alone: Alone) -> None:
    alone.tell([ms(1, "loop", (0, 50))], lost=3)
    page = alone.page
    page.get_by_text("3 changes came faster").wait_for()
    search = page.get_by_label("Search runs")
    search.fill("work")
    search.press("Enter")
    page.get_by_text("1 of 1 runs found").wait_for()
    page.get_by_role("button", name="Run again").click()
    notice = page.locator("[data-part=notice]")
    page.evaluate(ANSWER, ["again", {"text": "work was started again, as r2."}])
    page.get_by_text("work was started again, as r2.").wait_for()
    assert "tn-warn" not in str(notice.get_attribute("class"))
    assert page.get_by_text("3 changes came faster").is_visible()
    search.fill("nobody")
    search.press("Enter")
    page.get_by_text("No run has this name or number.").wait_for()


def test_what_is_shown_and_which_keys_there_are_is_on_the_page(alone: Alone) -> None:
    alone.tell([ms(1, "loop", (0, 50))])
    text = alone.page.get_by_role("region", name="Help")
    assert not text.is_visible()
    alone.press("?")
    for words in ("failed", "critical path", "the loop was blocked"):
        assert words in text.inner_text()
    alone.page.get_by_role("button", name="Help").click()
    assert not text.is_visible()
    begin, end = alone.seen()
    alone.press("W")  # caps lock
    left, right = alone.seen()
    assert right - left < end - begin


def test_without_news_the_buttons_for_the_kernel_are_gone(alone: Alone) -> None:
    page = alone.page
    page.evaluate(
        """() => { const now = performance.now.bind(performance);
            performance.now = () => now() + (window.later ?? 0); }"""
    )
    alone.tell([ms(1, "loop", (0, 50))])
    verify = page.get_by_role("button", name="Verify log")
    assert verify.is_visible()
    page.evaluate("() => { window.later = 9000; }")
    page.get_by_text("No news from the kernel").wait_for()
    for button in (verify, page.get_by_role("button", name="Cancel all")):
        assert not button.is_visible()
    assert page.get_by_role("button", name="Fit").is_visible()


def test_details_and_table_go_with_the_time(alone: Alone) -> None:
    page = alone.page
    alone.tell([ms(1, "loop", (1, 0), "running"), ms(2, "", (5, 0), "waiting")])
    alone.press("ArrowRight")
    page.get_by_role("button", name="Table").click()
    for place in (".tn-details", "tbody tr:last-child"):
        before = page.locator(place).inner_text()
        page.wait_for_function(
            "([place, before]) => document.querySelector(place).innerText !== before",
            arg=[place, before],
        )
    alone.tell([ms(1, "loop", (1, 7)), ms(3, "loop", (8, 9))])
    page.locator("tbody tr:nth-child(3)").wait_for()


def test_the_audit_stays_where_it_was_when_its_cell_leaves_the_page(alone: Alone) -> None:
    lines = [f'{{"seq":{i},"kind":"note"}}' for i in range(200)]
    alone.tell([ms(1, "loop", (0, 50))], lines=lines)
    scroll = alone.page.locator(".tn-scroll")
    scroll.evaluate("one => { one.scrollTop = 900; }")
    alone.painted()
    view = "document.querySelector('.theus-timeline')"
    alone.page.evaluate(
        f"""() => {{ window.view = {view};
            window.place = view.parentElement;
            view.remove(); }}"""
    )
    alone.painted()
    alone.page.evaluate("() => place.append(view)")
    alone.page.wait_for_function("() => document.querySelector('.tn-scroll').scrollTop === 900")
    alone.painted()
    assert "#41" in scroll.inner_text()
