"""Pages come, leave, and sometimes leave without a word."""

from __future__ import annotations

from typing import Any

import pytest

from theus_nb.timeline.model import Table
from theus_nb.timeline.pump import HEARTBEAT
from theus_nb.timeline.widget import PATIENCE, Timeline


class FakeSource:
    """Nothing has run."""

    def table(self, _newest: int) -> Table:
        return Table()

    def now(self) -> int:
        return 0

    def newest(self, _count: int) -> None:
        return None

    def blocked(self) -> list[tuple[int, int, str]]:
        return []


class FakePump:
    """Knows who is shown frames."""

    def __init__(self) -> None:
        self.source = FakeSource()
        self.views: list[Timeline] = []

    def picture(self, view: Timeline) -> None:
        pass

    def attach(self, view: Timeline) -> None:
        self.views.append(view)

    def detach(self, view: Timeline) -> None:
        self.views = [one for one in self.views if one is not view]


class Page:
    """A widget, and what passes on the way to it; the clock is the test's."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 0.0
        monkeypatch.setattr(Timeline, "_clock", staticmethod(lambda: self.now))
        self.pump = FakePump()
        self.widget = Timeline(self.pump)  # type: ignore[arg-type]
        self.sent: list[dict[str, Any]] = []
        monkeypatch.setattr(self.widget, "send", lambda header, _buffers: self.sent.append(header))

    def say(self, op: str, page: str = "a") -> None:
        self.widget._hear(self.widget, {"op": op, "page": page}, [])

    def frames(self, seconds: float, lag: float | None) -> None:
        end = self.now + seconds
        while self.now < end:
            self.now += HEARTBEAT
            if self.pump.views:
                self.widget.deliver({"lag": lag}, [])


@pytest.fixture
def page(monkeypatch: pytest.MonkeyPatch) -> Page:
    """A page that has just opened."""
    made = Page(monkeypatch)
    made.say("sync")
    return made


def test_frames_stop_when_nobody_has_said_a_word_for_long(page: Page) -> None:
    page.frames(PATIENCE - 5, lag=0.001)
    assert page.pump.views
    page.say("here")
    page.frames(PATIENCE - 5, lag=0.001)
    assert page.pump.views, "it is there"
    page.frames(15, lag=0.001)
    assert not page.pump.views
    assert repr(page.widget) == "<Timeline 0 pages open>"
    page.say("here", "b")
    assert page.pump.views, "a page that slept is shown everything again"


def test_while_the_loop_is_held_up_nobody_is_forgotten(page: Page) -> None:
    page.frames(10 * PATIENCE, lag=5.0)
    assert page.pump.views


def test_a_page_that_leaves_in_order_is_gone_at_once(page: Page) -> None:
    page.say("sync", "b")
    page.say("idle")
    assert page.pump.views
    page.say("idle", "b")
    assert not page.pump.views
