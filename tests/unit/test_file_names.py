"""Names of files that are no UTF-8, or no names at all."""

# ruff: noqa: ASYNC240 - these tests look at the disk while nothing else runs

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
import pytest

from tests.unit.audit_support import the_log
from tests.unit.support import on_loop
from theus_nb.decorator import process
from theus_nb.errors import FileWriteError
from theus_nb.session import Session

if TYPE_CHECKING:
    from collections.abc import Callable

    from theus_nb.context import Context

RAW = b"a\xff\xe9.txt"


@pytest.fixture(autouse=True)
def _in_a_directory_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    try:
        Path(os.fsdecode(RAW)).touch()
    except OSError:
        pytest.skip("this file system takes no such names")
    Path(os.fsdecode(RAW)).unlink()


@on_loop
async def test_a_name_that_is_no_utf_8_leads_back_to_the_file(theus: Session) -> None:
    written = await theus.files.write_bytes(RAW, b"hello")
    assert os.fsencode(written.path) == os.fsencode(os.path.realpath(os.fsdecode(RAW)))
    assert Path(written.path).read_bytes() == b"hello"
    async with theus.files.open(RAW) as out:
        await out.write(b"again")
    assert out.result().path == written.path


def test_the_log_says_that_such_a_name_is_not_written_as_it_is(tmp_path: Path) -> None:
    @process(side_effects=["file:*.txt"])
    async def write(ctx: Context) -> None:
        await ctx.files.write_bytes(RAW, b"hello")

    async def main() -> None:
        async with Session(audit_dir=tmp_path / "logs") as theus:
            await theus.run(write)

    asyncio.run(main())
    entries = {entry["kind"]: entry for entry in the_log(tmp_path / "logs")}
    written = entries["file_written"]["detail"]
    assert written["path"].endswith("/a\ufffd\ufffd.txt")
    assert written["replaced"] == ["path"]
    assert entries["commit_intent"]["detail"]["replaced"] == ["files"]
    assert Path(os.fsdecode(RAW)).read_bytes() == b"hello"


@on_loop
async def test_a_lone_surrogate_in_a_name_is_refused_with_the_name(theus: Session) -> None:
    name = "a\ud800.txt"
    writes: list[Callable[[], Any]] = [
        lambda: theus.files.write_text(name, "x"),
        lambda: theus.files.write_csv(name, pd.DataFrame()),
    ]
    for write in writes:
        with pytest.raises(FileWriteError, match=r"cannot encode .* in a file name") as caught:
            await write()
        assert caught.value.path == name
    with pytest.raises(FileWriteError, match="in a file name"):
        theus.files.open("a\ud800.txt")
