"""``ctx.commit()`` of a process that writes notebook variables: they are bound at once."""

from __future__ import annotations

import threading
import weakref
from asyncio import _get_running_loop
from typing import TYPE_CHECKING, Final

from theus_nb.lanes import bridge_for

if TYPE_CHECKING:
    from theus_nb._core import Access
    from theus_nb.dispatcher import Dispatcher

_STEP: Final = 0.2
"""Seconds between looks of a thread that waits for the main thread."""


class NotebookPublisher:
    """Publishes on the main thread, where notebook variables are bound.

    A version and the variable it stands for must change together: between the two, a variable
    would look as if a plain cell had rebound it.

    Args:
        dispatcher: Whose engine and variables these are.
    """

    def __init__(self, dispatcher: Dispatcher) -> None:
        # Weakly: the table of publishers must not keep alive what its key belongs to.
        self._dispatcher = weakref.ref(dispatcher)

    def __call__(self, access: Access, writes: dict[str, object]) -> None:
        """Publish writes and bind those that are variables; from a thread, wait for that.

        Raises:
            NotebookConflictError: A plain cell rebound a variable since the run was submitted.
        """
        dispatcher = self._dispatcher()
        if dispatcher is None:
            return  # the session is gone, and its runs have ended
        loop = dispatcher.loop
        if _get_running_loop() is not None or loop is None or not loop.is_running():
            _publish(dispatcher, access, writes)
            return
        done = threading.Event()
        failures: list[BaseException] = []

        def publish() -> None:
            try:
                _publish(dispatcher, access, writes)
            except BaseException as error:  # noqa: BLE001 - raised in the thread that waits
                failures.append(error)
            finally:
                done.set()

        bridge_for(loop).post(publish)
        # A run that has been given up waits no longer: its next look at the state ends it.
        while not done.wait(_STEP) and not access.run.has_ended:
            pass
        if failures:
            raise failures[0]


def _publish(dispatcher: Dispatcher, access: Access, writes: dict[str, object]) -> None:
    engine, zone = dispatcher.engine, dispatcher.zone
    conflict = zone.conflict(engine, access.run, writes)
    if conflict is not None:
        raise conflict
    version = engine.publish(access.run, writes)
    zone.bind(engine, version, writes, {})
