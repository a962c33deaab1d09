"""What theus-nb writes never harms a log, and is complete or not there."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

import pytest

from tests.audit_logs import sample
from theus_nb import cli, export
from theus_nb.output_file import replacing

if TYPE_CHECKING:
    from pathlib import Path

WAYS: Final = (
    ("show", "--html"),
    ("export", "--csv"),
    ("export", "--perfetto"),
    ("export", "--parquet"),
)


@pytest.mark.parametrize("way", WAYS, ids="".join)
@pytest.mark.parametrize("name", ["000001.jsonl", "000002.jsonl", "000003.jsonl"])
@pytest.mark.parametrize("disguise", ["", "link", "hard link", "copy"])
def test_no_file_of_a_log_is_overwritten(
    tmp_path: Path,
    way: tuple[str, str],
    name: str,
    disguise: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    log = sample(9).write(tmp_path / "logs", segments=2)
    out = log / name
    before = {path: path.read_bytes() for path in log.iterdir()}
    if disguise and name == "000003.jsonl":
        out = log / "000001.jsonl"
    if disguise:
        other = tmp_path / "evidence"
        {"link": other.symlink_to, "hard link": other.hardlink_to}.get(
            disguise, lambda path: other.write_bytes(path.read_bytes())
        )(out)
        out = other
    command, option = way
    assert cli.main([command, str(log), option, str(out)]) == cli.UNREADABLE
    assert "is the place of a file of an audit log" in capsys.readouterr().err
    assert {path: path.read_bytes() for path in log.iterdir()} == before


def test_what_breaks_off_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = sample(9).write(tmp_path / "logs")
    out = tmp_path / "out.csv"
    out.write_text("old", encoding="utf-8")

    def fail(*_: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(export, "write_csv", fail)
    assert cli.main(["export", str(log), "--csv", str(out)]) == cli.UNREADABLE
    assert out.read_text(encoding="utf-8") == "old"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["logs", "out.csv"]


def test_a_file_is_replaced_with_its_mode_and_through_its_link(tmp_path: Path) -> None:
    target, link = tmp_path / "target", tmp_path / "link"
    target.write_text("old", encoding="utf-8")
    target.chmod(0o640)
    link.symlink_to(target)
    with replacing(link) as file:
        file.write_text("new", encoding="utf-8")
        assert target.read_text(encoding="utf-8") == "old"
    assert link.is_symlink()
    assert target.read_text(encoding="utf-8") == "new"
    assert target.stat().st_mode & 0o777 == 0o640


def test_a_pipe_is_written_to_as_it_is(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    try:
        with replacing(pipe) as file:
            file.write_text("hello", encoding="utf-8")
        assert os.read(reader, 10) == b"hello"
    finally:
        os.close(reader)
    assert pipe.is_fifo()
