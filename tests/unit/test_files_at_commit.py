"""How the files of a run become visible: after the intent, before the state, uncancelled."""

# ruff: noqa: ASYNC240, PTH208 - these tests look at the disk while nothing else runs

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.unit.file_support import no_temporaries
from tests.unit.support import Gate, on_loop, settled
from theus_nb import process
from theus_nb.errors import (
    FileWriteError,
)
from theus_nb.session import Session
from theus_nb.staging import Journal

if TYPE_CHECKING:
    from collections.abc import Callable

    from theus_nb import Context


pytestmark = pytest.mark.usefixtures("out_directory")


class Told(Journal):
    """Remembers what it is told, and fails where it is to."""

    def __init__(self, refuse: Callable[[], None] | None = None) -> None:
        self.heard: list[tuple[str, object]] = []
        self._refuse = refuse

    async def intent(self, files: list[tuple[str, int, str]]) -> None:
        self.heard.append(("intent", [Path(path).exists() for path, *_ in files]))
        if self._refuse is not None:
            self._refuse()

    def written(self, path: str, size: int, sha256: str) -> None:
        assert len(sha256) == 64
        self.heard.append(("written", (Path(path).name, size)))


@pytest.mark.parametrize("sync", [True, False])
def test_the_journal_hears_the_intent_before_and_the_files_after(sync: bool) -> None:  # noqa: FBT001
    @process(outputs=["domain.n"], side_effects=["file:out/*"])
    async def writes(ctx: Context) -> int:
        await ctx.files.write_text("out/a.txt", "abc")
        return 1

    @process(outputs=["domain.n"], side_effects=["file:out/*"])
    def writes_in_thread(ctx: Context) -> int:
        ctx.files.write_text("out/a.txt", "abc")
        return 1

    async def main() -> None:
        async with Session() as theus:
            told = theus.files.journal = Told()
            await theus.run(writes_in_thread if sync else writes)
            assert told.heard == [("intent", [False]), ("written", ("a.txt", 3))]

    asyncio.run(main())


@on_loop
async def test_without_a_durable_intent_nothing_becomes_visible(theus: Session) -> None:
    def refuse() -> None:
        raise LookupError

    theus.files.journal = Told(refuse)

    @process(outputs=["domain.n?"], side_effects=["file:out/*"])
    async def writes(ctx: Context) -> int:
        await ctx.files.write_text("out/a.txt", "abc")
        return 1

    # Whoever looks at the exception keeps every frame it has passed, and what they hold.
    with pytest.raises(LookupError) as caught:
        await theus.run(writes)
    await no_temporaries()
    assert not os.listdir("out")
    assert "domain.n" not in theus.state
    assert caught.value.__traceback__ is not None


@on_loop
async def test_a_file_that_cannot_be_put_in_its_place_fails_the_run(theus: Session) -> None:
    @process(outputs=["domain.n?"], side_effects=["file:out/*"])
    async def writes(ctx: Context) -> int:
        await ctx.files.write_text("out/a.txt", "abc")
        Path("out/a.txt").mkdir()
        return 1

    with pytest.raises(FileWriteError):
        await theus.run(writes)
    await no_temporaries()
    assert "domain.n" not in theus.state


class Slow(Told):
    """Holds the commit between the intent and the renames."""

    def __init__(self) -> None:
        super().__init__()
        self.gate = Gate()

    async def intent(self, files: list[tuple[str, int, str]]) -> None:
        await super().intent(files)
        await self.gate.wait()


@on_loop
async def test_from_the_intent_on_a_task_is_cancelled_after_the_commit(theus: Session) -> None:
    slow = theus.files.journal = Slow()

    @process(outputs=["domain.n"], side_effects=["file:out/*"])
    async def writes(ctx: Context) -> int:
        await ctx.files.write_text("out/a.txt", "abc")
        return 1

    task = asyncio.create_task(theus.run(writes))
    await slow.gate.reached()
    task.cancel()
    await settled()
    assert not task.done()
    slow.gate.open()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert Path("out/a.txt").exists()
    assert theus.state["domain.n"] == 1
    assert theus.runs[-1].status == "finished"


@on_loop
async def test_from_the_intent_on_an_owner_cancels_in_vain(theus: Session) -> None:
    slow = theus.files.journal = Slow()

    @process(side_effects=["file:out/*"])
    async def writes(ctx: Context) -> int:
        await ctx.files.write_text("out/a.txt", "abc")
        return 1

    run = theus.start(writes)
    await slow.gate.reached()
    assert not run.cancel()
    slow.gate.open()
    assert await run == 1
