"""Exceptions whose text cannot be made end a run like any other."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Literal

import pytest

from theus_nb import process
from theus_nb.errors import UpstreamError, text_of
from theus_nb.session import Session

if TYPE_CHECKING:
    from theus_nb import Context


class MuteError(Exception):
    """Ends whatever asks for its text."""

    def __str__(self) -> str:
        raise self.args[0]


@pytest.mark.parametrize("failure", [SystemExit, ValueError, asyncio.CancelledError])
@pytest.mark.parametrize("lane", ["auto", "loop"])
@pytest.mark.parametrize("audit_errors", ["type", "message"])
def test_a_run_fails_with_an_exception_whatever_its_text_does(
    failure: type[BaseException],
    lane: Literal["auto", "loop"],
    audit_errors: Literal["type", "message"],
) -> None:
    @process(outputs=["domain.x"], lane=lane)
    def fail(_ctx: Context) -> None:
        raise MuteError(failure)

    @process(inputs=["domain.x"])
    def later(_ctx: Context) -> None: ...

    async def main() -> None:
        async with Session(audit=False, audit_errors=audit_errors) as theus:
            with pytest.raises(MuteError):
                await theus.run(fail)
            assert theus.runs[-1].status == "failed"
            with pytest.raises(UpstreamError, match="its text cannot be made"):
                await theus.run(later)
            with pytest.raises(UpstreamError, match="its text cannot be made"):
                theus.state["domain.x"]

    asyncio.run(main())


def test_an_interrupt_that_arrives_meanwhile_goes_on() -> None:
    with contextlib.suppress(KeyboardInterrupt):
        text_of(MuteError(KeyboardInterrupt))
        pytest.fail("it was swallowed")
