"""Pruning removes old logs whole, records what they were, and leaves alone what it should."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

import pytest

from tests.audit_logs import Maker, joined, sample
from theus_nb import cli
from theus_nb.errors import UnreadableLogError
from theus_nb.proof import verify
from theus_nb.prune import parse_age, prune

if TYPE_CHECKING:
    from pathlib import Path

MONTH: Final = timedelta(days=30)
LATER: Final = datetime(2026, 3, 1, tzinfo=UTC)
"""Two months after the logs that the tests make."""


def test_an_old_log_goes_and_its_last_entry_is_remembered(tmp_path: Path) -> None:
    log = sample(20)
    path = log.write(tmp_path, "one")
    Maker().start([log.head(log="one") | {"end": "ended"}]).write(tmp_path, "two")
    assert prune(tmp_path, MONTH, now=datetime(2026, 1, 15, tzinfo=UTC)).removed == ()
    done = prune(tmp_path, MONTH, now=LATER)
    assert done.removed == ("one",)
    assert not path.exists()
    left = json.loads((tmp_path / "pruned.jsonl").read_text(encoding="utf-8"))
    assert (left["log"], left["seq"]) == ("one", 19)
    assert left["hash"] == log.head()["hash"]
    verdict = verify(tmp_path)
    assert verdict.ok
    assert "one: pruned: removed on purpose" in verdict.text


def test_a_record_of_pruning_that_contradicts_a_later_log_is_no_excuse(tmp_path: Path) -> None:
    log = sample(20)
    log.write(tmp_path, "one")
    Maker().start([log.head(log="one")]).end().write(tmp_path, "two")
    prune(tmp_path, timedelta(0), now=LATER)
    pruned = tmp_path / "pruned.jsonl"
    assert verify(tmp_path).ok
    line = json.loads(pruned.read_text(encoding="utf-8").splitlines()[0])
    pruned.write_text(json.dumps(line | {"seq": 10}) + "\n", encoding="utf-8")
    Maker().start([log.head(log="one")]).write(tmp_path, "three")
    assert not verify(tmp_path).ok


def test_a_log_without_a_session_end_stays_however_old(tmp_path: Path) -> None:
    log = sample(20)
    path = log.write(tmp_path, "open")
    (path / "000001.jsonl").write_bytes(joined(log.lines[:-1]))
    os.utime(path / "000001.jsonl", (0, 0))
    done = prune(tmp_path, MONTH, now=LATER)
    assert done.removed == ()
    assert "may still be written" in done.kept["open"]
    assert path.exists()


def test_what_was_tampered_with_stays_as_evidence(tmp_path: Path) -> None:
    log = sample(20)
    path = log.write(tmp_path, "bad")
    (path / "000001.jsonl").write_bytes(joined([*log.lines[:5], *log.lines[6:]]))
    done = prune(tmp_path, MONTH, now=LATER)
    assert "evidence" in done.kept["bad"]
    assert path.exists()


def test_an_interrupted_pruning_is_finished_by_the_next(tmp_path: Path) -> None:
    hidden = sample(20).write(tmp_path, ".pruned-half")
    sample(20).write(tmp_path, "one")
    assert [log.log for log in verify(tmp_path).logs] == ["one"]
    prune(tmp_path, timedelta(days=10_000), now=LATER)
    assert not hidden.exists()


def test_pruning_takes_a_directory_of_logs(tmp_path: Path) -> None:
    path = sample(20).write(tmp_path, "one")
    for wrong in (path, path / "000001.jsonl"):
        with pytest.raises(UnreadableLogError, match="the directory that the logs lie in"):
            prune(wrong, MONTH)


def test_ages_are_written_with_a_unit() -> None:
    assert parse_age("30d") == timedelta(days=30)
    assert parse_age("12h") == timedelta(hours=12)
    for wrong in ("30", "d", "-1d", "1.5d", "1y", ""):
        with pytest.raises(ValueError, match="write 12h, 30d or 4w"):
            parse_age(wrong)


def test_the_command_says_what_it_did(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sample(20).write(tmp_path, "one")
    for age in ("10000w", "999999d", "999999w"):
        assert cli.main(["prune", str(tmp_path), "--keep", age]) == 0
        assert capsys.readouterr().out == "nothing to remove\n"
    assert cli.main(["prune", str(tmp_path), "--keep", "0h"]) == 0
    assert capsys.readouterr().out == "removed one\n"
