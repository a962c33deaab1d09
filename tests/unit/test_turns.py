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
from theus_nb.errors import DeadlockError, UpstreamError
from theus_nb.policy import Policy, Rate
from theus_nb.run import Run
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


@process(name="last", inputs=["domain.result"])
async def reads_result(ctx: Context) -> object:
    return ctx["domain.result"]


@process(name="one", inputs=["domain.raw"], outputs=["domain.result"], limit=1)
async def on_loop(_ctx: Context) -> str:
    return "result"


@process(name="one", inputs=["domain.raw"], outputs=["domain.result"], limit=1)
def in_worker(_ctx: Context) -> str:
    return "result"


@patient
async def test_awaiting_what_waits_for_a_later_turn_is_refused(theus: Session) -> None:
    for later in (on_loop, in_worker):
        theus.state["domain.raw"] = 1
        gate, waiting = Gate(), list[Run]()

        @process(name="one", limit=1)
        async def holder(_ctx: Context) -> str:
            await gate.wait()  # noqa: B023 - awaited below
            with pytest.raises(DeadlockError) as caught:
                await waiting[-1]  # noqa: B023 - likewise
            return str(caught.value)

        first = theus.start(holder)
        between = theus.start(later)
        second = theus.start(later)
        waiting.append(theus.start(reads_result))
        await asyncio.sleep(0)
        gate.open()
        circle = [first, waiting[0], second, between, first]
        steps = " waits for ".join(f"{run.id} {run.name!r}" for run in circle)
        assert steps in await first
        assert [await between, await second, await waiting[0]] == ["result"] * 3


@patient
async def test_a_run_that_would_wait_for_ever_for_its_turn_fails(theus: Session) -> None:
    for later in (on_loop, in_worker):
        gate, waiting = Gate(), list[Run]()

        @process(outputs=["domain.raw"])
        async def fetch(_ctx: Context) -> int:
            await gate.wait()  # noqa: B023 - awaited below
            return 1

        @process(name="one", limit=1)
        async def holder(_ctx: Context) -> str:
            with pytest.raises(UpstreamError):
                await waiting[-1]  # noqa: B023 - likewise
            return "went on"

        theus.start(fetch)
        first, second = theus.start(holder), theus.start(later)
        waiting.append(theus.start(reads_result))
        await asyncio.sleep(0)
        assert second.status == "waiting"
        gate.open()
        assert await first == "went on"
        with pytest.raises(DeadlockError, match=r"(?s)'one' would never get its turn.*'last'"):
            await second
        theus.state["domain.result"] = None


@patient
async def test_all_places_taken_by_runs_that_wait_for_a_later_one(theus: Session) -> None:
    """One holder that can end is a way out; the one that closes the circle is refused."""

    async def later(_ctx: Context) -> str:
        return "later"

    async def holds(_ctx: Context, gate: Gate, waiting: list[Run]) -> str:
        await gate.wait()
        try:
            return str(await waiting[0])
        except DeadlockError as error:
            return str(error)

    for limit in (2, 3):
        holder = process(name="several", limit=limit)(holds)
        gates, waiting = [Gate() for _ in range(limit)], list[Run]()
        holders = [theus.start(holder, gate, waiting) for gate in gates]
        waiting.append(theus.start(process(name="several", limit=limit)(later)))
        for gate in gates:
            await gate.reached()
        for gate in gates[:-1]:
            gate.open()
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert waiting[0].status == "waiting"
        gates[-1].open()
        said = await holders[-1]
        assert "would wait" in said or "waits for" in said
        assert f"{waiting[0].id} 'several'" in said
        assert [await run for run in (*holders[:-1], *waiting)] == ["later"] * limit


@patient
async def test_a_run_that_no_place_will_ever_be_free_for_fails(theus: Session) -> None:
    waiting = list[Run]()
    gate = Gate()

    async def holds(_ctx: Context) -> str:
        with pytest.raises(UpstreamError):
            await waiting[0]
        return "went on"

    @process(name="several", inputs=["domain.raw"], outputs=["domain.result"], limit=2)
    async def later(_ctx: Context) -> str:
        return "result"

    @process(outputs=["domain.raw"])
    async def fetch(_ctx: Context) -> int:
        await gate.wait()
        return 1

    theus.start(fetch)
    holders = [theus.start(process(name="several", limit=2)(holds)) for _ in range(2)]
    second = theus.start(later)
    waiting.append(theus.start(reads_result))
    await asyncio.sleep(0)
    gate.open()
    assert [await run for run in holders] == ["went on"] * 2
    with pytest.raises(DeadlockError, match=r"(?s)'several' would never get its turn.*limit=2"):
        await second


@patient
async def test_turns_given_up_are_no_waits(theus: Session) -> None:
    """Whoever left the line, or was let in, is not waited for by those behind."""
    theus.state["domain.raw"] = 1
    gate, started = Gate(), Signal()

    @process(name="one", limit=1)
    async def holder(_ctx: Context) -> None:
        started.set()
        await gate.wait()

    @process
    async def awaits(_ctx: Context, run: Run) -> object:
        return await run

    first = theus.start(holder)
    await started.wait()
    between, last = theus.start(on_loop), theus.start(in_worker)
    between.cancel()
    asking = theus.start(awaits, last)
    gate.open()
    await first
    assert await asking == "result"
    assert theus._dispatcher.attempts._turns["one"]._ahead == {}


@patient
async def test_places_taken_and_left_are_no_waits(theus: Session) -> None:
    """Whoever got its place waits for nobody, also when all places are taken again."""

    @process(name="several", limit=2)
    async def link(_ctx: Context, number: int) -> int:
        return number if number == 0 else await runs[number - 1]

    @process
    async def bystander(_ctx: Context) -> list[object]:
        return list(await asyncio.gather(*runs))

    runs = list[Run]()
    runs += (theus.start(link, number) for number in range(50))
    assert await theus.run(bystander) == [0] * 50
    turns = theus._dispatcher.attempts._turns["several"]
    assert (turns._queued, turns._taken, turns._waiting) == (set(), [], [])


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
