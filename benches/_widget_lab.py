"""Parts of `widget.py` for which a real JupyterLab is needed: live, and the way of a click."""

from __future__ import annotations

import dataclasses
import json
import pathlib
import tempfile
from typing import TYPE_CHECKING, Any, Final

from tests.browser.notebook import LOAD, Notebook
from tests.browser.server import Server

if TYPE_CHECKING:
    from playwright.sync_api import Browser

PREPARE: Final = """
import asyncio, json, threading, time
import psutil
from theus_nb import process

me = psutil.Process()
ended = []

@process
async def tick(ctx):
    await asyncio.sleep(0)

@process
async def endless(ctx):
    try:
        await asyncio.sleep(3600)
    except asyncio.CancelledError:
        ended.append(time.time() * 1e3)
        raise

async def live(seconds, rate=10_000):
    began, made = time.monotonic(), 0
    while (past := time.monotonic() - began) < seconds:
        for _ in range(min(int(past * rate) - made, 2_000)):
            theus.start(tick)
            made += 1
        await asyncio.sleep(0.01)
    return made

def threads():
    names = {thread.native_id: thread.name for thread in threading.enumerate()}
    used = {}
    for thread in me.threads():
        name = names.get(thread.id, "others")
        used[name] = used.get(name, 0) + thread.user_time + thread.system_time
    return used

def say(**found):
    print("FOUND", json.dumps(found))
"""

LIVE: Final = """
there = await live(10)
before_rss = me.memory_info().rss
seat = next(iter(shown._pump._seats.values()))
frames, before, began = seat.frame, threads(), time.monotonic()
made = await live({seconds})
took = time.monotonic() - began
used = {{name: time - before.get(name, 0) for name, time in threads().items()}}
say(there=there, made=made, took=took, frames=seat.frame - frames, used=used,
    rss=me.memory_info().rss - before_rss,
    again=seat is not next(iter(shown._pump._seats.values())))
"""

CANCELS: Final = """
for _ in range({rounds}):
    try:
        await theus.start(endless)
    except Exception as error:
        assert type(error).__name__ == "RunCancelledError", error
say(ended=ended)
"""

WATCH: Final = """
() => {
  window.drawn = [];
  let last;
  const look = () => {
    const painter = document.querySelector('.theus-timeline')?.view.painter;
    if (painter && painter.frames !== last) {
      last = painter.frames;
      window.drawn.push(painter.cost);
    }
    requestAnimationFrame(look);
  };
  look();
}
"""

CLICK: Final = """
async rounds => {
  const clicked = [], seen = [];
  const counts = () => document.querySelector('[data-part=counts]')?.innerText ?? '';
  const until = async words => {
    while (!counts().includes(words)) await new Promise(requestAnimationFrame);
  };
  for (let i = 0; i < rounds; i++) {
    await until('1 running');
    await new Promise(done => setTimeout(done, 100 + (37 * i) % 100));
    const at = performance.timeOrigin + performance.now();
    document.querySelector('[data-do=cancelall]').click();
    clicked.push(at);
    await until(`${i + 1} cancelled`);
    seen.push(performance.timeOrigin + performance.now() - at);
  }
  return [clicked, seen];
}
"""

OUTPUT: Final = """
() => [...document.querySelectorAll('.jp-OutputArea-output')].map(one => one.innerText).join('\\n')
  .match(/FOUND (.*)/)?.[1]
"""

SHIPPING: Final = ("theus timeline", "IOPub", "ZMQbg/IO/0")
"""Threads of a kernel that bring frames to the page and do nothing else while nobody prints."""


@dataclasses.dataclass(frozen=True)
class Live:
    """What 10,000 spans a second did.

    Attributes:
        spans: Made in all, and how many the page had at the end.
        rate: Made in a second.
        frames: That the kernel sent in a second.
        percent: Of a core, for the threads that ship frames.
        drawing: Milliseconds of script for each picture, sorted.
        lost: What the page said of losses, and whether it had to ask again.
        kernel: Bytes that the kernel grew.
        page: Megabytes of the page's heap at the end.
    """

    spans: tuple[int, int]
    rate: float
    frames: float
    percent: float
    drawing: list[float]
    lost: str
    kernel: float
    page: float


def _found(notebook: Notebook) -> dict[str, Any]:
    return dict(json.loads(notebook.until(OUTPUT.strip())))


def live(browser: Browser, seconds: int) -> Live:
    """Watch a kernel that makes 10,000 spans a second, after 100,000 that are there already."""
    with tempfile.TemporaryDirectory() as folder, Server(pathlib.Path(folder), "lab") as server:
        page = browser.new_page(viewport={"width": 1280, "height": 1100})
        cells = ("shown = theus.timeline()\nshown", PREPARE, LIVE.format(seconds=seconds))
        notebook = Notebook(page, server.write("live.ipynb", LOAD, *cells))
        page.set_default_timeout((seconds + 90) * 1e3)
        page.evaluate(WATCH)
        notebook.run_all()
        found = _found(notebook)
        made = found["there"] + found["made"]
        page.wait_for_timeout(2_000)  # what is on its way arrives
        spans = int(notebook.canvas.get_attribute("data-spans") or 0)
        notice = notebook.timeline.locator("div[role=status]").inner_text().strip()
        result = Live(
            spans=(made, spans),
            rate=found["made"] / found["took"],
            frames=found["frames"] / found["took"],
            percent=100 * sum(found["used"].get(name, 0) for name in SHIPPING) / found["took"],
            drawing=sorted(page.evaluate("() => window.drawn")),
            lost=notice + (" asked again" if found["again"] else ""),
            kernel=found["rss"],
            page=page.evaluate("() => performance.memory.usedJSHeapSize") / 1e6,
        )
        page.close()
    return result


def cancel(browser: Browser, rounds: int) -> tuple[list[float], list[float]]:
    """Click on *Cancel all* while a cell awaits a run.

    Returns:
        Milliseconds from each click until the run's body was told, and until the page showed it.
    """
    with tempfile.TemporaryDirectory() as folder, Server(pathlib.Path(folder), "lab") as server:
        page = browser.new_page(viewport={"width": 1280, "height": 1100})
        cells = ("theus.timeline()", PREPARE, CANCELS.format(rounds=rounds))
        notebook = Notebook(page, server.write("cancel.ipynb", LOAD, *cells))
        notebook.run_all(wait=False)
        clicked, seen = page.evaluate(CLICK, rounds)
        ended = _found(notebook)["ended"]
        page.close()
    # The page and the kernel read the same machine's clock.
    return [end - click for click, end in zip(clicked, ended, strict=True)], seen
