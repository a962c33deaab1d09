"""A run takes the place of an earlier one that has not ended: a background cell executed again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from theus_nb.attempts import Attempt

if TYPE_CHECKING:
    from theus_nb._core import Run
    from theus_nb.dispatcher import Dispatcher
    from theus_nb.lanes import Call
    from theus_nb.process import Process


def replace(
    dispatcher: Dispatcher,
    old: Run,
    process: Process,
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
) -> Run:
    """Submit a process in place of an unfinished run, and cancel that; see `Session.replace`.

    The new run is there before the old one is cancelled: whoever waits for the old one waits for
    the new one then, and is never told of the cancellation.
    """
    # What Dispatcher.submit and Dispatcher.start do, with another way of admission.
    known, definition = process.defined
    if known is not dispatcher.engine:
        definition = dispatcher.define(process)
    if process.layout.notebook_names:
        dispatcher.zone.sync(dispatcher.engine, process.layout.notebook_names)
    route = dispatcher.output_route
    call: Call = (args, kwargs, route and route())
    lanes = dispatcher.lanes
    run = dispatcher.engine.replace(
        old,
        definition,
        process,
        dispatcher.anywhere(),
        None if process.on_loop else lanes.cells if process.lane == "cell" else lanes.pool,
        Attempt(process, call) if process.has_attempts else call,
    )
    old.cancel(f"replaced by run {run.id}")
    if process.on_loop:
        dispatcher.launch(run, args, kwargs)
    return run
