"""Files written through theus.files: content, permissions, links, and what goes wrong."""

# ruff: noqa: ASYNC240, PTH208 - these tests look at the disk while nothing else runs

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import os
import stat
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
import pyarrow as pa
import pytest

from tests.unit.support import on_loop
from theus_nb.errors import (
    ContractError,
    FileDeniedError,
    FileWriteError,
    NoDirectoryError,
    NotAFileError,
)
from theus_nb.file_paths import covers, failure
from theus_nb.files import Files

if TYPE_CHECKING:
    from theus_nb.session import Session


@pytest.fixture(autouse=True)
def _in_a_directory_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def names() -> list[str]:
    """Return what lies in the current directory, temporaries included."""
    return sorted(os.listdir())


@on_loop
async def test_a_file_is_written_and_described(theus: Session) -> None:
    written = await theus.files.write_bytes("a.bin", b"hello")
    assert Path("a.bin").read_bytes() == b"hello"
    assert written.path == str(Path("a.bin").resolve())
    assert written.bytes == 5
    assert written.sha256 == hashlib.sha256(b"hello").hexdigest()
    assert names() == ["a.bin"]


def test_a_thread_without_a_loop_blocks_and_gets_the_same() -> None:
    written = Files().write_text(Path("a.txt"), "grün\r\n")
    assert Path("a.txt").read_bytes() == b"gr\xc3\xbcn\r\n"
    assert written.bytes == 7


@on_loop
async def test_json_is_what_json_reads(theus: Session) -> None:
    await theus.files.write_json("a.json", {"ä": [1, None]})
    assert json.loads(Path("a.json").read_text("utf-8")) == {"ä": [1, None]}
    with pytest.raises(TypeError) as refused:
        theus.files.write_json("a.json", {"x": object()})
    assert refused.value.__notes__ == ["'a.json' was not touched"]
    with pytest.raises(ValueError, match="JSON compliant"):
        await theus.files.write_json("a.json", float("nan"))
    assert json.loads(Path("a.json").read_text("utf-8")) == {"ä": [1, None]}


@on_loop
async def test_frames_go_through_pandas(theus: Session) -> None:
    frame = pd.DataFrame({"n": range(1000), "t": ["x"] * 1000})
    written = await theus.files.write_csv("a.csv", frame, index=False)
    pd.testing.assert_frame_equal(pd.read_csv("a.csv"), frame)
    assert written.bytes == Path("a.csv").stat().st_size


@on_loop
async def test_frames_go_as_parquet_through_pyarrow(theus: Session) -> None:
    frame = pd.DataFrame({"n": range(100_000), "t": ["x", "ü"] * 50_000})
    written = await theus.files.write_parquet("a.parquet", frame, index=False)
    pd.testing.assert_frame_equal(pd.read_parquet("a.parquet"), frame)
    assert written.bytes == Path("a.parquet").stat().st_size
    assert names() == ["a.parquet"]


@on_loop
async def test_a_frame_that_parquet_cannot_hold_leaves_the_old_file(theus: Session) -> None:
    Path("a.parquet").write_bytes(b"old")
    with pytest.raises(pa.ArrowInvalid):
        await theus.files.write_parquet("a.parquet", pd.DataFrame({"mixed": [1, "x"]}))
    assert Path("a.parquet").read_bytes() == b"old"


@pytest.mark.parametrize("how", ["csv", "parquet"])
def test_frames_in_a_thread(how: str) -> None:
    frame = pd.DataFrame({"n": [1]})
    getattr(Files(), f"write_{how}")("a", frame, index=False)
    pd.testing.assert_frame_equal(getattr(pd, f"read_{how}")("a"), frame)


@on_loop
async def test_large_data_goes_in_pieces(theus: Session) -> None:
    data = os.urandom(9 << 20)
    written = await theus.files.write_bytes("a.bin", memoryview(data))
    assert written.sha256 == hashlib.sha256(data).hexdigest()
    assert Path("a.bin").read_bytes() == data


@on_loop
async def test_a_stream_appears_at_the_end_of_its_block(theus: Session) -> None:
    async with theus.files.open("a.bin") as out:
        await out.write(b"one ")
        await out.write(bytearray(b"two"))
        assert not Path("a.bin").exists()
    assert Path("a.bin").read_bytes() == b"one two"
    assert out.written is not None
    assert out.written.bytes == 7
    assert names() == ["a.bin"]


def test_a_block_left_by_an_exception_leaves_the_old_file() -> None:
    Path("a.bin").write_bytes(b"old")
    with pytest.raises(LookupError), Files().open("a.bin") as out:
        out.write(b"new")
        raise LookupError
    assert Path("a.bin").read_bytes() == b"old"
    with pytest.raises(FileWriteError, match="not ended well"):
        out.result()


def test_writing_outside_of_the_block_is_refused() -> None:
    with pytest.raises(FileWriteError, match="use it inside its block"):
        Files().open("a.bin").write(b"x")


@on_loop
async def test_overlapping_writes_are_refused(theus: Session) -> None:
    async with theus.files.open("a.bin") as out:
        await out.write(b"x" * 100)
        out._busy = True  # as it is while the disk works
        with pytest.raises(FileWriteError, match="await each write in turn"):
            await out.write(b"y")
    assert Path("a.bin").read_bytes() == b"x" * 100


@on_loop
async def test_with_on_a_loop_is_refused(theus: Session) -> None:
    with pytest.raises(ContractError, match="async with"), theus.files.open("a"):
        pass


@on_loop
async def test_many_at_once(theus: Session) -> None:
    await asyncio.gather(*(theus.files.write_text(f"{n}.txt", str(n)) for n in range(100)))
    assert {int(Path(name).read_text("utf-8")) for name in names()} == set(range(100))
    assert len(names()) == 100


@on_loop
async def test_the_last_of_many_writers_of_one_file_wins_whole(theus: Session) -> None:
    contents = [str(n) * 10_000 for n in range(10)]
    await asyncio.gather(*(theus.files.write_text("a.txt", text) for text in contents))
    assert Path("a.txt").read_text("utf-8") in contents
    assert names() == ["a.txt"]


@on_loop
async def test_a_cancelled_write_leaves_a_complete_file(theus: Session) -> None:
    writing = asyncio.create_task(theus.files.write_bytes("a.bin", b"x" * 1000))
    await asyncio.sleep(0)
    writing.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await writing
    await theus.files.write_bytes("b.bin", b"")
    assert not Path("a.bin").exists() or Path("a.bin").stat().st_size == 1000


@pytest.mark.parametrize("mode", [0o600, 0o644, 0o755])
def test_permissions_are_kept(mode: int) -> None:
    path = Path("a.txt")
    path.write_text("old")
    path.chmod(mode)
    Files().write_text(path, "new")
    assert stat.S_IMODE(path.stat().st_mode) == mode
    assert path.read_text("utf-8") == "new"


def test_new_files_are_as_any_new_file() -> None:
    Files().write_text("a.txt", "x")
    Path("b.txt").write_text("x")
    assert Path("a.txt").stat().st_mode == Path("b.txt").stat().st_mode


def test_symbolic_links_stay_and_lead_to_the_new_content() -> None:
    Path("real").mkdir()
    Path("real/a.txt").write_text("old")
    Path("link.txt").symlink_to("real/a.txt")
    Path("chain.txt").symlink_to("link.txt")
    written = Files().write_text("chain.txt", "new")
    assert Path("chain.txt").is_symlink()
    assert Path("real/a.txt").read_text("utf-8") == "new"
    assert written.path == str(Path("real/a.txt").resolve())


def test_a_dangling_link_makes_its_target() -> None:
    Path("link.txt").symlink_to("new.txt")
    Files().write_text("link.txt", "x")
    assert Path("new.txt").read_text("utf-8") == "x"
    assert Path("link.txt").is_symlink()


@pytest.mark.parametrize(
    ("path", "error", "says"),
    [
        ("missing/a.txt", NoDirectoryError, r"missing'\).mkdir\(parents=True\)"),
        ("file/a.txt", NoDirectoryError, "there is no directory"),
        ("/proc/a.txt", FileWriteError, r"cannot write '/proc/a.txt': (?!there is no directory)"),
        ("directory", NotAFileError, "it is a directory"),
        ("new/", NotAFileError, "add the name of a file"),
        ("", NotAFileError, "add the name of a file"),
        ("pipe", NotAFileError, "no regular file"),
        ("readonly.txt", FileDeniedError, "it is read-only"),
        ("loop", FileWriteError, "symbolic links"),
        ("n" * 300, FileWriteError, "name is too long"),
        ("a\0b", FileWriteError, "NUL"),
        (3, ContractError, "a str or a pathlib.Path"),
    ],
)
def test_what_cannot_be_written_is_explained(
    path: Any,  # noqa: ANN401 - good and bad ones
    error: type[Exception],
    says: str,
) -> None:
    Path("directory").mkdir()
    Path("file").write_text("x")
    Path("readonly.txt").write_text("kept")
    Path("readonly.txt").chmod(0o444)
    Path("loop").symlink_to("loop")
    os.mkfifo("pipe")
    before = names()
    with pytest.raises(error, match=says):
        Files().write_text(path, "x")
    assert names() == before
    assert Path("readonly.txt").read_text("utf-8") == "kept"


def test_a_builtin_exception_catches_too() -> None:
    with pytest.raises(FileNotFoundError) as caught:
        Files().write_text("missing/a.txt", "x")
    assert caught.value.filename == str(Path("missing/a.txt").absolute())


@pytest.mark.parametrize(
    ("step", "kind", "says"),
    [
        ("write", "StorageFull", "the disk is full.*as it was"),
        ("sync", "Other", "as it was"),
        ("create", "ReadOnlyFilesystem", "file system is read-only"),
        ("sync_directory", "Other", "may be gone after a loss of power"),
    ],
)
def test_what_the_disk_says_is_explained(step: str, kind: str, says: str) -> None:
    error = failure("/data/a.txt", step, kind, 5, "it failed")
    with pytest.raises(FileWriteError, match=says):
        raise error
    assert error.errno == 5


@on_loop
async def test_text_that_is_none_touches_nothing(theus: Session) -> None:
    with pytest.raises(UnicodeEncodeError) as caught:
        await theus.files.write_text("a.txt", "\udc80")
    assert "surrogateescape" in caught.value.__notes__[0]
    with pytest.raises(ContractError, match="use write_bytes"):
        theus.files.write_text("a.txt", b"x")  # type: ignore[arg-type]
    with pytest.raises(ContractError, match="use write_text"):
        await theus.files.write_bytes("a.txt", "x")  # type: ignore[arg-type]
    assert not names()


@pytest.mark.parametrize(
    ("pattern", "place", "covered"),
    [
        ("/d/*.csv", "/d/a.csv", True),
        ("/d/*.csv", "/d/x/a.csv", False),
        ("/d/**", "/d/x/y/a.csv", True),
        ("/d/**/a.csv", "/d/a.csv", True),
        ("/d/**/a.csv", "/e/a.csv", False),
        ("/d/../e/*", "/e/a", True),
        ("/d/a.csv", "/d/a.csv", True),
        ("/d", "/d/a.csv", False),
        ("/d/[ab].csv", "/d/c.csv", False),
    ],
)
def test_patterns(pattern: str, place: str, covered: bool) -> None:  # noqa: FBT001 - expected
    assert covers(pattern, place) is covered


def test_threads_write_side_by_side() -> None:
    files = Files()
    threads = [
        threading.Thread(target=files.write_text, args=(f"{n}.txt", str(n))) for n in range(20)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(names()) == 20


@on_loop
async def test_a_file_that_is_replaced_keeps_its_extended_attributes(theus: Session) -> None:
    Path("a.txt").write_bytes(b"old")
    attributes = {"user.origin": b"somewhere", "user.empty": b"", "user.raw": os.urandom(1000)}
    try:
        for name, value in attributes.items():
            os.setxattr("a.txt", name, value)
    except (AttributeError, OSError):
        pytest.skip("this file system, or this system, has none")
    await theus.files.write_text("a.txt", "new")
    assert Path("a.txt").read_bytes() == b"new"
    kept = {name: os.getxattr("a.txt", name) for name in os.listxattr("a.txt")}
    assert {name: kept[name] for name in attributes} == attributes
