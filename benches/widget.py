"""The timeline: what a frame costs in the browser, what the kernel pays, how quick a click is.

Frames are drawn by the shipped front end in headless Chromium with software rendering. Live spans
and clicks take the whole way: a real kernel, JupyterLab, and the page. Ends with status 1 if a
"must" was missed.

Usage: ``python benches/widget.py [--quick] [--only PART ...]``, parts: runs, frames, live, cancel,
peers.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import shutil
import statistics
import sys
import time
from typing import TYPE_CHECKING, Any, Final

from benches._report import Goal, facts, table
from benches._widget_lab import cancel, live
from benches._widget_pages import OURS, prepare
from benches._widget_peers import compare
from theus_nb import Session, process
from theus_nb._core import Feed
from theus_nb.timeline.assets import script, styles

if TYPE_CHECKING:
    from collections.abc import Sequence

    from playwright.sync_api import Browser

    from theus_nb.context import Context

PARTS: Final = ("runs", "frames", "live", "cancel", "peers")
SIZES: Final = (1_000, 10_000, 100_000, 1_000_000)
FRAME_GOALS: Final = {100_000: (None, 4.0, 16.0), 1_000_000: (1_000.0, None, 33.0)}
"""By spans: the first picture, the median and the 95th percentile of a frame, in milliseconds."""

PAIRS: Final = 31
RUNS: Final = 1_000
RATE: Final = 10_000
SHIPPED: Final = 60.0
"""Kilobytes of JavaScript, at most."""

STEPS: Final = """
async () => {
  const { painter } = document.querySelector('.theus-timeline').view;
  const costs = [];
  for (let i = 0; i < 160; i++) {
    const before = painter.frames;
    script = 0;
    change(i);
    do await frame(); while (painter.frames === before);
    costs.push(script);
  }
  return costs;
}
"""


def frames(browser: Browser, count: int, rounds: int) -> tuple[tuple[str, ...], list[Goal]]:
    """Zoom and pan; return a row of the table and the goals that belong to this size."""
    firsts, costs, heap = [], [], 0.0
    for _ in range(rounds):
        page = browser.new_page(viewport={"width": 1200, "height": 900})
        prepare(page)
        firsts.append(page.evaluate(OURS, [script(), styles(), count]))
        costs += page.evaluate(STEPS)
        heap = page.evaluate("() => performance.memory.usedJSHeapSize") / 1e6
        page.close()
    costs.sort()
    first, p50, p95 = (
        statistics.median(firsts),
        costs[len(costs) // 2],
        costs[len(costs) * 95 // 100],
    )
    found = zip(
        ("first picture", "p50 of a frame", "p95 of a frame"), (first, p50, p95), strict=True
    )
    goals = [
        Goal(f"{count:,} spans, {what}", must, None, "ms", value)
        for (what, value), must in zip(found, FRAME_GOALS.get(count, (None,) * 3), strict=True)
        if must is not None
    ]
    row = f"{count:,}", f"{first:,.0f} ms", f"{p50:.1f} ms", f"{p95:.1f} ms", f"{heap:,.0f} MB"
    return row, goals


async def per_run() -> tuple[Goal, float]:
    """Take what a run costs with a feed that is read, relative to one that is closed.

    Returns:
        The goal, and the microseconds that a run costs more with it.
    """

    @process
    async def step(ctx: Context) -> None:
        pass

    async with Session() as theus:
        feed = Feed(theus._dispatcher.engine)  # noqa: SLF001 - the timeline's own way in

        async def once() -> float:
            began = time.perf_counter()
            await asyncio.gather(*(theus.run(step) for _ in range(RUNS)))
            return time.perf_counter() - began

        await once()
        ratios, more = [], []
        cursor = 0
        for _ in range(PAIRS):
            feed.close()
            closed = await once()
            feed.open()
            opened = await once()
            ratios.append(opened / closed)
            more.append((opened - closed) / RUNS * 1e6)
            cursor = feed.read(cursor, 0, 1 << 18)[0]
        feed.open()
        await once()
        began = time.perf_counter()
        packed: Any = feed.read(cursor, 0, 1 << 18)
        taken = (time.perf_counter() - began) * 1e6
    print(f"reading {packed[2]} rows: {taken:.0f} µs, {len(packed[4])} bytes")
    goal = Goal("a run with the timeline open", 1.1, None, "of closed", statistics.median(ratios))
    return goal, max(0.0, statistics.median(more))


def live_goals(browser: Browser, seconds: int, more: float) -> list[Goal]:
    """Have a kernel make 10,000 spans a second; print what became of them."""
    found = live(browser, seconds)
    made, seen = found.spans
    drawing = found.drawing
    print(
        f"live: {found.rate:,.0f} spans/s for {seconds} s, {found.frames:.1f} frames/s; "
        f"made {made:,}, on the page {seen:,}; it says: {found.lost or 'nothing'}; "
        f"drawing p50 {drawing[len(drawing) // 2]:.1f} p95 {drawing[len(drawing) * 95 // 100]:.1f}"
        f" ms; the kernel grew by {found.kernel / 1e6:.0f} MB, the page's heap is "
        f"{found.page:.0f} MB"
    )
    ships = found.percent + more * RATE / 1e6 * 100
    return [
        Goal("live, spans that did not arrive", 0, None, "spans", float(abs(made - seen))),
        Goal("live, messages of loss", 0, None, "", float(bool(found.lost))),
        Goal("live, kernel's share for the timeline", 5, None, "% of a core", ships),
    ]


def cancel_goals(browser: Browser, rounds: int) -> list[Goal]:
    """Click on *Cancel all*; print how long it took."""
    told, seen = cancel(browser, rounds)
    print(
        f"cancel: {rounds} clicks, told after {statistics.median(told):.0f} ms (median), "
        f"{max(told):.0f} ms (max); seen after {statistics.median(seen):.0f} and {max(seen):.0f} ms"
    )
    return [Goal("from a click to the body, awaiting kernel", 100, None, "ms", max(told))]


def in_browser(parts: Sequence[str], *, quick: bool, more: float) -> list[Goal]:
    """Take what needs Chromium."""
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        print("no Chromium on this machine: nothing is measured in a browser")
        return []
    from playwright.sync_api import sync_playwright  # noqa: PLC0415 - only where it is used

    goals: list[Goal] = []
    with sync_playwright() as playwright:
        flags = ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]
        browser = playwright.chromium.launch(executable_path=chromium, args=flags)
        if "frames" in parts:
            rows = []
            for count in SIZES:
                row, found = frames(browser, count, 1 if quick else 3)
                rows.append(row)
                goals += found
            head = ["spans", "first picture", "frame p50", "frame p95", "heap"]
            print(table(head, rows), end="\n\n")
        if "live" in parts:
            goals += live_goals(browser, 10 if quick else 60, more)
        if "cancel" in parts:
            goals += cancel_goals(browser, 5 if quick else 20)
        if "peers" in parts:
            sizes = (1_000, 3_000) if quick else (1_000, 3_000, 10_000, 100_000)
            compare(browser, sizes, 1 if quick else 3)
        browser.close()
    return goals


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse the command line and run."""
    parser = argparse.ArgumentParser(description="what the timeline costs")
    parser.add_argument("--quick", action="store_true", help="few rounds, rough numbers")
    parser.add_argument("--only", nargs="+", choices=PARTS, default=PARTS, help="these parts")
    options = parser.parse_args(arguments)
    goals, more = [], 0.0
    if "runs" in options.only:
        goal, more = asyncio.run(per_run())
        goals.append(goal)
    goals += in_browser(options.only, quick=options.quick, more=more)
    size = len(script().encode()) / 1e3
    goals.append(Goal("JavaScript shipped, without its comments", SHIPPED, None, "kB", size))
    head = ["what", "must", "aim", "measured", "met?"]
    print(f"\n{table(head, (goal.row() for goal in goals))}")
    print(f"\n{facts()}; load {os.getloadavg()[0]:.1f}.")
    return 1 if any(goal.missed for goal in goals) else 0


if __name__ == "__main__":
    sys.exit(main())
