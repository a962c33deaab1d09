"""The timeline: what a frame costs in the browser, and what a run costs with it open.

Frames are drawn by the shipped front end in headless Chromium with software rendering; the spans
are made in the page and handed to it as frames from a kernel would be.
"""

from __future__ import annotations

import asyncio
import json
import shutil
import statistics
import sys
import time
from typing import TYPE_CHECKING, Any, Final

from theus_nb import Session, process
from theus_nb._core import Feed
from theus_nb.timeline.assets import script, styles

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from theus_nb.context import Context

SIZES: Final = (1_000, 10_000, 100_000, 1_000_000)
PAIRS: Final = 31
RUNS: Final = 1_000

PAGE: Final = """
async ([source, css, count]) => {
  document.body.innerHTML = '<style>' + css + '</style><div id="at" style="width:1100px"></div>';
  const module = await import(URL.createObjectURL(new Blob([source], {type: 'text/javascript'})));
  let hear;
  const model = {get: name => name === 'height' ? 280 : {}, on: (_, f) => { hear = f; },
    send: () => {}};
  const began = performance.now();
  module.default.render({model, el: document.getElementById('at')});
  const workers = Array.from({length: 8}, (_, i) => `worker ${i + 1}`);
  const names = ['fetch', 'crunch', 'loop', ...workers];
  const columns = Array.from({length: 5}, () => new Float64Array(count));
  const process = new Uint32Array(count), lane = new Uint32Array(count);
  const status = new Uint8Array(count);
  const free = new Float64Array(8);
  let seed = 7;
  const random = () => (seed = (seed * 16807) % 2147483647) / 2147483647;
  for (let i = 0; i < count; i++) {
    const onLoop = i % 2 === 0;
    const worker = (i >> 1) % 8;
    const start = onLoop ? i * 1e6 + 1 : Math.max(free[worker], i * 1e6) + random() * 1e6;
    const end = start + (onLoop ? random() * 24e6 : random() * 12e6);
    if (!onLoop) free[worker] = end;
    columns[0][i] = i + 1; columns[2][i] = start; columns[3][i] = start; columns[4][i] = end;
    process[i] = i % 2; lane[i] = onLoop ? 2 : 3 + worker; status[i] = random() < .002 ? 4 : 3;
  }
  const bytes = new Uint8Array(await new Blob([...columns, process, lane, status]).arrayBuffer());
  const made = performance.now();
  hear({op: 'frame', frame: 1, now: count * 1e6, rows: count, reads: 0, lost: 0, names,
    first_name: 0, lines: [], audit: null, lag: null}, [bytes.buffer]);
  const frame = () => new Promise(done => requestAnimationFrame(() => setTimeout(done)));
  const canvas = document.querySelector('.tn-canvas');
  do await frame(); while (Number(canvas.dataset.spans) < count);
  const first = performance.now() - made;
  const costs = [];
  for (let i = 0; i < 160; i++) {
    const zoom = i % 4 < 2;
    canvas.dispatchEvent(new WheelEvent('wheel', {ctrlKey: zoom, bubbles: true, cancelable: true,
      deltaX: zoom ? 0 : (i % 8 < 4 ? 60 : -60), deltaY: zoom ? (i < 80 ? -9 : 9) : 0}));
    const before = canvas.dataset.frames;
    do await frame(); while (canvas.dataset.frames === before);
    costs.push(Number(canvas.dataset.cost));
  }
  return {first, costs};
}
"""


def frames(page: Page, count: int) -> None:
    """Print what frames of zooming and panning cost with so many spans."""
    page.goto("about:blank")
    found = page.evaluate(PAGE, [script(), styles(), count])
    costs = sorted(found["costs"])
    p50, p95 = costs[len(costs) // 2], costs[int(len(costs) * 0.95)]
    print(f"{count:>9,} spans: p50 {p50:.1f} ms  p95 {p95:.1f} ms  first {found['first']:.0f} ms")


async def per_run() -> None:
    """Print what a run costs with a feed that is read, relative to one that is closed."""

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
        ratios = []
        cursor = 0
        for _ in range(PAIRS):
            feed.close()
            closed = await once()
            feed.open()
            ratios.append(await once() / closed)
            cursor = feed.read(cursor, 0, 1 << 18)[0]
        print(f"open / closed: median {statistics.median(ratios):.3f} of {PAIRS} pairs")
        began = time.perf_counter()
        feed.open()
        await once()
        began = time.perf_counter()
        packed: Any = feed.read(cursor, 0, 1 << 18)
        taken = (time.perf_counter() - began) * 1e6
        print(f"reading {packed[2]} rows: {taken:.0f} µs, {len(packed[4])} bytes")


def main() -> None:
    """Run everything; sizes may be given on the command line."""
    asyncio.run(per_run())
    chromium = shutil.which("chromium")
    if chromium is None:
        print("no Chromium on this machine: frames are not measured")
        return
    from playwright.sync_api import sync_playwright  # noqa: PLC0415 - only where it is used

    sizes = [int(word) for word in sys.argv[1:]] or SIZES
    print(json.dumps({"script bytes": len(script().encode())}))
    with sync_playwright() as playwright:
        flags = ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]
        browser = playwright.chromium.launch(executable_path=chromium, args=flags)
        page = browser.new_page(viewport={"width": 1200, "height": 900})
        for count in sizes:
            frames(page, count)
        browser.close()


if __name__ == "__main__":
    main()
