"""Verification finds every change to a log, names the first, and believes an honest log."""

from __future__ import annotations

import os
import re
import shutil
import stat
from typing import TYPE_CHECKING, Final

import pytest

from tests.audit_logs import (
    GOLDEN,
    KEY,
    NAME,
    Maker,
    joined,
    rebuilt,
    sample,
)
from theus_nb.errors import UnreadableLogError
from theus_nb.proof import checkpoint_lines, read_key, verify

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from theus_nb.verdict import Verdict

LENGTH: Final = 50


def judge(tmp_path: Path, data: bytes, key: bytes | None = None) -> Verdict:
    segment = tmp_path / "000001.jsonl"
    segment.write_bytes(data)
    return verify(segment, key=key)


def changed(line: bytes) -> bytes:
    """Return a line with one bit of its middle flipped."""
    middle = len(line) // 2
    return line[:middle] + bytes([line[middle] ^ 1]) + line[middle + 1 :]


MUTATIONS: Final[dict[str, Callable[[list[bytes], int], list[bytes]]]] = {
    "edited": lambda lines, at: [*lines[:at], changed(lines[at]), *lines[at + 1 :]],
    "missing": lambda lines, at: [*lines[:at], *lines[at + 1 :]],
    "duplicated": lambda lines, at: [*lines[: at + 1], *lines[at:]],
    "reordered": lambda lines, at: [*lines[:at], lines[at + 1], lines[at], *lines[at + 2 :]],
    "inserted": lambda lines, at: [
        *lines[:at],
        lines[at].replace(b'"mono":', b'"mono":1', 1),
        *lines[at:],
    ],
    "edited, hash renewed": lambda lines, at: [
        *lines[:at],
        rebuilt([*lines[:at], lines[at].replace(b'"mono":', b'"mono":1', 1)], None, at)[at],
        *lines[at + 1 :],
    ],
    "inserted, hash renewed": lambda lines, at: [
        *lines[: at + 1],
        rebuilt([*lines[:at], lines[at].replace(b'"mono":', b'"mono":1', 1)], None, at)[at],
        *lines[at + 1 :],
    ],
}


@pytest.mark.parametrize("mutation", MUTATIONS)
def test_every_change_to_any_entry_is_found_and_named(tmp_path: Path, mutation: str) -> None:
    lines = sample(LENGTH).lines
    fault = mutation.partition(",")[0]
    for at in range(LENGTH - 2):
        verdict = judge(tmp_path, joined(MUTATIONS[mutation](lines, at)))
        assert not verdict.ok, (mutation, at)
        assert verdict.problem is not None
        assert verdict.problem.fault == fault, (at, verdict.text)
        # A replaced entry is noticed at the next one, a second copy behind the first.
        first = verdict.problem.seq
        assert first in ({at, at + 1} if "," in mutation or fault == "duplicated" else {at})
        assert f"seq {first}" in verdict.text


def test_the_place_is_named_to_the_byte(tmp_path: Path) -> None:
    lines = sample(LENGTH).lines
    path = Maker(lines=[*lines[:20], changed(lines[20]), *lines[21:]]).write(tmp_path, segments=3)
    verdict = verify(path)
    assert verdict.problem is not None
    assert (verdict.problem.seq, verdict.first_bad_seq) == (20, 20)
    place = verdict.problem.place
    assert (place.segment, place.line) == ("000002.jsonl", 4)
    data = (path / place.segment).read_bytes()
    assert data[place.offset :].startswith(b'{"seq":20,')
    assert "NOT CONSISTENT: edited at seq 20 (000002.jsonl line 4, byte" in verdict.text


def test_a_log_cut_anywhere_in_its_last_entry_is_a_valid_prefix(tmp_path: Path) -> None:
    lines = sample(LENGTH).lines
    kept = joined(lines[:-1])
    for length in range(len(lines[-1]) + 1):
        verdict = judge(tmp_path, kept + lines[-1][:length])
        assert verdict.ok, (length, verdict.text)
        assert verdict.entries == LENGTH - 1
        assert verdict.torn == (length > 0)
    assert judge(tmp_path, kept + lines[-1] + b"\n").entries == LENGTH


def test_damage_above_what_was_durable_is_a_torn_tail_and_below_it_is_damage(
    tmp_path: Path,
) -> None:
    lines = sample(LENGTH, every=10).lines[:48]  # Killed; the entry 40 says that 39 is durable.
    for at in range(48):
        hole = b"\0" * len(lines[at])
        verdict = judge(tmp_path, joined([*lines[:at], hole, *lines[at + 1 :]]))
        if at == 40:  # Then the newest that can be read is that of entry 30.
            assert verdict.torn
        assert verdict.ok == (at >= 40), at
        assert verdict.torn == (at >= 40), at
        assert verdict.entries == at


def test_after_an_orderly_end_nothing_is_a_torn_tail(tmp_path: Path) -> None:
    lines = sample(LENGTH, every=10).lines
    verdict = judge(tmp_path, joined([*lines[:45], changed(lines[45]), *lines[46:]]))
    assert verdict.first_bad_seq == 45
    assert not verdict.torn


def test_only_a_checkpoint_shows_a_tail_that_was_cut_off(tmp_path: Path) -> None:
    log = sample(LENGTH)
    path = log.write(tmp_path)
    checkpoint = tmp_path / "checkpoint.json"
    checkpoint.write_text(checkpoint_lines(verify(path).logs), encoding="utf-8")
    proven = verify(path, checkpoint)
    assert proven.ok
    assert "complete: its last entry is confirmed" in proven.text

    (path / "000001.jsonl").write_bytes(joined(log.lines[:30]))
    unproven = verify(path)
    assert unproven.ok
    assert "consistent to seq 29" in unproven.text
    assert "completeness not proven" in unproven.text
    verdict = verify(path, checkpoint)
    assert verdict.problem is not None
    assert (verdict.problem.fault, verdict.first_bad_seq) == ("truncated", 30)


def test_only_a_checkpoint_shows_a_chain_that_was_built_anew(tmp_path: Path) -> None:
    log = sample(LENGTH)
    path = log.write(tmp_path)
    checkpoint = tmp_path / "checkpoint.json"
    checkpoint.write_text(checkpoint_lines(verify(path).logs), encoding="utf-8")
    forged = [*log.lines[:7], log.lines[7].replace(b"crunch", b"munch!"), *log.lines[8:]]
    (path / "000001.jsonl").write_bytes(joined(rebuilt(forged)))
    assert verify(path).ok
    verdict = verify(path, checkpoint)
    assert verdict.problem is not None
    assert verdict.problem.fault == "rebuilt"


def test_a_log_that_grew_since_the_checkpoint_is_proven_up_to_it(tmp_path: Path) -> None:
    log = sample(LENGTH)
    path = log.write(tmp_path)
    checkpoint = tmp_path / "checkpoint.json"
    checkpoint.write_text(str(log.head(20)).replace("'", '"') + "\n", encoding="utf-8")
    assert (
        "complete to seq 20, confirmed from outside; not proven beyond"
        in verify(path, checkpoint).text
    )


@pytest.mark.parametrize(
    "text", ["", "{}", "[1]", '{"format":2}', "\0", '{"format":1,"log":"a","seq":-1}']
)
def test_a_checkpoint_that_is_none_is_refused(tmp_path: Path, text: str) -> None:
    path = sample(5).write(tmp_path)
    checkpoint = tmp_path / "checkpoint.json"
    checkpoint.write_text(text, encoding="utf-8")
    with pytest.raises(UnreadableLogError, match="checkpoint cannot be used"):
        verify(path, checkpoint)


def test_segments_that_do_not_continue_each_other_are_found(tmp_path: Path) -> None:
    log = sample(LENGTH)
    path = log.write(tmp_path, segments=4)
    assert verify(path).ok
    (path / "000002.jsonl").rename(path / "aside")
    (path / "000003.jsonl").rename(path / "000002.jsonl")
    (path / "aside").rename(path / "000003.jsonl")
    verdict = verify(path)
    assert verdict.problem is not None
    assert verdict.problem.fault == "wrong segment"
    assert verdict.problem.place.segment == "000002.jsonl"
    (path / "000002.jsonl").unlink()
    assert not verify(path).ok
    other = Maker(key=b"other").start().fill(LENGTH).write(tmp_path, "other", segments=4)
    shutil.copy(other / "000002.jsonl", path / "000002.jsonl")
    assert not verify(path).ok


def test_one_segment_of_many_can_be_verified_alone(tmp_path: Path) -> None:
    path = sample(LENGTH).write(tmp_path, segments=4)
    verdict = verify(path / "000003.jsonl")
    assert verdict.ok
    assert verdict.entries == 13


def test_a_key_makes_a_chain_that_cannot_be_forged(tmp_path: Path) -> None:
    log = sample(LENGTH, key=KEY)
    assert judge(tmp_path, log.data, KEY).ok
    forged = [log.lines[0], log.lines[1].replace(b"r1", b"r9"), *log.lines[2:]]
    verdict = judge(tmp_path, joined(rebuilt(forged, b"a guess")), KEY)
    assert not verdict.ok
    with pytest.raises(UnreadableLogError, match="its key"):
        judge(tmp_path, log.data)
    wrong = judge(tmp_path, log.data, b"another key, of some length")
    assert wrong.problem is not None
    assert wrong.problem.fault == "wrong key"
    unkeyed = judge(tmp_path, sample(LENGTH).data, KEY)
    assert unkeyed.problem is not None
    assert unkeyed.problem.fault == "unkeyed"


def test_a_removed_or_shortened_log_is_noticed_by_later_ones(tmp_path: Path) -> None:
    first, second = sample(20), sample(30)
    one = first.write(tmp_path, "20260101T000000Z-one")
    second.write(tmp_path, "20260102T000000Z-two")
    heads = [first.head(log="20260101T000000Z-one") | {"end": "ended"}]
    heads += [second.head(log="20260102T000000Z-two") | {"end": "ended"}]
    Maker().start(heads).end().write(tmp_path, "20260103T000000Z-three")
    verdict = verify(tmp_path)
    assert verdict.ok, verdict.text
    assert [log.confirmed for log in verdict.logs] == [19, 29, None]

    (one / "000001.jsonl").write_bytes(joined(first.lines[:10]))
    verdict = verify(tmp_path)
    assert verdict.problem is not None
    assert (verdict.problem.fault, verdict.first_bad_seq) == ("truncated", 10)
    assert "log 20260103T000000Z-three saw entry 19" in verdict.text

    shutil.rmtree(one)
    verdict = verify(tmp_path)
    assert [log.problem.fault for log in verdict.bad if log.problem] == ["missing log"]
    assert verdict.bad[0].log == "20260101T000000Z-one"


def test_files_that_were_announced_and_never_written_are_reported(tmp_path: Path) -> None:
    log = Maker().start().add("commit_intent", {"files": ["out/a.csv", "out/b.csv"]}, run="r1")
    log.add("file_written", {"path": "out/a.csv"}, run="r1")
    open_ = judge(tmp_path, log.data)
    assert open_.ok
    assert "run r1 announced at seq 1 that it writes out/a.csv, out/b.csv" in open_.text
    ended = judge(tmp_path, Maker(lines=list(log.lines), prev=log.prev).end().data)
    assert ended.problem is not None
    assert (ended.problem.fault, ended.first_bad_seq) == ("unfinished commit", 1)
    for kind in ("run_finished", "run_failed"):
        whole = Maker(lines=list(log.lines), prev=log.prev).add(kind, run="r1").end()
        assert judge(tmp_path, whole.data).ok
    written = Maker(lines=list(log.lines), prev=log.prev).add("file_written", run="r1").end()
    assert judge(tmp_path, written.data).ok


def test_a_copy_taken_while_the_writer_appends_is_a_valid_prefix(tmp_path: Path) -> None:
    lines = sample(LENGTH).lines
    path = tmp_path / "000001.jsonl"
    with path.open("ab", buffering=0) as file:
        for number, line in enumerate(lines):
            file.write(line[:100])
            during = verify(path)
            assert during.ok
            assert during.entries == number
            file.write(line[100:] + b"\n")
            path.chmod(stat.S_IRUSR)
            after = verify(path)
            assert after.ok
            assert after.entries == number + 1
            path.chmod(stat.S_IRUSR | stat.S_IWUSR)


@pytest.mark.parametrize(
    "content", [b"hello\nworld\n", b"\x89PNG\r\n\x1a\n" * 50, b"{}\n" * 10, b"text"]
)
def test_a_foreign_file_is_said_to_be_foreign(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(UnreadableLogError, match="not a file of an audit log"):
        judge(tmp_path, content)


def test_what_is_no_log_at_all_is_said_to_be_none(tmp_path: Path) -> None:
    with pytest.raises(UnreadableLogError, match="is no audit log: give a segment"):
        verify(tmp_path)
    with pytest.raises(UnreadableLogError, match="cannot be read"):
        verify(tmp_path / "nowhere")


@pytest.mark.parametrize("version", [0, 2])
def test_another_format_version_is_not_judged(tmp_path: Path, version: int) -> None:
    with pytest.raises(UnreadableLogError, match=f"format version {version}"):
        judge(tmp_path, Maker().start(version=version).end().data)


def test_an_empty_log_is_consistent(tmp_path: Path) -> None:
    verdict = judge(tmp_path, b"")
    assert verdict.ok
    assert "empty" in verdict.text


@pytest.mark.parametrize(
    ("name", "key", "first_bad", "entries"),
    [
        ("plain", None, None, 21),
        ("keyed", KEY, None, 8),
        ("killed", None, None, 7),
        ("edited", None, 2, 2),
    ],
)
def test_golden_logs_of_version_1(
    name: str, key: bytes | None, first_bad: int | None, entries: int
) -> None:
    verdict = verify(GOLDEN / name, key=key)
    assert (verdict.first_bad_seq, verdict.entries) == (first_bad, entries)
    assert verdict.torn == (name == "killed")


def test_the_golden_checkpoint_confirms_its_log() -> None:
    assert verify(GOLDEN / "plain", GOLDEN / "plain.checkpoint").logs[0].confirmed == 20
    assert not verify(GOLDEN / "killed", GOLDEN / "plain.checkpoint").ok


def test_what_a_log_says_cannot_command_the_terminal(tmp_path: Path) -> None:
    log = Maker().start().add("commit_intent", {"files": ["\x1b[2Jgone\u202e"]}, run="r1")
    shown = repr(judge(tmp_path, log.data))
    assert "\x1b" not in shown
    assert "\u202e" not in shown
    assert r"\x1b[2Jgone\u202e" in shown


@pytest.mark.skipif(os.name != "posix", reason="modes are a matter of POSIX")
def test_a_key_that_others_may_read_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "key"
    path.write_bytes(KEY + b"\n")
    path.chmod(0o600)
    assert read_key(path) == KEY
    path.chmod(0o640)
    with pytest.raises(UnreadableLogError, match=re.escape("chmod 600")):
        read_key(path)
    path.chmod(0o600)
    path.write_bytes(b"short")
    with pytest.raises(UnreadableLogError, match="5 bytes"):
        read_key(path)
    with pytest.raises(UnreadableLogError, match="cannot be read"):
        read_key(tmp_path / "none")


def test_a_log_under_another_name_can_be_checked_with_its_checkpoint(tmp_path: Path) -> None:
    log = sample(LENGTH)
    checkpoint = tmp_path / "checkpoint.json"
    checkpoint.write_text(
        checkpoint_lines(verify(log.write(tmp_path, NAME)).logs), encoding="utf-8"
    )
    assert verify(log.write(tmp_path, "copy"), checkpoint).logs[0].confirmed == LENGTH - 1
