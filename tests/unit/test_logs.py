"""Reading logs without proving them: what is none of ours is refused, what is torn is read."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.audit_logs import Maker, sample
from theus_nb import cli
from theus_nb.errors import UnreadableLogError
from theus_nb.logs import entries, follow

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("name", ["000001.jsonl", "copy.jsonl"])
def test_another_format_version_is_not_read(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(Maker().start(version=2).fill(9).data)
    with pytest.raises(UnreadableLogError, match="format version 2"):
        list(entries([path]))


def test_another_format_version_is_not_followed(tmp_path: Path) -> None:
    log = Maker().start(version=2).fill(9).write(tmp_path)
    with pytest.raises(UnreadableLogError, match="format version 2"):
        list(follow(log, pytest.fail))


@pytest.mark.parametrize(
    "data", [b"a,b\n1,2\n", b"\x89PNG\r\n", b'{"name":1}\n', b"[]", b"\n"], ids=repr
)
def test_a_foreign_file_is_refused(
    tmp_path: Path, data: bytes, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "old.csv"
    path.write_bytes(data)
    with pytest.raises(UnreadableLogError, match="is not a file of an audit log"):
        list(entries([path]))
    out = tmp_path / "out"
    commands = [["show", path], ["show", path, "--html", out]]
    commands += [["export", path, f"--{kind}", out] for kind in ("csv", "perfetto", "parquet")]
    for words in commands:
        assert cli.main([str(word) for word in words]) == cli.UNREADABLE
        assert "is not a file of an audit log" in capsys.readouterr().err
    assert sorted(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("data", [b"", b'{"se', sample(9).data[:50], b"\0" * 40], ids=len)
def test_what_a_killed_process_leaves_is_read_as_far_as_it_goes(
    tmp_path: Path, data: bytes
) -> None:
    path = tmp_path / "000001.jsonl"
    path.write_bytes(data)
    assert list(entries([path])) == []
