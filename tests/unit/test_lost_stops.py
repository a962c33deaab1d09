"""A request to stop may arrive where nothing can be raised, and is made again then."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import sys
import weakref
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from tests.unit.support import Gate, Signal
from tests.unit.test_stopping import patient, spin
from theus_nb import unraisable
from theus_nb.decorator import process
from theus_nb.errors import RunCancelledError
from theus_nb.stopper import Stopper

if TYPE_CHECKING:
    from theus_nb.context import Context
    from theus_nb.session import Session

pytestmark = pytest.mark.usefixtures("tidy")


class Thing:
    """Weakly referenced, and in a cycle."""

    def __init__(self) -> None:
        self.me = self


class Spinning:
    """Its finalizer ends by an exception that comes from outside, and by nothing else."""

    def __init__(self, started: Signal) -> None:
        self.started = started

    def __del__(self) -> None:
        spin.fn(None, self.started)


@pytest.fixture
def reports(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What the interpreter says it could not raise."""
    found: list[Any] = []
    monkeypatch.setattr(sys, "unraisablehook", lambda report: found.append(report.exc_type))
    return found


@pytest.mark.parametrize("where", ["finalizer", "callback", "collector"])
def test_a_request_that_was_dropped_is_made_again(where: str, reports: list[Any]) -> None:
    @process
    def body(_ctx: Context, started: Signal) -> None:
        if where == "finalizer":
            Spinning(started)
        else:
            thing = Thing()
            reference = weakref.ref(thing, lambda _gone: spin.fn(None, started))
            if where == "callback":
                del thing.me
            del thing
            gc.collect()
            assert reference() is None
        while True:
            pass

    @patient
    async def stops(theus: Session) -> None:
        started = Signal()
        run = theus.start(body, started)
        await started.wait()
        run.cancel("enough")
        with pytest.raises(RunCancelledError, match="enough"):
            await run
        assert run.status == "cancelled"

    before = sys.unraisablehook
    stops()
    assert reports == []
    assert sys.unraisablehook is before


def test_what_others_could_not_raise_is_reported_as_ever(reports: list[Any]) -> None:
    class Failing:
        def __init__(self, error: type[BaseException]) -> None:
            self.error = error

        def __del__(self) -> None:
            raise self.error

    @process
    def held(_ctx: Context, gate: Gate) -> None:
        gate.hold()

    @patient
    async def beside(theus: Session) -> None:
        gate = Gate()
        run = theus.start(held, gate)
        await gate.reached()
        run.cancel()
        for error in (ZeroDivisionError, asyncio.CancelledError):
            Failing(error)
        gate.open()
        with contextlib.suppress(RunCancelledError):
            await run

    beside()
    assert reports == [ZeroDivisionError, asyncio.CancelledError]


def test_whoever_wraps_the_hook_keeps_it(
    reports: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def hear() -> bool:
        return False

    unraisable.listen(hear)
    ours, seen = sys.unraisablehook, list[Any]()

    def theirs(report: Any) -> None:  # noqa: ANN401 - sys.UnraisableHookArgs
        seen.append(report.exc_type)
        ours(report)

    monkeypatch.setattr(sys, "unraisablehook", theirs)
    unraisable.forget(hear)
    unraisable.listen(hear)
    assert sys.unraisablehook is theirs
    theirs(SimpleNamespace(exc_type=asyncio.CancelledError))
    assert seen == reports == [asyncio.CancelledError]
    monkeypatch.setattr(sys, "unraisablehook", ours)
    unraisable.forget(hear)
    assert sys.unraisablehook is not ours


class Clock:
    """Fakes of what a stopper uses; time goes on when somebody turns it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 0.0
        self.alarms: list[tuple[float, Any]] = []
        self.given_up: list[int] = []
        monkeypatch.setattr("theus_nb.stopper.time.monotonic", lambda: self.now)

    def call_later(self, seconds: float, function: Any) -> None:  # noqa: ANN401 - of Timer
        self.alarms.append((self.now + seconds, function))

    def turn(self, to: float) -> None:
        """Let time go by, and call what is due."""
        self.now = to
        due = [alarm for alarm in self.alarms if alarm[0] <= to]
        self.alarms = [alarm for alarm in self.alarms if alarm[0] > to]
        for _, function in due:
            function()

    def holding(self, _run: object) -> Any:  # noqa: ANN401 - of WorkerLanes
        return SimpleNamespace(innermost=None, interrupt=lambda *_: True)

    def abandon(self, run: Any, _error: object) -> None:  # noqa: ANN401 - of Engine
        run.has_ended = True
        self.given_up.append(run.number)


def test_what_was_to_stop_together_is_given_up_together(monkeypatch: pytest.MonkeyPatch) -> None:
    clock: Any = Clock(monkeypatch)
    stopper = Stopper(clock, clock, clock, grace=2.0)
    for number, asked_at in enumerate((0.0, 0.1, 0.2, 1.0)):
        clock.turn(asked_at)
        run: Any = SimpleNamespace(
            number=number, has_ended=False, committing=False, alert=lambda: None
        )
        stopper.stop(run)
    clock.turn(1.9)
    assert clock.given_up == []
    clock.turn(2.0)
    assert clock.given_up == [0, 1, 2]
    clock.turn(2.9)
    assert clock.given_up == [0, 1, 2]
    clock.turn(3.0)
    assert clock.given_up == [0, 1, 2, 3]
