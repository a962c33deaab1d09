"""Signals beside asyncio.Queue: one thread publishes, a coroutine on the loop takes.

Everything runs in one process, interleaved; only ratios of one run mean anything. Prints tables and
writes nothing. Ends with status 1 if a "must" was missed.

Usage: ``python benches/signals.py [--quick]``
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import sys
import threading
import time
from typing import TYPE_CHECKING, Final

from benches._measure import Samples, faster, interleave
from benches._report import Goal, facts, table
from theus_nb.session import Session

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

VALUES: Final = 20_000
PINGS: Final = 300
OURS: Final = "theus.signals, async for"
QUEUE: Final = "asyncio.Queue, call_soon_threadsafe"
PLAIN: Final = "future, call_soon_threadsafe"


async def through_hub(theus: Session) -> None:
    """Publish in a thread, iterate on the loop."""
    heard = theus.signals.subscribe("bench", maxsize=VALUES)
    publish = theus.signals.publish

    def feed() -> None:
        for number in range(VALUES):
            publish("bench", number)

    thread = threading.Thread(target=feed)
    thread.start()
    left = VALUES
    async for _ in heard:
        left -= 1
        if not left:
            break
    thread.join()
    heard.close()


async def through_queue() -> None:
    """Put in a thread the way asyncio wants it, get on the loop."""
    queue: asyncio.Queue[int] = asyncio.Queue()
    post = asyncio.get_running_loop().call_soon_threadsafe
    put = queue.put_nowait

    def feed() -> None:
        for number in range(VALUES):
            post(put, number)

    thread = threading.Thread(target=feed)
    thread.start()
    for _ in range(VALUES):
        await queue.get()
    thread.join()


class Pinger:
    """A thread that sends when it is asked to, and when the receiver has gone to sleep."""

    def __init__(self, send: Callable[[], object]) -> None:
        self._send = send
        self._asked = threading.Semaphore(0)
        self._thread = threading.Thread(target=self._serve)
        self.sent = 0.0
        self._ended = False

    def _serve(self) -> None:
        while self._asked.acquire() and not self._ended:
            time.sleep(0.0005)  # the loop is in its selector by then
            self.sent = time.perf_counter()
            self._send()

    async def latency(self, receive: Callable[[], Awaitable[object]]) -> float:
        """Return the median time from a send to the receiver's next step, over many."""
        self._thread.start()
        times = []
        for _ in range(PINGS):
            self._asked.release()
            await receive()
            times.append(time.perf_counter() - self.sent)
        self._ended = True
        self._asked.release()
        self._thread.join()
        return statistics.median(times)


async def latency_of_hub(theus: Session) -> float:
    """Wake a subscriber."""
    heard = theus.signals.subscribe("ping")
    pinger = Pinger(lambda: theus.signals.publish("ping", 1))
    return await pinger.latency(heard.__anext__)


async def latency_of_queue() -> float:
    """Wake whoever waits at a queue."""
    queue: asyncio.Queue[int] = asyncio.Queue()
    loop = asyncio.get_running_loop()
    pinger = Pinger(lambda: loop.call_soon_threadsafe(queue.put_nowait, 1))
    return await pinger.latency(queue.get)


async def latency_of_future() -> float:
    """Wake whoever awaits a future: the least there can be."""
    loop = asyncio.get_running_loop()
    waiting: list[asyncio.Future[int]] = []

    async def receive() -> None:
        waiting.append(loop.create_future())
        await waiting[-1]

    def send() -> None:
        loop.call_soon_threadsafe(waiting.pop().set_result, 1)

    return await Pinger(send).latency(receive)


async def measure(rounds: int) -> tuple[Samples, Samples]:
    """Return seconds per round of throughput, and median seconds per wake, by contender."""
    async with Session(workers=1) as theus:
        theus.signals.history = 0
        flow = await interleave({OURS: lambda: through_hub(theus), QUEUE: through_queue}, rounds)
        wakes: Samples = {OURS: [], QUEUE: [], PLAIN: []}
        for _ in range(rounds):
            wakes[OURS].append(await latency_of_hub(theus))
            wakes[QUEUE].append(await latency_of_queue())
            wakes[PLAIN].append(await latency_of_future())
    return flow, wakes


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse the command line, measure, print; return 1 if a must was missed."""
    parser = argparse.ArgumentParser(description="signals: theus_nb beside asyncio.Queue")
    parser.add_argument("--quick", action="store_true", help="few rounds, rough numbers")
    rounds = 5 if parser.parse_args(arguments).quick else 21
    flow, wakes = asyncio.run(measure(rounds))
    slower = 1 / faster(wakes, OURS, PLAIN)
    throughput = faster(flow, OURS, QUEUE)
    goals = [
        Goal("values from one thread, against asyncio.Queue", 1, None, "x", throughput),
        Goal("latency, of call_soon_threadsafe", 1.5, None, "of it", slower),
    ]
    print(table(["what", "must", "aim", "measured", "met?"], (goal.row() for goal in goals)))
    rows = [
        [
            name,
            f"{VALUES / statistics.median(flow[name]) / 1e3:,.0f} k/s" if name in flow else "",
            f"{statistics.median(wakes[name]) * 1e6:.0f} µs",
        ]
        for name in wakes
    ]
    print("\n" + table(["", f"{VALUES:,} values", "one wake"], rows))
    print(f"\n{facts()}; {rounds} rounds.")
    return 1 if any(goal.missed for goal in goals) else 0


if __name__ == "__main__":
    sys.exit(main())
