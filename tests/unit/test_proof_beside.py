"""Logs beside others that cannot be read; and a proof that is broken off."""

from __future__ import annotations

import _thread
import functools
import operator
import os
import sys
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from tests.audit_logs import KEY, Maker, joined, sample
from theus_nb import _core, cli
from theus_nb.errors import UnreadableLogError
from theus_nb.proof import verify
from theus_nb.prune import prune
from theus_nb.session import Session

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

FOREIGN = {
    "foreign": b"\x89PNG\r\n\x1a\n" * 50,
    "newer": Maker().start(version=2).end().data,
    "keyed": sample(10, key=KEY).data,
}


def foreign(base: Path, name: str) -> Path:
    """Write something that is in a log's place and cannot be judged."""
    path = base / name / "000001.jsonl"
    path.parent.mkdir()
    path.write_bytes(FOREIGN[name])
    return path


@pytest.fixture
def mixed(tmp_path: Path) -> Path:
    """Return a directory with a good log among three that cannot be judged."""
    for name in FOREIGN:
        foreign(tmp_path, name)
    sample(20).write(tmp_path, "good")
    return tmp_path


def test_what_cannot_be_read_keeps_nobody_from_reading_the_rest(mixed: Path) -> None:
    verdict = verify(mixed)
    assert not verdict.ok
    assert verdict.bad == []
    assert verdict.problem is None
    assert [log.log for log in verdict.logs if log.ok] == ["good"]
    reasons = {log.log: log.unreadable for log in verdict.unreadable}
    assert set(reasons) == set(FOREIGN)
    assert "none of its lines is an entry" in str(reasons["foreign"])
    assert "format version 2" in str(reasons["newer"])
    assert "--key-file" in str(reasons["keyed"])
    assert "foreign: NOT READABLE: " in verdict.text
    assert verdict.text.endswith("4 logs, 20 entries: 3 of them NOT READABLE")


def test_the_exit_code_tells_the_worst(mixed: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["verify", str(mixed)]) == 2
    log = sample(20)
    path = log.write(mixed, "bad")
    (path / "000001.jsonl").write_bytes(joined([*log.lines[:5], *log.lines[6:]]))
    assert cli.main(["verify", str(mixed)]) == 1
    assert "1 of them NOT CONSISTENT, 3 of them NOT READABLE" in capsys.readouterr().out


@pytest.mark.parametrize("name", FOREIGN)
def test_nothing_to_be_read_is_an_error(tmp_path: Path, name: str) -> None:
    foreign(tmp_path, name)
    with pytest.raises(UnreadableLogError):
        verify(tmp_path)
    assert cli.main(["verify", str(tmp_path)]) == 2


def test_a_log_that_others_saw_and_nobody_can_read_is_not_missing(tmp_path: Path) -> None:
    head = sample(20).head(log="foreign")
    Maker().start(heads=[head]).end().write(tmp_path, "later")
    foreign(tmp_path, "foreign")
    assert [log.log for log in verify(tmp_path).unreadable] == ["foreign"]
    assert verify(tmp_path).bad == []


def test_pruning_leaves_what_it_cannot_read(mixed: Path) -> None:
    done = prune(mixed, timedelta(0))
    assert done.removed == ("good",)
    assert set(done.kept) == set(FOREIGN)


@pytest.mark.skipif(sys.platform == "win32", reason="pipes in directories are a matter of POSIX")
def test_a_pipe_in_a_log_s_place_holds_up_nobody(tmp_path: Path) -> None:
    (tmp_path / "pipe").mkdir()
    os.mkfifo(tmp_path / "pipe" / "000001.jsonl")
    theus = Session(audit_dir=tmp_path)
    theus.audit.note("the next session looks at its neighbours")
    theus.audit.wait(10)
    theus.close()
    assert [log.ok for log in verify(tmp_path).logs] == [True]


def test_an_interrupt_ends_a_proof(tmp_path: Path) -> None:
    path = sample(20).write(tmp_path)
    after: list[object] = []
    # All in C: no bytecode sees the interrupt before the proof does.
    steps: list[Callable[[], object]] = [
        _thread.interrupt_main,
        functools.partial(_core.verify_logs, str(path), key=None, checkpoints=None),
        functools.partial(after.append, "the proof went on"),
    ]
    with pytest.raises(KeyboardInterrupt):
        list(map(operator.call, steps))
    assert after == []


def test_an_interrupted_command_has_proven_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_arguments: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(cli, "verify", interrupted)
    assert cli.main(["verify", str(sample(20).write(tmp_path))]) == 130
