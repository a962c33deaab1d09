"""Nothing that is recorded makes a log that its own verifier refuses."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

import pytest

from tests.unit.audit_support import the_log
from theus_nb.contract import MAX_NAME, Contract, check_path, check_topic
from theus_nb.decorator import process
from theus_nb.errors import ContractError
from theus_nb.process import check_name
from theus_nb.proof import verify
from theus_nb.session import Session

if TYPE_CHECKING:
    import pathlib

    from theus_nb.context import Context

HUGE = 18 << 20
"""More than a line may have."""


def test_errors_and_types_of_any_length_leave_a_log_that_verifies(tmp_path: pathlib.Path) -> None:
    strange: type[Exception] = type("X" * HUGE, (Exception,), {})

    @process(outputs=["domain.x"])
    def write(_ctx: Context) -> object:
        return type("Y" * HUGE, (), {})()

    @process
    def fail(_ctx: Context) -> None:
        raise strange("Z" * HUGE)

    async def main() -> None:
        async with Session(audit_dir=tmp_path, audit_errors="message") as theus:
            with contextlib.suppress(strange):
                await theus.run(fail)
            await theus.run(write)

    asyncio.run(main())
    verdict = verify(tmp_path)
    assert verdict.ok, verdict.text
    assert not verdict.torn
    assert verdict.logs[0].ended
    entries = the_log(tmp_path)
    failed = next(e["detail"] for e in entries if e["kind"] == "run_failed")
    assert len(failed["error"]) == 4096
    assert len(failed["message"]) == 1 << 20
    assert failed["cut"] == ["error", "message"]
    committed = next(e["detail"] for e in entries if e["kind"] == "state_committed")
    assert committed["paths"][0]["type"] == "Y" * 4096


def test_names_that_are_too_long_are_refused_in_a_short_message() -> None:
    long = "x" * (MAX_NAME + 1)
    for refuse in (
        lambda: check_path(long),
        lambda: check_topic(long),
        lambda: check_name(long),
        lambda: Contract.of(side_effects=[long]),
    ):
        with pytest.raises(ContractError, match=f"at most {MAX_NAME} characters") as caught:
            refuse()
        assert len(str(caught.value)) < 200
    check_path(long[:-1])
