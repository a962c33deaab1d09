"""Files of processes: staged until the run commits, declared, dropped otherwise."""

# ruff: noqa: ASYNC240, PTH208 - these tests look at the disk while nothing else runs

from __future__ import annotations

import asyncio
import contextlib
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.unit.file_support import no_temporaries, temporaries
from tests.unit.support import Gate, Signal, on_loop
from theus_nb import Contract, Process, process
from theus_nb.errors import (
    MissingOutputError,
    NotebookConflictError,
    RunCancelledError,
    RunEndedError,
    UndeclaredSideEffectError,
)
from theus_nb.notebook_zone import MISSING
from theus_nb.session import Session

if TYPE_CHECKING:
    from collections.abc import Coroutine, Mapping

    from theus_nb import Context


pytestmark = pytest.mark.usefixtures("out_directory")


@on_loop
async def test_a_file_appears_when_its_run_commits(theus: Session) -> None:
    gate = Gate()

    @process(outputs=["domain.n"], side_effects=["file:out/*.txt"])
    async def writes(ctx: Context) -> int:
        written = await ctx.files.write_text("out/a.txt", "new")
        assert written.bytes == 3
        await theus.files.write_text("out/b.txt", "too")
        await gate.wait()
        return 1

    run = theus.start(writes)
    await gate.reached()
    assert not Path("out/a.txt").exists()
    assert len(temporaries()) == 2
    gate.open()
    await run
    assert Path("out/a.txt").read_text("utf-8") == "new"
    assert sorted(os.listdir("out")) == ["a.txt", "b.txt"]
    assert theus.state["domain.n"] == 1


@on_loop
async def test_a_worker_blocks_with_the_same_names(theus: Session) -> None:
    @process(side_effects=["file:out/*"])
    def writes(ctx: Context) -> None:
        ctx.files.write_text("out/a.txt", "1")
        with ctx.files.open("out/b.txt") as out:
            out.write(b"2")
        assert not Path("out/a.txt").exists()

    await theus.run(writes)
    assert sorted(os.listdir("out")) == ["a.txt", "b.txt"]


@pytest.mark.parametrize("sync", [True, False])
def test_a_failing_run_leaves_no_trace(sync: bool) -> None:  # noqa: FBT001 - both ways
    async def main() -> None:
        Path("out/a.txt").write_text("old")

        @process(side_effects=["file:out/*"])
        async def fails(ctx: Context) -> None:
            await ctx.files.write_text("out/a.txt", "new")
            raise LookupError

        @process(side_effects=["file:out/*"])
        def fails_in_thread(ctx: Context) -> None:
            ctx.files.write_text("out/a.txt", "new")
            raise LookupError

        async with Session() as theus:
            with pytest.raises(LookupError):
                await theus.run(fails_in_thread if sync else fails)
            await no_temporaries()
        assert Path("out/a.txt").read_text("utf-8") == "old"

    asyncio.run(main())


@on_loop
async def test_a_run_that_breaks_its_contract_leaves_no_trace(theus: Session) -> None:
    @process(outputs=["domain.n"], side_effects=["file:out/*"])
    async def forgets(ctx: Context) -> None:
        await ctx.files.write_text("out/a.txt", "new")

    with pytest.raises(MissingOutputError):
        await theus.run(forgets)
    await no_temporaries()
    assert not os.listdir("out")


@on_loop
async def test_a_cancelled_run_leaves_no_trace(theus: Session) -> None:
    gate = Gate()

    @process(side_effects=["file:out/*"])
    async def waits(ctx: Context) -> None:
        await ctx.files.write_text("out/a.txt", "new")
        await gate.wait()

    run = theus.start(waits)
    await gate.reached()
    run.cancel()
    with pytest.raises(RunCancelledError):
        await run
    await no_temporaries()
    assert not os.listdir("out")


@on_loop
async def test_an_abandoned_thread_stages_nothing_any_more(theus: Session) -> None:
    gate, refused = Gate(), Signal()

    @process(side_effects=["file:out/*"])
    def goes_on(ctx: Context) -> None:
        ctx.files.write_text("out/a.txt", "new")
        gate.hold()
        with contextlib.suppress(RunEndedError):
            ctx.files.write_text("out/b.txt", "new")
            return
        refused.set()

    run = theus.start(goes_on)
    await gate.reached()
    run.cancel()
    with pytest.raises(RunCancelledError):
        await run
    gate.open()
    await refused.wait()
    await no_temporaries()
    assert not os.listdir("out")


@on_loop
async def test_the_last_write_of_a_run_to_a_file_counts(theus: Session) -> None:
    @process(side_effects=["file:out/*"])
    async def twice(ctx: Context) -> None:
        await ctx.files.write_text("out/a.txt", "1")
        await ctx.files.write_text("out/a.txt", "2")

    await theus.run(twice)
    await no_temporaries()
    assert Path("out/a.txt").read_text("utf-8") == "2"


@pytest.mark.parametrize(
    ("path", "declares"),
    [
        ("out/a.txt", "file:out/a.txt"),
        ("out/../secret.csv", "file:secret.csv"),
        ("out/sub/a.csv", "file:out/sub/a.csv"),
        ("escape/a.csv", "file:{parent}/elsewhere/a.csv"),
        ("out/link.csv", "file:{parent}/elsewhere/target.csv"),
        ("{parent}/a.csv", "file:{parent}/a.csv"),
    ],
)
def test_what_is_not_declared_is_refused(path: str, declares: str, tmp_path: Path) -> None:
    elsewhere = tmp_path.parent / "elsewhere"
    elsewhere.mkdir(exist_ok=True)
    Path("escape").symlink_to(elsewhere)
    Path("out/link.csv").symlink_to(elsewhere / "target.csv")
    path, declares = (text.format(parent=tmp_path.parent) for text in (path, declares))

    @process(side_effects=["file:out/*.csv"])
    async def writes(ctx: Context) -> None:
        with contextlib.suppress(UndeclaredSideEffectError):  # remembered all the same
            await ctx.files.write_text(path, "x")

    async def main() -> None:
        async with Session() as theus:
            with pytest.raises(UndeclaredSideEffectError) as caught:
                await theus.run(writes)
            assert f"side_effects=['file:out/*.csv', {declares!r}]" in str(caught.value)

    asyncio.run(main())
    assert not list(elsewhere.iterdir())


@on_loop
async def test_a_variable_called_files_comes_before_the_service(theus: Session) -> None:
    theus.state["nb.files"] = ["a"]

    @process(inputs=["files"])
    def reads(ctx: Context) -> object:
        return ctx.files

    assert await theus.run(reads) == ["a"]


@on_loop
async def test_an_open_contract_writes_at_once(theus: Session) -> None:
    async def cell(ctx: Context) -> bool:
        await ctx.files.write_text("out/a.txt", "abc")
        return Path("out/a.txt").exists()

    opened = Process.from_cell("cell", cell, Contract.of(is_open=True), source="")
    assert await theus.run(opened)


class Variables:
    """A notebook's variables."""

    def __init__(self, names: dict[str, object]) -> None:
        self.names = names

    def lookup(self, name: str) -> object:
        return self.names.get(name, MISSING)

    def bind(self, values: Mapping[str, object]) -> None:
        self.names.update(values)


@on_loop
async def test_a_notebook_conflict_is_found_before_a_file_changes(theus: Session) -> None:
    names: dict[str, object] = {"table": 1}
    theus.namespace = Variables(names)
    gate = Gate()

    @process(outputs=["table"], side_effects=["file:out/*"])
    def writes(ctx: Context) -> int:
        ctx.files.write_text("out/a.txt", "abc")
        gate.block()
        return 2

    run = theus.start(writes)
    await gate.reached()
    names["table"] = 3
    gate.open()
    with pytest.raises(NotebookConflictError):
        await run
    await no_temporaries()
    assert not os.listdir("out")


@on_loop
async def test_closing_the_session_drops_what_is_staged(theus: Session) -> None:
    gate = Gate()

    @process(side_effects=["file:out/*"])
    def writes(ctx: Context) -> None:
        ctx.files.write_text("out/a.txt", "abc")
        gate.block()

    run = theus.start(writes)
    await gate.reached()
    theus.close()
    await no_temporaries()
    gate.open()
    with pytest.raises(RunCancelledError):
        await run
    assert not os.listdir("out")


@on_loop
async def test_a_cancelled_step_leaves_nothing_behind(theus: Session) -> None:
    # Whoever looks at an exception keeps every frame it has passed, and what they hold.
    held: list[BaseException] = []

    async def cancelled(step: Coroutine[Any, Any, object]) -> None:
        task = asyncio.create_task(step)
        await asyncio.sleep(0)
        task.cancel()
        try:
            await task  # a disk that was quicker than this has done the step
        except asyncio.CancelledError as error:
            held.append(error)

    @process(side_effects=["file:out/*"])
    async def gives_up(ctx: Context) -> None:
        await cancelled(ctx.files.open("out/a.bin").__aenter__())
        stream = await ctx.files.open("out/b.bin").__aenter__()
        await cancelled(stream.__aexit__(None))
        raise LookupError

    with pytest.raises(LookupError):
        await theus.run(gives_up)
    await no_temporaries()
    assert not os.listdir("out")
    assert len(held) <= 2
