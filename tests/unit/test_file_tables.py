"""Tables written through theus.files: compressed and encoded as pandas would, and checked first."""

from __future__ import annotations

import tarfile
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
import pytest

from tests.unit.support import on_loop
from theus_nb.errors import ContractError

if TYPE_CHECKING:
    from theus_nb.session import Session

FRAME = pd.DataFrame({"n": range(1000), "t": ["ü"] * 1000})


@pytest.fixture(autouse=True)
def _in_a_directory_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("end", ["gz", "zip", "bz2", "xz", "tar", "tar.gz", "tar.xz", "GZ"])
def test_a_file_is_compressed_as_its_name_says(end: str) -> None:
    @on_loop
    async def check(theus: Session) -> None:
        await theus.files.write_csv(f"a.csv.{end}", FRAME, index=False)

    check()
    found = Path(f"a.csv.{end}")
    other = Path("pandas")
    other.mkdir()
    FRAME.to_csv(other / found, index=False)
    assert found.read_bytes()[:2] == (other / found).read_bytes()[:2]
    assert found.stat().st_size < FRAME.memory_usage(deep=True).sum() / 4 or end == "tar"
    pd.testing.assert_frame_equal(pd.read_csv(found), FRAME)
    if end == "zip":
        assert zipfile.ZipFile(found).namelist() == ["a.csv"]
    if end.startswith("tar"):
        with tarfile.open(found) as archive:
            assert archive.getnames() == ["a.csv"]


@on_loop
async def test_whoever_says_how_it_is_compressed_is_obeyed(theus: Session) -> None:
    await theus.files.write_csv("a.csv.gz", FRAME, compression=None, index=False)
    pd.testing.assert_frame_equal(pd.read_csv("a.csv.gz", compression=None), FRAME)
    await theus.files.write_csv("a", FRAME, compression={"method": "gzip", "mtime": 1}, index=False)
    pd.testing.assert_frame_equal(pd.read_csv("a", compression="gzip"), FRAME)


@pytest.mark.parametrize("end", ["", ".gz", ".zip"])
@pytest.mark.parametrize(("encoding", "size"), [("utf-16", 2), ("utf-32", 4), ("utf-8-sig", 3)])
def test_the_byte_order_mark_stands_once_at_the_beginning(
    encoding: str, size: int, end: str
) -> None:
    large = pd.concat([FRAME] * 200, ignore_index=True)

    @on_loop
    async def check(theus: Session) -> None:
        await theus.files.write_csv(f"a.csv{end}", large, encoding=encoding, index=False)

    check()
    large.to_csv("pandas.csv", encoding=encoding, index=False)
    if not end:
        assert Path("a.csv").read_bytes() == Path("pandas.csv").read_bytes()
        assert Path("a.csv").read_bytes()[:size].decode(encoding) == ""
    pd.testing.assert_frame_equal(pd.read_csv(f"a.csv{end}", encoding=encoding), large)


@pytest.mark.parametrize(
    ("how", "what", "options", "complaint"),
    [
        ("csv", [1, 2], {}, "a pandas DataFrame or Series, and this is list"),
        ("csv", "a,b", {}, "and this is str"),
        ("csv", pd.DataFrame, {}, "and this is type"),
        ("csv", FRAME, {"mode": "a"}, "mode='a' is not possible"),
        ("parquet", FRAME["n"], {}, "a Series has .to_frame"),
        ("parquet", None, {}, "and this is NoneType"),
    ],
)
def test_what_is_no_table_is_refused_before_anything_is_written(
    how: str, what: object, options: dict[str, Any], complaint: str
) -> None:
    @on_loop
    async def check(theus: Session) -> None:
        with pytest.raises(ContractError, match=complaint):
            getattr(theus.files, f"write_{how}")("nowhere/a", what, **options)

    check()
