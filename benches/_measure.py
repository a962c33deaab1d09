"""Time contenders side by side and compare them round by round.

A machine's speed drifts from second to second, so a single number says little. Every round runs
each contender once, in an order that rotates, and only ratios taken within one round are compared;
their median is what we report.
"""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Callable, Coroutine, Mapping
from typing import Any

Action = Callable[[], Coroutine[Any, Any, object]]
"""One round of one contender."""

Samples = dict[str, list[float]]
"""Seconds per round, by contender, in the order of the rounds."""


async def interleave(actions: Mapping[str, Action], rounds: int) -> Samples:
    """Run every action once per round, in rotating order, after one round that does not count."""
    names = list(actions)
    samples: Samples = {name: [] for name in names}
    for name in names:
        await actions[name]()
    for number in range(rounds):
        first = number % len(names)
        for name in names[first:] + names[:first]:
            gc.collect()
            began = time.perf_counter()
            await actions[name]()
            samples[name].append(time.perf_counter() - began)
    return samples


def faster(samples: Samples, name: str, base: str) -> float:
    """Tell how many times faster than the base a contender is: the median over the rounds."""
    pairs = zip(samples[base], samples[name], strict=True)
    return statistics.median(reference / own for reference, own in pairs)


def best_over(samples: Samples, name: str, base: str, calls: int) -> float:
    """Return the microseconds per call beyond the base, each at its best round."""
    return (min(samples[name]) - min(samples[base])) / calls * 1e6


def micros(samples: Samples, name: str, calls: int) -> float:
    """Return the median microseconds per call."""
    return statistics.median(samples[name]) / calls * 1e6
