"""The pump: one thread, whole frames, nothing to see costs nothing."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

from theus_nb.timeline.model import Packed
from theus_nb.timeline.pump import HEARTBEAT, REST, LoopProbe, Pump


class FakeSource:
    """A feed of empty changes, counted."""

    def __init__(self) -> None:
        self.head = 0
        self.oldest = 0
        self.readings = 0
        self.is_open = False
        self.audit: FakeTail | None = None
        self.blocks: list[tuple[int, int, str]] = []

    def open(self) -> None:
        self.is_open = True

    def close(self) -> None:
        self.is_open = False

    def read(self, cursor: int, names: int, limit: int) -> Packed:
        self.readings += 1
        lost = max(0, self.oldest - cursor)
        new = min(self.head - cursor - lost, limit)
        told = [f"name {i}" for i in range(names, 2)]
        return Packed(cursor + lost + new, lost, new, 0, bytes(new), told)

    def now(self) -> int:
        return 1

    def blocked(self) -> list[tuple[int, int, str]]:
        return self.blocks

    def loop(self) -> None:
        return None


class FakeTail:
    """Entries with numbers."""

    def __init__(self, count: int) -> None:
        self.count = count

    def lines(self, after: int, limit: int) -> list[str]:
        return [f'{{"seq":{i},"kind":"note"}}' for i in range(after + 1, self.count)][:limit]

    def position(self) -> tuple[int, int, int]:
        return self.count, self.count - 1, 0

    def settle(self, _timeout: float) -> bool:
        return True


class FakeView:
    """Keeps what it is shown."""

    def __init__(self) -> None:
        self.frames: list[dict[str, Any]] = []
        self.rested = 0
        self.seen = threading.Event()

    def deliver(self, header: dict[str, Any], buffers: list[bytes]) -> None:
        assert len(buffers) == 1
        self.frames.append(header)
        self.seen.set()

    def rest(self) -> None:
        self.rested += 1


def still_pump(source: FakeSource) -> Pump:
    """A pump whose thread never turns: the test does."""
    pump = Pump(source)  # type: ignore[arg-type]
    pump._thread = threading.Thread()
    return pump


def test_ten_views_cost_one_reading() -> None:
    source = FakeSource()
    source.head = 5
    pump = still_pump(source)
    views = [FakeView() for _ in range(10)]
    for view in views:
        pump.attach(view)
    pump.step(1.0)
    assert source.readings == 1
    assert [view.frames[0]["rows"] for view in views] == [5] * 10


def test_nothing_new_is_not_sent_but_a_heartbeat_is() -> None:
    source, view = FakeSource(), FakeView()
    pump = still_pump(source)
    pump.attach(view)
    for time in (1.0, 1.1, 1.2, 1.3):
        pump.step(time)
    assert len(view.frames) == 1
    pump.step(1.0 + HEARTBEAT)
    assert [frame["frame"] for frame in view.frames] == [1, 2]


def test_frames_are_numbered_and_names_told_once() -> None:
    source, view = FakeSource(), FakeView()
    pump = still_pump(source)
    pump.attach(view)
    for step in range(1, 4):
        source.head = step
        pump.step(float(step))
    assert [frame["frame"] for frame in view.frames] == [1, 2, 3]
    assert [frame["names"] for frame in view.frames] == [["name 0", "name 1"], [], []]
    assert [frame["rows"] for frame in view.frames] == [1, 1, 1]


def test_a_slow_view_gets_fewer_frames_and_all_of_the_news() -> None:
    source, quick, slow = FakeSource(), FakeView(), FakeView()
    pump = still_pump(source)
    pump.attach(quick)
    pump.attach(slow)
    pump.pace(slow, 1.0)
    for step in range(1, 41):
        source.head = step
        pump.step(step * 0.05)
    assert len(quick.frames) == 40
    assert len(slow.frames) <= 3
    pump.step(9.0)
    assert sum(frame["rows"] for frame in slow.frames) == 40


def test_whoever_asks_again_gets_everything_and_the_numbers_go_on() -> None:
    source, view = FakeSource(), FakeView()
    source.head = 3
    pump = still_pump(source)
    pump.attach(view)
    pump.step(1.0)
    pump.attach(view)
    pump.step(2.0)
    assert [(frame["frame"], frame["rows"]) for frame in view.frames] == [(1, 3), (2, 3)]


def test_what_was_gone_before_a_view_came_it_has_not_lost() -> None:
    source, view = FakeSource(), FakeView()
    source.oldest, source.head = 100, 130
    pump = still_pump(source)
    pump.attach(view)
    pump.step(1.0)
    source.oldest, source.head = 150, 170
    pump.step(2.0)
    assert [(frame["lost"], frame["rows"]) for frame in view.frames] == [(0, 30), (20, 20)]


def test_rest_comes_once_after_the_last_change() -> None:
    source, view = FakeSource(), FakeView()
    pump = still_pump(source)
    pump.attach(view)
    source.head = 1
    pump.step(1.0)
    for step in range(1, 20):
        pump.step(1.0 + REST + step / 20)
    assert view.rested == 1


def test_entries_are_sent_once_in_pieces() -> None:
    source, view = FakeSource(), FakeView()
    source.audit = FakeTail(1_200)
    pump = still_pump(source)
    pump.attach(view)
    for step in range(1, 6):
        pump.step(float(step))
    lines = [line for frame in view.frames for line in frame["lines"]]
    assert lines == source.audit.lines(-1, 5_000)


def test_the_thread_lives_as_long_as_there_are_views() -> None:
    source, one, two = FakeSource(), FakeView(), FakeView()
    pump = Pump(source)  # type: ignore[arg-type]
    pump.attach(one)
    pump.attach(two)
    assert one.seen.wait(10)
    thread = pump._thread
    assert thread is not None
    assert source.is_open
    pump.detach(one)
    assert pump.running
    pump.detach(two)
    pump.detach(two)
    thread.join(10)
    assert not thread.is_alive()
    assert not pump.running
    assert not source.is_open


def test_the_probe_tells_how_late_the_loop_is() -> None:
    async def main() -> list[float | None]:
        times = iter([0.0, 3.0, 3.0, 4.0, 4.0])
        source = FakeSource()
        loop = asyncio.get_running_loop()
        source.loop = lambda: loop  # type: ignore[method-assign, assignment]
        probe = LoopProbe(source, lambda: next(times))  # type: ignore[arg-type]
        posted = probe.lag()
        late = probe.lag()
        await asyncio.sleep(0)
        return [posted, late, probe.lag()]

    assert asyncio.run(main()) == [0.0, 3.0, 3.0]


def test_when_the_loop_was_late_is_told_once_to_each_view() -> None:
    source, early, late = FakeSource(), FakeView(), FakeView()
    lags = iter([0.001, 0.2, 0.3, 0.0, 0.0])
    pump = still_pump(source)
    pump._probe._measure = lambda: next(lags)  # type: ignore[method-assign]
    pump.attach(early)
    for step in range(4):
        if step == 3:
            pump.attach(late)
        source.head = step
        pump.step(step + 1.0)
    assert [frame["lags"] for frame in early.frames] == [[], [(1, 200.0)], [(1, 300.0)], []]
    assert [frame["lags"] for frame in late.frames] == [[(1, 200.0), (1, 300.0)]]


def test_where_the_loop_was_held_up_is_told_once_though_nothing_else_is_new() -> None:
    source, view = FakeSource(), FakeView()
    pump = still_pump(source)
    pump.attach(view)
    pump.step(1.0)
    source.blocks = [(5, 9, "cell [3]")]
    pump.step(1.1)
    source.blocks = [(5, 9, "cell [3]"), (20, 30, "cell [4]")]
    pump.step(1.2)
    pump.step(1.3)
    told = [frame["blocked"] for frame in view.frames]
    assert told == [[], [(5, 9, "cell [3]")], [(20, 30, "cell [4]")]]
