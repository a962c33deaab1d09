"""Threads of a test's own, and a hub without a loop for them."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from tests.unit.support import PATIENCE
from theus_nb.signals import Signals

if TYPE_CHECKING:
    from collections.abc import Callable


def hub() -> Signals:
    """Return a hub that belongs to no session."""
    return Signals(lambda: None)


def in_thread(function: Callable[[], object]) -> threading.Thread:
    """Call a function in a thread of its own."""
    thread = threading.Thread(target=function)
    thread.start()
    return thread


def joined(thread: threading.Thread) -> None:
    """Wait for a thread to end."""
    thread.join(PATIENCE)
    assert not thread.is_alive()
