"""The end of a session: everybody who is waited for shares one budget."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import pytest

from tests.unit.support import PATIENCE, Gate, on_loop
from theus_nb.deadline import COROUTINES, EXIT, LEAVING, THREADS, Deadline
from theus_nb.decorator import process
from theus_nb.session import Session

if TYPE_CHECKING:
    from collections.abc import Callable

    from theus_nb.context import Context


class Clock:
    """Stands still until it is moved."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_a_deadline_does_not_move() -> None:
    clock = Clock()
    deadline = Deadline(1.5, clock)
    assert deadline.left() == 1.5
    clock.now += 1
    assert deadline.left() == 0.5
    clock.now += 1
    assert deadline.left() == 0


def test_a_part_begins_when_it_is_asked_for_and_ends_with_the_whole() -> None:
    clock = Clock()
    whole = Deadline(1.0, clock)
    clock.now += 0.5
    part = whole.within(0.25)
    assert part.left() == 0.25
    assert whole.within(5).left() == 0.5
    clock.now += 0.25
    assert (part.left(), whole.left()) == (0, 0.25)


def test_something_is_left_for_the_audit_log() -> None:
    assert EXIT - THREADS - LEAVING - COROUTINES > 0.1


def test_who_is_waited_for_takes_from_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each of them uses up all that it is given; together they use up the budget, and no more."""
    clock = Clock()
    theus = Session(audit=False)
    dispatcher = theus._dispatcher
    given: dict[str, float] = {}

    def waits(name: str) -> Callable[..., None]:
        def close(*arguments: Any) -> None:  # noqa: ANN401 - seconds or a deadline, last
            last = arguments[-1]
            given[name] = last.left() if isinstance(last, Deadline) else last
            clock.now += given[name]

        return close

    parts = [dispatcher.stopper, dispatcher.timer, dispatcher.lanes, theus.watch, theus.audit]
    for part in parts:
        name = type(part).__name__
        monkeypatch.setattr(part, "close", waits(name))
    began = clock.now
    theus.close_at_exit(Deadline(EXIT, clock))
    monkeypatch.undo()
    for part in (dispatcher.timer, theus.watch):
        part.close()
    dispatcher.lanes.close(Deadline(PATIENCE))
    assert list(given) == ["Timer", "Stopper", "WorkerLanes", "LoopWatch", "Audit"]
    assert clock.now - began == pytest.approx(EXIT)
    assert given["Stopper"] == pytest.approx(THREADS)
    assert given["Timer"] == pytest.approx(LEAVING)
    assert given["WorkerLanes"] == given["LoopWatch"] == 0
    assert given["Audit"] == pytest.approx(EXIT - THREADS - LEAVING)


@on_loop
async def test_a_thread_that_was_given_up_is_not_waited_for(theus: Session) -> None:
    gate = Gate()

    @process
    def hold(_ctx: Context) -> None:
        gate.hold()

    before = set(threading.enumerate())
    run = theus.start(hold)
    await gate.reached()
    [thread] = [t for t in threading.enumerate() if t not in before and "worker" in t.name]
    asked: list[float | None] = []
    thread.join = asked.append  # type: ignore[method-assign,assignment]
    theus.close()
    assert (run.status, asked) == ("abandoned", [])
    gate.open()
