"""A body in a worker thread that has learnt from us that it is to stop is left to clean up."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

import pytest

from tests.unit.support import PATIENCE, Gate
from theus_nb.decorator import process
from theus_nb.errors import RunCancelledError
from theus_nb.proof import verify
from theus_nb.session import Session

if TYPE_CHECKING:
    from theus_nb.context import Context


@pytest.mark.parametrize("how", ["cancelled", "check_cancelled", "run_sync", "verify"])
def test_who_has_been_told_is_not_disturbed_while_cleaning_up(how: str) -> None:
    async def main() -> None:
        # Who does not stop in all this time would be given up.
        async with Session(grace=PATIENCE) as theus:
            await _told_and_cleaning_up(theus, how)

    asyncio.run(main())


async def _told_and_cleaning_up(theus: Session, how: str) -> None:
    gate, steps = Gate(), list[str]()

    class Hold(logging.Handler):
        """Nothing is raised in code below `logging`: the body looks first."""

        def emit(self, _record: logging.LogRecord) -> None:
            gate.hold()
            try:
                look()
            except (RunCancelledError, asyncio.CancelledError):
                steps.append("told")

    @process
    def short(_ctx: Context) -> None:
        pass

    def look() -> None:
        context = contexts[0]
        if how == "cancelled":
            assert context.cancelled
            steps.append("told")
        elif how == "check_cancelled":
            context.check_cancelled()
        elif how == "verify":
            verify(theus.audit.directory or "")
        else:
            theus.run_sync(short)

    @process
    def tidy(ctx: Context) -> None:
        contexts.append(ctx)
        Hold().handle(logging.makeLogRecord({}))
        for _ in range(1_000_000):
            pass
        steps.append("cleaned")

    contexts: list[Context] = []

    theus.audit.note("something to verify")
    await theus.audit.sync()
    run = theus.start(tidy)
    await gate.reached()
    run.cancel()
    gate.open()
    await run
    assert steps == ["told", "cleaned"]
