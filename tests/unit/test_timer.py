"""The thread that calls functions later."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest

from tests.unit.support import PATIENCE
from theus_nb.timer import Timer

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def timer() -> Iterator[Timer]:
    made = Timer()
    yield made
    made.close(PATIENCE)


def test_in_the_order_of_their_times(timer: Timer) -> None:
    order, done = list[str](), threading.Event()
    timer.call_later(0.03, done.set)
    timer.call_later(0.02, lambda: order.append("second"))
    timer.call_later(0.01, lambda: order.append("first"))
    assert done.wait(PATIENCE)
    assert order == ["first", "second"]


def test_an_alarm_in_a_million_years_does_not_harm_the_others(timer: Timer) -> None:
    done = threading.Event()
    for seconds in (1e300, float("inf")):
        timer.call_later(seconds, lambda: None)
    timer.call_later(0.01, timer.call_later(1e300, lambda: None).cancel)
    timer.call_later(0.02, done.set)
    assert done.wait(PATIENCE)
    done.clear()
    timer.call_later(0.01, done.set)  # heard by a thread that waits for the first two
    assert done.wait(PATIENCE)


def test_an_alarm_taken_back_never_rings(timer: Timer) -> None:
    order, done = list[str](), threading.Event()
    timer.call_later(0.005, lambda: order.append("taken back")).cancel()
    timer.call_later(0.01, done.set)
    assert done.wait(PATIENCE)
    assert order == []


def test_one_that_raises_does_not_keep_the_others(
    timer: Timer, monkeypatch: pytest.MonkeyPatch
) -> None:
    reported, done = list[str](), threading.Event()
    monkeypatch.setattr(threading, "excepthook", lambda what: reported.append(str(what.exc_value)))

    def fails() -> None:
        raise ValueError("told")

    timer.call_later(0, fails)
    timer.call_later(0.001, done.set)
    assert done.wait(PATIENCE)
    assert reported == ["told"]


def test_a_closed_timer_calls_nobody_and_leaves_no_thread() -> None:
    timer, order = Timer(), list[str]()
    timer.call_later(0.005, lambda: order.append("too late"))
    timer.close(PATIENCE)
    timer.call_later(0, lambda: order.append("later still"))
    assert not any(thread.name == "theus timer" for thread in threading.enumerate())
    assert order == []
