"""The same spans in vis-timeline and in Bokeh: got when they are wanted, never shipped."""

from __future__ import annotations

import dataclasses
import importlib
import itertools
import pathlib
import statistics
import subprocess
from typing import TYPE_CHECKING, Any, Final

from benches._report import table
from benches._widget_pages import BOKEH, OURS, VIS, prepare
from theus_nb.timeline.assets import script, styles

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from playwright.sync_api import Browser

FOLDER: Final = pathlib.Path(__file__).resolve().parents[1] / "out" / "peers"
VIS_VERSION: Final = "8.5.4"
STEPS: Final = 40


@dataclasses.dataclass(frozen=True)
class Peer:
    """One contender: its name, what makes its page, its source, and how many spans it is given."""

    name: str
    page: str
    source: str
    css: str
    most: int = 1_000_000


def vis_timeline() -> Peer | str:
    """Get vis-timeline from npm into a folder that is ignored, or say why not."""
    package = FOLDER / "node_modules" / "vis-timeline"
    built = package / "standalone" / "umd" / "vis-timeline-graph2d.min.js"
    if not built.exists():
        FOLDER.mkdir(parents=True, exist_ok=True)
        # Its standalone build holds its peers already.
        how = ["--no-save", "--silent", "--legacy-peer-deps", f"--prefix={FOLDER}"]
        try:
            subprocess.run(
                ["npm", "install", *how, f"vis-timeline@{VIS_VERSION}"],
                check=True,
                capture_output=True,
                timeout=180,
            )
        except (OSError, subprocess.SubprocessError) as error:
            return f"vis-timeline is not measured: npm could not get it ({type(error).__name__})"
    css = package / "styles" / "vis-timeline-graph2d.min.css"
    return Peer(
        f"vis-timeline {VIS_VERSION}",
        VIS,
        built.read_text(encoding="utf-8"),
        css.read_text(encoding="utf-8"),
        most=3_000,  # of 10,000 it had no picture after two minutes
    )


def bokeh() -> Peer | str:
    """Find Bokeh's own script in its package, or say that it is not there."""
    try:
        version = str(importlib.import_module("bokeh").__version__)
        resources = importlib.import_module("bokeh.resources")
    except ImportError:
        return "Bokeh is not measured: it is not installed (dependency group bench)"
    scripts = resources.Resources(mode="inline", components=["bokeh", "bokeh-api"]).js_raw
    return Peer(f"Bokeh {version}", BOKEH, "\n".join(scripts), "", most=100_000)


@dataclasses.dataclass
class Times:
    """Milliseconds until the first picture, and of the page's main thread for each step."""

    first: list[float] = dataclasses.field(default_factory=list)
    steps: list[float] = dataclasses.field(default_factory=list)
    rounds: list[float] = dataclasses.field(default_factory=list)


def one_round(browser: Browser, peer: Peer, count: int, times: Times) -> None:
    """Show the spans on a fresh page; zoom and pan."""
    page = browser.new_page(viewport={"width": 1200, "height": 900})
    page.set_default_timeout(60_000)
    prepare(page)
    metrics = page.context.new_cdp_session(page)
    metrics.send("Performance.enable")

    def busy() -> float:
        found: dict[str, Any] = metrics.send("Performance.getMetrics")
        named = {metric["name"]: metric["value"] for metric in found["metrics"]}
        return float(named["TaskDuration"]) * 1e3

    times.first.append(page.evaluate(peer.page, [peer.source, peer.css, count]))
    taken = []
    for step in range(1, STEPS + 1):
        before = busy()
        page.evaluate("async step => { change(step); await frame(); await frame(); }", 2 * step)
        taken.append(busy() - before)
    times.steps += taken
    times.rounds.append(statistics.median(taken))
    page.close()


def compare(browser: Browser, sizes: Iterable[int], rounds: int) -> None:
    """Print a table of all contenders, taken in turns."""
    peers: list[Peer] = [Peer("theus_nb", OURS, script(), styles())]
    for found in (vis_timeline(), bokeh()):
        if isinstance(found, str):
            print(found)
        else:
            peers.append(found)
    rows: list[Sequence[str]] = []
    for count in sizes:
        able = [peer for peer in peers if count <= peer.most]
        taken = {peer.name: Times() for peer in able}
        for number, peer in itertools.product(range(rounds), able):
            turned = able[(able.index(peer) + number) % len(able)]
            one_round(browser, turned, count, taken[turned.name])
        own = taken[peers[0].name].rounds
        for name, times in taken.items():
            steps = sorted(times.steps)
            pairs = zip(times.rounds, own, strict=True)
            rows.append(
                (
                    f"{count:,}",
                    name,
                    f"{statistics.median(times.first):,.0f} ms",
                    f"{statistics.median(steps):,.1f} ms",
                    f"{steps[int(len(steps) * 0.95)]:,.1f} ms",
                    f"{statistics.median(theirs / ours for theirs, ours in pairs):.1f} x",
                )
            )
    head = ["spans", "", "first picture", "step p50", "step p95", "of theus_nb's"]
    print(table(head, rows))
