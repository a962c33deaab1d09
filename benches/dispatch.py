"""What a run costs beside what a user would pick instead.

All contenders run in one process, interleaved, with the same number of threads; only ratios of one
run mean anything. theus_nb is measured as it is used, with contract check and records included; its
peers do less. Prints tables and writes nothing. Ends with status 1 if a "must" was missed.

Usage: ``python benches/dispatch.py [--quick] [--uvloop] [--workers N]``
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import dataclasses
import sys
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from benches import _startup
from benches._contenders import (
    ASYNC_ANSWER,
    ASYNC_COPY,
    BASE,
    COPY,
    OURS,
    OURS_IO,
    Contender,
    async_answer,
    contenders,
    session_with,
    theus_from_pypi,
)
from benches._measure import Action, Samples, best_over, faster, interleave, micros
from benches._report import Goal, facts, table

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

MANY = 1_000
AWAITS = 2_000
BARE = "bare await"


@dataclasses.dataclass(frozen=True)
class Effort:
    """How often everything is repeated."""

    rounds: int = 31
    async_rounds: int = 25
    sequential: int = 200
    imports: int = 21
    kernels: int = 7


QUICK = Effort(rounds=5, async_rounds=25, sequential=100, imports=5, kernels=2)


async def one_by_one(call: Action, calls: int) -> None:
    """Await call after call."""
    for _ in range(calls):
        await call()


async def in_tasks(call: Action, calls: int) -> None:
    """Give each call its own task, then wait for all."""
    await asyncio.gather(*[asyncio.create_task(call()) for _ in range(calls)])


async def gathered(start: Callable[[], Awaitable[object]], calls: int) -> None:
    """Start all calls at once and gather what they hand out."""
    await asyncio.gather(*[start() for _ in range(calls)])


async def measure_sync(effort: Effort, workers: int) -> dict[str, tuple[int, Samples]]:
    """Measure the three ways to call a synchronous function many times."""
    async with contenders(workers) as field:
        shapes: dict[str, tuple[int, Callable[[Contender], Action]]] = {
            "one by one": (
                effort.sequential,
                lambda c: partial(one_by_one, c.call, effort.sequential),
            ),
            "1,000 in tasks": (MANY, lambda c: partial(in_tasks, c.call, MANY)),
            "1,000 gathered": (MANY, lambda c: partial(gathered, c.start, MANY)),
        }
        return {
            shape: (calls, await interleave({c.name: action(c) for c in field}, effort.rounds))
            for shape, (calls, action) in shapes.items()
        }


async def measure_async(effort: Effort, workers: int) -> Samples:
    """Measure awaiting a process that never waits, beside awaiting the bare coroutine."""
    async with session_with(workers) as theus:
        calls: dict[str, Action] = {
            BARE: async_answer,
            OURS: partial(theus.run, ASYNC_ANSWER),
            OURS_IO: partial(theus.run, ASYNC_COPY),
            **theus_from_pypi()[1],
        }
        actions = {name: partial(one_by_one, call, AWAITS) for name, call in calls.items()}
        return await interleave(actions, effort.async_rounds)


async def measure_state(effort: Effort, workers: int) -> dict[str, float]:
    """Measure how much slower runs get when the state holds large values they do not touch."""
    large = {"array": np.ones(10_000_000), "listing": list(range(100_000))}
    async with contextlib.AsyncExitStack() as stack:
        small = await stack.enter_async_context(session_with(workers))
        full = await stack.enter_async_context(session_with(workers, **large))
        # Gathered and not one by one: the time of a single hand-over is mostly chance.
        sync: dict[str, Action] = {
            "small": partial(gathered, partial(small.start, COPY), MANY),
            "full": partial(gathered, partial(full.start, COPY), MANY),
        }
        waits: dict[str, Action] = {
            "small": partial(one_by_one, partial(small.run, ASYNC_COPY), AWAITS),
            "full": partial(one_by_one, partial(full.run, ASYNC_COPY), AWAITS),
        }
        return {
            "sync": 1 / faster(await interleave(sync, effort.rounds), "full", "small"),
            "async": 1 / faster(await interleave(waits, effort.rounds), "full", "small"),
        }


def side_by_side(sync: dict[str, tuple[int, Samples]], waits: Samples) -> str:
    """Show every contender: microseconds per call, and how much faster than the base."""
    names = list(next(iter(sync.values()))[1])
    rows = [
        [name]
        + [
            f"{micros(samples, name, calls):.1f} µs ({faster(samples, name, BASE):.2f} x)"
            for calls, samples in sync.values()
        ]
        for name in names
    ]
    async_rows = [
        (name, f"{min(waits[name]) / AWAITS * 1e6:.2f} µs", f"{micros(waits, name, AWAITS):.2f} µs")
        for name in waits
    ]
    return "\n\n".join(
        [
            table(["a synchronous function", *sync], rows),
            table(["an asynchronous function, awaited", "best round", "median round"], async_rows),
        ]
    )


def goals(
    sync: dict[str, tuple[int, Samples]],
    waits: Samples,
    state: dict[str, float],
    once: tuple[float, float],
    admitted: dict[str, float],
) -> list[Goal]:
    """Set what was measured against what was promised."""

    def against(shape: str, name: str) -> float:
        return faster(sync[shape][1], name, BASE)

    load, imported = once
    return [
        Goal("sync, one by one, against to_thread", 1.2, 3, "x", against("one by one", OURS)),
        Goal("sync, 1,000 in tasks", 2.8, 6, "x", against("1,000 in tasks", OURS)),
        Goal("the same, 1 input 1 output", 2, 4, "x", against("1,000 in tasks", OURS_IO)),
        Goal("sync, 1,000 handles gathered", 5, 15, "x", against("1,000 gathered", OURS)),
        Goal("the same, 1 input 1 output", 3.5, 10, "x", against("1,000 gathered", OURS_IO)),
        Goal("async, over a bare await", 2.5, 1, "µs", best_over(waits, OURS, BARE, AWAITS)),
        Goal("the same, 1 input 1 output", 6, 2.5, "µs", best_over(waits, OURS_IO, BARE, AWAITS)),
        Goal("admit and finish, 4,000 pending", 1, 0.2, "µs", admitted.get("oldest")),
        Goal("the same, ending in any order", 1, 0.2, "µs", admitted.get("any")),
        Goal("slower with 80 MB unused, sync", 1.1, None, "of empty", state["sync"]),
        Goal("slower with 80 MB unused, async", 1.1, None, "of empty", state["async"]),
        Goal("import beyond import asyncio", 40, 15, "ms", imported),
        Goal("%load_ext in a kernel", 150, 60, "ms", load),
    ]


def run_all(effort: Effort, workers: int, runner: asyncio.Runner) -> int:
    """Measure everything, print it, and return how many goals were missed."""
    with runner:
        sync = runner.run(measure_sync(effort, workers))
        waits = runner.run(measure_async(effort, workers))
        state = runner.run(measure_state(effort, workers))
    once = _startup.load_ext_ms(effort.kernels), _startup.import_ms(effort.imports)
    said, admitted = _startup.admit()
    found = goals(sync, waits, state, once, admitted)
    print(table(["what", "must", "aim", "measured", "met?"], (goal.row() for goal in found)))
    print(f"\n{side_by_side(sync, waits)}\n\nThe scheduler alone:\n\n{said}")
    loop = "uvloop" if "uvloop" in sys.modules else "asyncio"
    print(f"\n{facts()}; loop: {loop}, {workers} threads, {effort.rounds} rounds.")
    return sum(goal.missed for goal in found)


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse the command line and run."""
    parser = argparse.ArgumentParser(description="dispatch: theus_nb beside its peers")
    parser.add_argument("--quick", action="store_true", help="few rounds, rough numbers")
    parser.add_argument("--uvloop", action="store_true", help="run on uvloop")
    parser.add_argument("--workers", type=int, default=4, help="threads for every contender")
    options = parser.parse_args(arguments)
    factory = None
    if options.uvloop:
        import uvloop  # noqa: PLC0415 - optional

        factory = uvloop.new_event_loop
    missed = run_all(
        QUICK if options.quick else Effort(),
        options.workers,
        asyncio.Runner(loop_factory=factory),
    )
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
