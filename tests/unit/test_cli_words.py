"""What theus-nb and %theus make of their words: defaults, quotes, keys, the newest log."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.audit_logs import KEY, NAME, Maker, sample
from theus_nb import cli
from theus_nb.errors import ContractError, UnreadableLogError
from theus_nb.notebook import commands
from theus_nb.notebook.verifying import verdict_bundle
from theus_nb.proof import checkpoint_lines, verify
from theus_nb.session import Session

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def keyed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "audit.key"
    path.write_bytes(KEY)
    path.chmod(0o600)
    monkeypatch.setenv("THEUS_AUDIT_KEY_FILE", str(path))
    return sample(9, key=KEY).write(tmp_path / "keyed")


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    texts: list[str] = []

    def display(bundle: dict[str, str], *, raw: bool) -> None:
        assert raw
        texts.append(bundle["text/plain"])

    monkeypatch.setattr(commands, "display", display)
    return texts


@pytest.fixture
def theus() -> Iterator[Session]:
    session = Session(audit=False)
    yield session
    session.close()


@pytest.mark.parametrize(
    ("option", "end"), [("--perfetto", "perfetto.json"), ("--csv", "csv"), ("--parquet", "parquet")]
)
def test_an_export_without_out_is_named_after_the_log(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    option: str,
    end: str,
) -> None:
    path = sample(9).write(tmp_path / "logs")
    monkeypatch.chdir(tmp_path)
    assert cli.main(["export", str(path), option]) == 0
    assert capsys.readouterr().out.startswith(f"{NAME}.{end}: ")
    assert (tmp_path / f"{NAME}.{end}").stat().st_size
    for words in (["export", path, option, "a"], ["export", option, path, "b"]):
        assert cli.main([str(word) for word in words]) == 0
    assert cli.main(["export", str(path), "c", option]) == 0
    assert {"a", "b", "c"} < {found.name for found in tmp_path.iterdir()}
    with pytest.raises(SystemExit):
        cli.main(["export", str(path), option, "a", "b"])
    with pytest.raises(SystemExit):
        cli.main(["export", str(path), option, "--fast"])


def test_the_key_of_the_environment_is_used(
    keyed: Path,
    theus: Session,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert cli.main(["verify", str(keyed)]) == 0
    assert "with the key" in capsys.readouterr().out
    assert "with the key" in verdict_bundle(theus, str(keyed))["text/plain"]
    monkeypatch.setenv("THEUS_AUDIT_KEY_FILE", str(keyed / "nowhere"))
    assert cli.main(["verify", str(keyed)]) == cli.UNREADABLE
    assert "THEUS_AUDIT_KEY_FILE" in capsys.readouterr().err
    with pytest.raises(UnreadableLogError, match="THEUS_AUDIT_KEY_FILE"):
        verdict_bundle(theus, str(keyed))


def test_quotes_hold_a_name_together(tmp_path: Path, theus: Session, shown: list[str]) -> None:
    path = sample(9).write(tmp_path / "two  words")
    for line in (f"verify '{path}'", f'verify "{path}"'):
        commands.run_command(theus, line)
        assert "consistent to seq 8" in shown.pop()
    theus.audit.note("x")
    commands.run_command(theus, "audit 5 --kind 'note'")
    assert "text=x" in shown.pop()
    with pytest.raises(ContractError, match="no closing quotation"):
        commands.run_command(theus, "verify it's")


def test_follow_takes_the_log_that_was_written_last(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sample(9).write(tmp_path, "20990101T000000Z-00000000")
    os.utime(tmp_path / "20990101T000000Z-00000000" / "000001.jsonl", (1, 1))
    Maker().start().add("note", {"text": "newest"}).end().write(tmp_path, NAME)
    assert cli.main(["show", str(tmp_path), "--follow"]) == 0
    assert "newest" in capsys.readouterr().out


@pytest.mark.parametrize("command", [["show"], ["verify"]])
def test_what_the_terminal_cannot_show_is_escaped(tmp_path: Path, command: list[str]) -> None:
    path = Maker().start().add("note", {"text": "\u2713 \u00fc"}).write(tmp_path, "l\u00f6g")
    done = subprocess.run(
        [sys.executable, "-m", "theus_nb.cli", *command, str(path)],
        env={**os.environ, "PYTHONIOENCODING": "ascii"},
        capture_output=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, b"")
    assert (rb"\u2713 \xfc" if command == ["show"] else rb"l\xf6g") in done.stdout


def test_a_checkpoint_is_about_its_own_segment_only(tmp_path: Path) -> None:
    log = sample(20)
    path = log.write(tmp_path, segments=2)
    kept = tmp_path / "kept.json"
    kept.write_text(checkpoint_lines(verify(path).logs), encoding="utf-8")
    proven = verify(path / "000002.jsonl", kept)
    assert proven.ok
    assert "complete: its last entry is confirmed" in proven.text
    with pytest.raises(UnreadableLogError, match=r"about an entry in 000002\.jsonl, and 000001"):
        verify(path / "000001.jsonl", kept)
    other = sample(9).write(tmp_path, "other")
    reports = [*verify(path).logs, *verify(other).logs]
    kept.write_text(checkpoint_lines(reports), encoding="utf-8")
    assert "is confirmed" in verify(path / "000002.jsonl", kept).text
    with pytest.raises(UnreadableLogError, match=r"about log '000001\.jsonl' or 'logs'"):
        verify(Path(sample(9).write(tmp_path, "logs")) / "000001.jsonl", kept)


def test_an_emptied_log_is_not_proven_complete(tmp_path: Path) -> None:
    path = tmp_path / "000001.jsonl"
    path.touch()
    assert "empty: no entry; completeness not proven" in verify(path).text
