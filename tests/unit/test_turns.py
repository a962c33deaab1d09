"""Limits and rates: how many at a time, how many in a while, and in which order."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.support import Gate, Signal
from tests.unit.test_stopping import patient
from theus_nb.decorator import process
from theus_nb.policy import Policy, Rate
from theus_nb.turns import Turns

if TYPE_CHECKING:
    from collections.abc import Callable

    from theus_nb.context import Context
    from theus_nb.session import Session


@patient
async def test_so_many_at_a_time(theus: Session) -> None:
    inside, most = list[int](), list[int]()

    def body(number: int) -> None:
        inside.append(number)
        most.append(len(inside))

    @process(limit=2)
    async def on_loop(_ctx: Context, number: int) -> None:
        body(number)
        await asyncio.sleep(0)
        inside.remove(number)

    @process(limit=2)
    def in_worker(_ctx: Context, number: int) -> None:
        body(number)
        inside.remove(number)

    for definition in (on_loop, in_worker):
        most.clear()
        await asyncio.gather(*(theus.run(definition, number) for number in range(30)))
        assert len(most) == 30
        assert max(most) <= 2


@patient
async def test_the_order_is_that_of_submission(theus: Session) -> None:
    seen = list[int]()

    @process(limit=1)
    async def one(_ctx: Context, number: int) -> None:
        seen.append(number)
        await asyncio.sleep(0)

    await asyncio.gather(*(theus.start(one, number) for number in range(20)))
    assert seen == list(range(20))


@patient
async def test_a_run_without_its_inputs_takes_no_slot(theus: Session) -> None:
    gate = Gate()

    @process(outputs=["domain.raw"])
    async def slow(_ctx: Context) -> int:
        await gate.wait()
        return 1

    @process(inputs=["domain.raw?"], limit=1)
    def needs(ctx: Context) -> object:
        return ctx["domain.raw"]

    first = theus.start(needs)  # bound to nothing: never written
    theus.start(slow)
    waiting = theus.start(needs)
    variant = needs.options(name="needs")
    assert await first is None
    assert waiting.status == "waiting"
    gate.open()
    assert await waiting == 1
    assert await theus.run(variant) == 1


@patient
async def test_whoever_fails_or_is_cancelled_makes_room(theus: Session) -> None:
    gate, started = Gate(), Signal()

    @process(limit=1)
    async def one(_ctx: Context, what: str) -> str:
        if what == "waits":
            started.set()
            await gate.wait()
        if what == "fails":
            raise ValueError(what)
        return what

    waits, fails, queued, last = (theus.start(one, w) for w in ("waits", "fails", "q", "last"))
    await started.wait()
    assert [run.status for run in (fails, queued, last)] == ["waiting"] * 3
    queued.cancel()
    waits.cancel()
    assert await last == "last"
    assert isinstance(fails.exception(), ValueError)


@patient
async def test_a_process_that_calls_itself_passes(theus: Session) -> None:
    @process(limit=1)
    def countdown(_ctx: Context, number: int) -> int:
        return 0 if number == 0 else 1 + theus.run_sync(countdown, number - 1)

    @process(limit=1)
    async def countdown_async(_ctx: Context, number: int) -> int:
        return 0 if number == 0 else 1 + await theus.run(countdown_async, number - 1)

    assert await theus.run(countdown, 4) == 4
    assert await theus.run(countdown_async, 4) == 4


class FakeRun:
    """What `Turns` sees of a run."""

    def __init__(self, number: int, clock: FakeClock, log: list[tuple[float, int]]) -> None:
        self.number = number
        self.has_ended = False
        self._clock = clock
        self._log = log

    def proceed(self) -> None:
        self._log.append((self._clock.now, self.number))


class FakeClock:
    """A clock and a timer that go on only when they are told to."""

    def __init__(self) -> None:
        self.now = 0.0
        self.alarms: list[tuple[float, Callable[[], object]]] = []

    def __call__(self) -> float:
        return self.now

    def call_later(self, seconds: float, function: Callable[[], object]) -> object:
        assert seconds > 0
        self.alarms.append((self.now + seconds, function))
        return function

    def advance(self, to: float) -> None:
        while due := [alarm for alarm in self.alarms if alarm[0] <= to]:
            first = min(due, key=lambda alarm: alarm[0])
            self.alarms.remove(first)
            self.now = max(self.now, first[0])
            first[1]()
        self.now = to


class NoAncestors:
    """An engine in which no run was started inside another."""

    def ancestors(self, _run: object) -> list[int]:
        return []


@given(
    arrivals=st.lists(st.floats(0, 50, allow_nan=False), min_size=1, max_size=40),
    starts=st.integers(1, 5),
    seconds=st.sampled_from([1.0, 10.0]),
)
def test_no_window_holds_more_starts_than_the_rate(
    arrivals: list[float], starts: int, seconds: float
) -> None:
    clock, log = FakeClock(), list[tuple[float, int]]()
    anything: Any = clock
    engine: Any = NoAncestors()
    turns = Turns(engine, anything, clock)
    policy = Policy(rate=Rate(starts, seconds))
    for number, at in enumerate(sorted(arrivals)):
        clock.advance(at)
        run: Any = FakeRun(number, clock, log)
        turns.arrive(run, policy)
    clock.advance(10_000.0)
    assert [number for _, number in log] == list(range(len(arrivals)))
    times = [at for at, _ in log]
    for first, later in zip(times, times[starts:], strict=False):
        assert later - first >= seconds * (1 - 1e-9)
    # And nobody waits longer than the rate asks for.
    expected = list[float]()
    for at in sorted(arrivals):
        free = expected[-starts] + seconds if len(expected) >= starts else 0.0
        expected.append(max(at, free, expected[-1] if expected else 0.0))
    assert times == pytest.approx(expected)


@patient
async def test_a_rate_on_the_real_clock(theus: Session) -> None:
    @process(rate="1000/s")
    async def quick(_ctx: Context) -> int:
        return 1

    assert sum(await asyncio.gather(*(theus.run(quick) for _ in range(50)))) == 50
