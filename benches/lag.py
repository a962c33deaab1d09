"""How late the event loop is beside processes that compute, and what that costs them.

A ticker sleeps for a millisecond at a time; how much later it wakes up is the lag of the loop.
Beside it 0, 1, 2 or 4 threads compute in pure Python. Contenders are interleaved round by round in
one process; the goals are medians of the ratios within a round. Ends with status 1 if a "must"
was missed.

Usage: ``python benches/lag.py [--quick]``
"""

from __future__ import annotations

import argparse
import asyncio
import dataclasses
import statistics
import sys
import threading
import time
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any

from benches._contenders import BASE, theus_module
from benches._report import Goal, facts, table
from theus_nb import Session, process

if TYPE_CHECKING:
    from collections.abc import Sequence

OURS = "theus_nb"
THEUS = "theus (PyPI)"
TICK = 0.001
WORKERS = (0, 1, 2, 4)


class Work:
    """Computes in pure Python until it is told to stop, and counts."""

    def __init__(self) -> None:
        self.stopped = threading.Event()
        self.done = 0
        self._lock = threading.Lock()

    def compute(self, *_context: object) -> None:
        """Count to a few hundred, again and again."""
        count, stopped = 0, self.stopped
        while not stopped.is_set():
            for _ in range(500):
                pass
            count += 1
        with self._lock:
            self.done += count


@dataclasses.dataclass(frozen=True)
class Round:
    """What one contender did in one round: lags in milliseconds, and work per second."""

    p50: float
    p99: float
    worst: float
    rate: float


Start = Callable[[Callable[..., object]], Coroutine[Any, Any, object]]
"""Run a function in a thread, to its end."""


async def tick(seconds: float) -> list[float]:
    """Sleep a millisecond at a time; return how many milliseconds too late each wake-up was."""
    lags = []
    end = time.perf_counter() + seconds
    while (began := time.perf_counter()) < end:
        await asyncio.sleep(TICK)
        lags.append((time.perf_counter() - began - TICK) * 1e3)
    return lags


async def one_round(start: Start, workers: int, seconds: float) -> Round:
    """Let the ticker run beside some workers."""
    work = Work()
    began = time.perf_counter()
    running = [asyncio.ensure_future(start(work.compute)) for _ in range(workers)]
    lags = sorted(await tick(seconds))
    work.stopped.set()
    await asyncio.gather(*running)
    rate = work.done / (time.perf_counter() - began)

    def quantile(share: float) -> float:
        return lags[min(len(lags) - 1, int(share * len(lags)))]

    return Round(quantile(0.5), quantile(0.99), lags[-1], rate)


async def measure(rounds: int, seconds: float) -> dict[tuple[int, str], list[Round]]:
    """Let every contender run beside every number of workers, in rotating order."""
    found: dict[tuple[int, str], list[Round]] = {}
    async with Session(workers=max(WORKERS)) as theus:
        starts: dict[str, Start] = {
            BASE: asyncio.to_thread,
            OURS: lambda function: theus.run(process(function)),
        }
        other = theus_module()
        if other is not None:
            engine = other.TheusEngine(context={"domain": {}})
            starts[THEUS] = lambda function: engine.execute(other.process()(function))
        names = list(starts)
        found_interval = sys.getswitchinterval()
        for number in range(rounds):
            first = number % len(names)
            for workers in WORKERS:
                for name in names[first:] + names[:first]:
                    # Nobody inherits the other's switch interval.
                    while sys.getswitchinterval() < found_interval:  # noqa: ASYNC110 - it tells nobody
                        await asyncio.sleep(0.01)
                    result = await one_round(starts[name], workers, seconds)
                    found.setdefault((workers, name), []).append(result)
    return found


def ratio(
    found: dict[tuple[int, str], list[Round]], workers: int, field: str, name: str = OURS
) -> float:
    """Return the median over the rounds of to_thread's value divided by a contender's."""
    pairs = zip(found[workers, BASE], found[workers, name], strict=True)
    ratios: list[float] = [getattr(base, field) / getattr(own, field) for base, own in pairs]
    return statistics.median(ratios)


def goals(found: dict[tuple[int, str], list[Round]]) -> list[Goal]:
    """Set what was measured against what was promised."""
    most = max(WORKERS)
    cost = (1 - 1 / ratio(found, most, "rate")) * 100
    return [
        Goal(f"p50 lag beside {most} workers", 4, None, "x", ratio(found, most, "p50")),
        Goal(f"p99 lag beside {most} workers", 2.5, None, "x", ratio(found, most, "p99")),
        Goal("throughput given for it", 20, None, "%", cost),
    ]


def rows(found: dict[tuple[int, str], list[Round]]) -> list[tuple[str, ...]]:
    """Lay out what every contender did: medians over the rounds."""

    def middle(results: Sequence[Round], field: str) -> float:
        values: list[float] = [getattr(one, field) for one in results]
        return statistics.median(values)

    return [
        (
            str(workers),
            name,
            *(f"{middle(results, field):.2f} ms" for field in ("p50", "p99", "worst")),
            f"{middle(results, 'rate'):,.0f}" if workers else "",
        )
        for (workers, name), results in found.items()
    ]


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse the command line and run."""
    parser = argparse.ArgumentParser(description="lag of the loop beside computing processes")
    parser.add_argument("--quick", action="store_true", help="few rounds, rough numbers")
    options = parser.parse_args(arguments)
    count, seconds = (5, 0.3) if options.quick else (15, 0.4)
    found = asyncio.run(measure(count, seconds))
    promised = goals(found)
    print(table(["what", "must", "aim", "measured", "met?"], (goal.row() for goal in promised)))
    head = ["workers", "", "p50", "p99", "max", "work per second"]
    print(f"\n{table(head, rows(found))}\n\n{facts()}; {count} rounds of {seconds} s.")
    return 1 if any(goal.missed for goal in promised) else 0


if __name__ == "__main__":
    sys.exit(main())
