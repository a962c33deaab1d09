"""Audit entries are reached by keys, one by one, and lead to their runs."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.browser.accessibility import violations
from tests.browser.alone import Alone, ms

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser

RUNS = 60


@pytest.fixture
def alone(browser: Browser) -> Iterator[Alone]:
    """A timeline with runs that have two entries each, between two that belong to none."""
    page = browser.new_page(viewport={"width": 1000, "height": 900})
    alone = Alone(page)
    words = [("session_started", "")]
    for run in range(1, RUNS + 1):
        words += [("run_started", f"r{run}"), ("run_finished", f"r{run}")]
    words.append(("note", ""))
    entries = [
        {"seq": seq, "ts": "2026-01-01T00:00:00.000000000Z", "mono": seq, "kind": kind}
        | ({"run": run, "process": "work"} if run else {})
        for seq, (kind, run) in enumerate(words)
    ]
    rows = [ms(run, "loop", (10 * run, 10 * run + 8)) for run in range(1, RUNS + 1)]
    alone.tell(rows, lines=[json.dumps(entry) for entry in entries])
    yield alone
    page.close()


def current(alone: Alone) -> str:
    """The row where the keys are, as assistive technology finds it; it must be in sight."""
    alone.painted()
    return str(
        alone.page.evaluate(
            """() => {
                const grid = document.querySelector('[role=grid]');
                const row = document.getElementById(grid.getAttribute('aria-activedescendant'));
                const [head, seen, its] = [grid.querySelector('.tn-head'), grid, row]
                    .map(one => one.getBoundingClientRect());
                const inSight = its.top >= head.bottom - 1 && its.bottom <= seen.bottom + 1;
                return `${row.firstChild.innerText.slice(1)} ${row.ariaSelected} ${inSight}`;
            }"""
        )
    )


def test_arrows_go_from_entry_to_entry_and_to_their_runs(alone: Alone) -> None:
    alone.page.locator(".tn-scroll").focus()
    press = alone.page.keyboard.press
    last = 2 * RUNS + 1
    press("ArrowUp")
    assert current(alone) == f"{last} true true", "the newest first"
    assert not alone.canvas.get_attribute("data-selected"), "a note has no run"
    press("ArrowDown")
    assert current(alone) == f"{last} true true", "the table has an end"
    for seq in range(last - 1, 0, -1):
        press("ArrowUp")
        assert current(alone) == f"{seq} true true"
        assert alone.canvas.get_attribute("data-selected") == f"r{(seq + 1) // 2}"
    assert alone.page.locator(".tn-marked").count() == 2, "the run's other entry is marked too"
    press("ArrowUp")
    press("ArrowUp")
    assert current(alone) == "0 true true"
    for seq in range(1, 30):
        press("ArrowDown")
        assert current(alone) == f"{seq} true true"


def test_a_click_is_where_the_arrows_go_on(alone: Alone) -> None:
    row = alone.page.locator(".tn-row", has_text=f"r{RUNS}").first
    seq = int(row.inner_text().split()[0].removeprefix("#"))
    row.click()
    assert current(alone) == f"{seq} true true"
    alone.page.keyboard.press("ArrowUp")
    assert current(alone) == f"{seq - 1} true true"


def test_a_run_chosen_in_the_lanes_takes_the_keys_along(alone: Alone) -> None:
    alone.press("ArrowRight", "ArrowLeft")
    run = int(str(alone.canvas.get_attribute("data-selected"))[1:])
    alone.page.locator(".tn-scroll").focus()
    alone.page.keyboard.press("ArrowDown")
    assert current(alone) == f"{2 * run} true true", "from its begin to its end"


def test_who_selects_nothing_marks_nothing(alone: Alone) -> None:
    alone.page.locator(".tn-row", has_text=f"r{RUNS}").first.click()
    assert alone.page.locator(".tn-marked").count() == 2
    alone.press("Escape")
    assert alone.page.locator(".tn-marked").count() == 0


def test_an_entry_without_a_run_selects_none(alone: Alone) -> None:
    alone.page.locator(".tn-row", has_text=f"r{RUNS}").first.click()
    alone.page.locator(".tn-row", has_text="note").click()
    assert current(alone) == f"{2 * RUNS + 1} true true"
    assert not alone.canvas.get_attribute("data-selected")
    assert alone.page.locator(".tn-details h3").count() == 0
    assert '"kind": "note"' in alone.page.locator(".tn-details").inner_text()


def test_other_keys_do_in_the_table_what_they_do_in_the_lanes(alone: Alone) -> None:
    alone.page.locator(".tn-scroll").focus()
    before = alone.seen()
    alone.page.keyboard.press("w")
    alone.painted()
    assert alone.seen() != before


def test_a_filter_keeps_the_entry_or_lets_go_of_it(alone: Alone) -> None:
    alone.page.locator(".tn-row", has_text=f"r{RUNS}").first.click()
    alone.page.get_by_label("Kind of entry").select_option("note")
    alone.page.locator(".tn-scroll").focus()
    alone.page.keyboard.press("ArrowUp")
    assert current(alone) == f"{2 * RUNS + 1} true true"


def test_entries_are_filtered_by_process_too(alone: Alone) -> None:
    evil = "<img src=x onerror=window.__evil=1>"
    lines = [
        json.dumps({"seq": seq, "ts": "", "mono": seq, "kind": kind, "run": "r1", "process": evil})
        for seq, kind in ((1000, "run_started"), (1001, "run_failed"))
    ]
    alone.tell([ms(1, "loop", (10, 18))], lines=lines)
    rows = alone.page.locator(".tn-row")
    alone.page.get_by_label("Process", exact=True).select_option(evil)
    assert rows.count() == 2
    alone.page.get_by_label("Kind of entry").select_option("run_failed")
    assert rows.count() == 1
    assert evil in rows.inner_text()
    alone.page.get_by_label("Filter entries").fill("nothing has this")
    assert rows.count() == 0
    assert alone.page.evaluate("() => window.__evil") is None


def test_keys_alone_lead_to_the_whole_of_an_entry(alone: Alone) -> None:
    evil = "<img src=x onerror=window.__evil=1>"
    entry = {"seq": 1000, "ts": "", "mono": 1, "kind": "note", "detail": {"text": evil * 100}}
    alone.tell([], lines=[json.dumps(entry)])
    row = alone.page.locator(".tn-row", has_text="#1000")
    assert len(row.inner_text()) < 400
    alone.page.locator(".tn-scroll").focus()
    alone.page.keyboard.press("End")
    assert current(alone) == "1000 true true"
    shown = alone.page.locator(".tn-details pre")
    assert json.loads(shown.inner_text()) == entry
    assert violations(alone.page) == []
    # The end of its run is news, and no reason to close what somebody reads.
    entry = {"seq": 1001, "ts": "", "mono": 2, "kind": "run_started", "run": f"r{RUNS + 1}"}
    alone.tell([ms(RUNS + 1, "loop", (700, 0), "running")], lines=[json.dumps(entry)])
    alone.page.keyboard.press("End")
    status = alone.page.locator(".tn-details dd").first
    assert "running" in status.inner_text()
    alone.tell([ms(RUNS + 1, "loop", (700, 708))])
    assert "finished" in status.inner_text()
    assert json.loads(shown.inner_text()) == entry
    # A run that is chosen by itself has no entry to be read.
    alone.press("ArrowLeft")
    assert shown.count() == 0
    assert alone.page.evaluate("() => window.__evil") is None


def test_keys_go_far_among_entries_and_runs(alone: Alone) -> None:
    alone.page.locator(".tn-scroll").focus()
    reached = []
    for key in ("End", "PageUp", "Home", "PageUp", "PageDown", "ArrowDown"):
        alone.page.keyboard.press(key)
        reached.append(int(current(alone).partition(" ")[0]))
    last = 2 * RUNS + 1
    assert reached == [last, last - 7, 0, 0, 7, 8]
    runs = []
    for key in ("Escape", "End", "PageUp", "Home", "PageUp", "PageDown"):
        alone.press(key)
        runs.append(alone.canvas.get_attribute("data-selected"))
    assert runs == ["", f"r{RUNS}", f"r{RUNS - 7}", "r1", "r1", "r8"]


def test_the_grid_has_no_violations(alone: Alone) -> None:
    alone.page.locator(".tn-scroll").focus()
    alone.page.keyboard.press("ArrowUp")
    assert violations(alone.page) == []
