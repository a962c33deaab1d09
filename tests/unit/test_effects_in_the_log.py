"""Files and signals of runs are told in the audit log, in the order in which they became true."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from theus_nb.decorator import process
from theus_nb.errors import UndeclaredSideEffectError
from theus_nb.session import Session

if TYPE_CHECKING:
    from pathlib import Path

    from theus_nb.context import Context


def test_a_file_is_announced_before_it_is_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "out").mkdir()

    @process(outputs=["domain.n"], side_effects=["file:out/*.txt", "signal:done"])
    async def save(ctx: Context) -> int:
        await ctx.files.write_text("out/a.txt", "kept")
        return 1

    @process(side_effects=["file:out/*.txt"])
    def save_in_worker(ctx: Context) -> None:
        ctx.files.write_text("out/b.txt", "kept")

    @process(side_effects=["signal:done"])
    async def announce(_ctx: Context, theus: Session) -> None:
        theus.signals.publish("done", "the value stays out of the log")

    @process
    async def undeclared(ctx: Context) -> None:
        await ctx.files.write_text("out/c.txt", "dropped")

    async def main() -> None:
        async with Session(audit_dir=tmp_path / "logs") as theus:
            for definition in (save, save_in_worker):
                run = theus.start(definition)
                await run
                kinds = [e["kind"] for e in theus.audit.tail(50) if e.get("run") == run.id]
                told = [k for k in kinds if k != "state_committed"]
                assert told == ["run_started", "commit_intent", "file_written", "run_finished"]
            await theus.run(announce, theus)
            published = theus.audit.query(kind="signal_published")
            assert [entry["detail"] for entry in published] == [{"topic": "done"}]
            with pytest.raises(UndeclaredSideEffectError, match=r"file:out/c\.txt"):
                await theus.run(undeclared)
            denied = theus.audit.query(kind="contract_denied")
            assert [entry["detail"]["path"] for entry in denied] == ["file:out/c.txt"]
            assert theus.audit.verify().ok

    asyncio.run(main())
    assert (tmp_path / "out/a.txt").read_text("utf-8") == "kept"
    assert not (tmp_path / "out/c.txt").exists()
