"""Files of runs with several attempts, and of runs that are given up while they end."""

# ruff: noqa: PTH208 - these tests look at the disk while nothing else runs

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.unit.file_support import no_temporaries, temporaries
from tests.unit.support import PATIENCE, Gate, on_loop
from theus_nb import process
from theus_nb.errors import FileWriteError, RunCancelledError
from theus_nb.staging import Journal

if TYPE_CHECKING:
    from theus_nb import Context
    from theus_nb._core import Run
    from theus_nb.session import Session


pytestmark = pytest.mark.usefixtures("out_directory")


class Refusing(Journal):
    """Refuses the first commit."""

    def __init__(self) -> None:
        self.intents: list[list[str]] = []

    async def intent(self, files: list[tuple[str, int, str]]) -> None:
        self.intents.append(sorted(Path(path).name for path, *_ in files))
        if len(self.intents) == 1:
            raise FileWriteError("the log is full")

    def written(self, path: str, size: int, sha256: str) -> None:
        """Take notice."""


@pytest.mark.parametrize("lane", ["worker", "loop"])
def test_the_files_of_an_attempt_that_failed_are_gone_before_the_next(lane: str) -> None:
    gate, attempts = Gate(), []

    @process(side_effects=["file:out/*"], retries=1, retry_on=LookupError)
    def in_worker(ctx: Context) -> None:
        attempts.append(1)
        if len(attempts) == 1:
            ctx.files.write_text("out/first.txt", "dropped")
            raise LookupError
        gate.block()
        ctx.files.write_text("out/second.txt", "kept")

    @process(side_effects=["file:out/*"], retries=1, retry_on=LookupError)
    async def on_the_loop(ctx: Context) -> None:
        attempts.append(1)
        if len(attempts) == 1:
            await ctx.files.write_text("out/first.txt", "dropped")
            raise LookupError
        await gate.wait()
        await ctx.files.write_text("out/second.txt", "kept")

    @on_loop
    async def check(theus: Session) -> None:
        run = theus.start(in_worker if lane == "worker" else on_the_loop)
        await gate.reached()
        await no_temporaries()
        gate.open()
        await run
        assert os.listdir("out") == ["second.txt"]

    check()


@on_loop
async def test_an_attempt_after_a_commit_that_failed_can_be_cancelled(theus: Session) -> None:
    refusing = theus.files.journal = Refusing()
    gate, attempts = Gate(), []

    @process(side_effects=["file:out/*"], retries=1, retry_on=FileWriteError)
    def writes(ctx: Context) -> None:
        attempts.append(1)
        ctx.files.write_text("out/a.txt", "new")
        if len(attempts) == 2:
            gate.block()

    run = theus.start(writes)
    await gate.reached()
    assert refusing.intents == [["a.txt"]]
    assert not run.committing
    assert run.cancel()
    gate.open()
    with pytest.raises(RunCancelledError):
        await run
    await no_temporaries()
    assert not os.listdir("out")


@on_loop
async def test_an_attempt_after_a_commit_that_failed_commits(theus: Session) -> None:
    refusing = theus.files.journal = Refusing()

    @process(outputs=["domain.n"], side_effects=["file:out/*"], retries=1, retry_on=FileWriteError)
    def writes(ctx: Context) -> int:
        ctx.files.write_text("out/a.txt", "new")
        return 1

    await theus.run(writes)
    assert refusing.intents == [["a.txt"], ["a.txt"]]
    assert os.listdir("out") == ["a.txt"]
    assert theus.state["domain.n"] == 1


@on_loop
async def test_it_does_on_the_loop_too(theus: Session) -> None:
    refusing = theus.files.journal = Refusing()
    attempts: list[int] = []

    @process(outputs=["domain.n"], side_effects=["file:out/*"], retries=1, retry_on=FileWriteError)
    async def writes(ctx: Context) -> int:
        attempts.append(1)
        await ctx.files.write_text("out/a.txt", "new")
        return len(attempts)

    assert await theus.run(writes) == 2
    assert refusing.intents == [["a.txt"], ["a.txt"]]
    assert os.listdir("out") == ["a.txt"]
    assert theus.state["domain.n"] == 2
    await no_temporaries()


@on_loop
async def test_a_commit_on_the_loop_that_fails_otherwise_is_not_tried_again(theus: Session) -> None:
    refusing = theus.files.journal = Refusing()

    @process(side_effects=["file:out/*"], retries=3, retry_on=LookupError)
    async def writes(ctx: Context) -> None:
        await ctx.files.write_text("out/a.txt", "new")

    with pytest.raises(FileWriteError, match="the log is full"):
        await theus.run(writes)
    assert refusing.intents == [["a.txt"]]
    await no_temporaries()
    assert not os.listdir("out")


@on_loop
async def test_who_is_being_given_up_makes_no_file_visible_any_more(theus: Session) -> None:
    """Either the commit was first or the giving up: never both, whoever is slow."""
    gate, words = Gate(), theus._dispatcher.endings.cancelled

    @process(outputs=["domain.n?"], side_effects=["file:out/*"])
    def late(ctx: Context) -> int:
        ctx.files.write_text("out/a.txt", "new")
        gate.hold()
        return 1

    def slowly(run: Run, reason: object, status: str) -> RunCancelledError:
        """Look for words until the body has tried to commit."""
        gate.open()
        until = time.monotonic() + PATIENCE
        while temporaries() and time.monotonic() < until:
            time.sleep(0.005)
        return words(run, reason, status)

    theus._dispatcher.endings.cancelled = slowly  # type: ignore[method-assign]
    run = theus.start(late)
    await gate.reached()
    run.cancel()
    with pytest.raises(RunCancelledError):
        await run
    assert not os.listdir("out")
    assert "domain.n" not in theus.state
