"""The picture in a notebook's file is renewed by two threads."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from tests.unit.support import PATIENCE, on_loop
from theus_nb import Session, process
from theus_nb.timeline import widget


@process
async def step(_ctx: object) -> None:
    """Do nothing."""


@on_loop
async def test_the_picture_shown_last_is_the_newest(theus: Session) -> None:
    shown: list[str] = []
    under_way, go_on = threading.Event(), threading.Event()

    def show(data: dict[str, Any], **_more: object) -> None:
        shown.append(data["text/plain"].splitlines()[0])
        if len(shown) == 1:
            under_way.set()
            assert go_on.wait(PATIENCE)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(widget, "update_display", show)
        view = theus.timeline()
        patch.setattr(view, "_display_id", "here")
        await theus.run(step)
        pump = threading.Thread(target=view.refresh)
        pump.start()
        assert under_way.wait(PATIENCE)
        await theus.run(step)
        view.refresh()  # neither waits for the other one nor overtakes it
        assert shown == ["Timeline: 1 finished"]
        go_on.set()
        pump.join(PATIENCE)
        view.close()
    assert shown == ["Timeline: 1 finished", "Timeline: 2 finished"]


@on_loop
async def test_a_picture_that_was_not_shown_is_shown_the_next_time(theus: Session) -> None:
    shown: list[str] = []

    def show(data: dict[str, Any], **_more: object) -> None:
        shown.append(data["text/plain"])
        if len(shown) == 1:
            raise OSError("the front end went away")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(widget, "update_display", show)
        view = theus.timeline()
        patch.setattr(view, "_display_id", "here")
        for _ in range(3):
            view.refresh()
        view.close()
    assert len(shown) == 2
