"""Declared side effects: what a process may do outside of the state, ``signal:`` and ``file:``."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from theus_nb.access import over
from theus_nb.errors import UndeclaredSideEffectError

if TYPE_CHECKING:
    from collections.abc import Callable

    from theus_nb._core import Access


def require(access: Access, kind: str, needed: str, covers: Callable[[str], bool]) -> None:
    """Check that the contract of a running process declares a side effect.

    Args:
        access: The access of the run.
        kind: ``"signal"`` or ``"file"``.
        needed: What is to be declared after ``kind:``.
        covers: Tells whether a declared pattern, without its ``kind:``, covers what is done.

    Raises:
        UndeclaredSideEffectError: It does not. The run fails even if its body swallows this.
        RunEndedError: The run has ended; a thread that was given up goes on without knowing.
    """
    if access.ended or access.run.has_ended:
        raise over(access)
    contract = access.process.contract
    if contract.is_open:
        return  # like any cell: outside of order and rollback, and free
    prefix = f"{kind}:"
    for effect in contract.side_effects:
        if effect.startswith(prefix) and covers(effect[len(prefix) :].strip()):
            return
    name = access.process.name
    wanted = f"{prefix}{needed}"
    fixed = dataclasses.replace(contract, side_effects=(*contract.side_effects, wanted))
    verb = "publishes the signal" if kind == "signal" else "writes the file"
    listed = ", ".join(contract.side_effects) or "none"
    msg = (
        f"process {name!r} {verb} {needed!r}, which is not among its side_effects ({listed}). "
        f"Declare it:\n    {access.process.declaration(fixed)}"
    )
    error = UndeclaredSideEffectError(msg, process=name, path=needed, run_id=access.run.id)
    access.run.engine.deny(access.run, wanted, verb)
    # Remembered, so that a body that swallows the exception fails all the same.
    if access.violation is None:
        access.violation = error
    raise error
