"""A line must be an entry, whatever its hash says; and whatever strings hold, bytes count."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pytest

from tests.audit_logs import Maker, hash_of, joined, sample, seal
from theus_nb.proof import verify

if TYPE_CHECKING:
    from pathlib import Path

    from theus_nb.verdict import Verdict


def judge(tmp_path: Path, data: bytes) -> Verdict:
    segment = tmp_path / "000001.jsonl"
    segment.write_bytes(data)
    return verify(segment)


MALFORMED: Final = {
    "duplicate key": b'%s,"cell":1,"cell":1',
    "duplicate key in detail": b'%s,"detail":{"a":{"b":1,"b":2}}',
    "escaped duplicate key": rb'%s,"detail":{"a":1,"\u0061":2}',
    "key that is no text": rb'%s,"detail":{"\ud800":1}',
    "many keys, two alike": b'%s,"detail":{'
    + b",".join(b'"k%d":1' % (n % 20) for n in range(21))
    + b"}",
    "unknown key": b'%s,"extra":1',
    "keys out of order": b'%s,"cell":1,"run":"r1"',
    "large integer": b'%s,"detail":{"a":9007199254740992}',
    "leading zero": b'%s,"detail":{"a":01}',
    "space": b'%s, "cell":1',
    "space in detail": b'%s,"detail":{"a": 1}',
    "no JSON": b'%s,"detail":{"a":NaN}',
    "not UTF-8": b'%s,"process":"\xff"',
    "control character": b'%s,"process":"\x01"',
    "deep": b'%s,"detail":{"a":' + b"[" * 40 + b"]" * 40 + b"}",
    "durable too early": b'%s,"synced":1',
    "bad escape": rb'%s,"process":"\x"',
    "short time": b'{"seq":1,"ts":"2026-01-01T00:00:00Z","mono":1,"kind":"note"',
    "strange kind": b'{"seq":1,"ts":"2026-01-01T00:00:00.000000000Z","mono":1,"kind":"No te"',
}
PLAIN: Final = b'{"seq":1,"ts":"2026-01-01T00:00:00.000000000Z","mono":1,"kind":"note"'


@pytest.mark.parametrize("name", MALFORMED)
def test_a_line_whose_hash_fits_must_still_be_an_entry(tmp_path: Path, name: str) -> None:
    start = Maker().start()
    text = MALFORMED[name].replace(b"%s", PLAIN) + b',"prev":"' + start.prev.encode() + b'"'
    line = seal(text)
    start.lines.append(line)
    start.prev = hash_of(line)
    verdict = judge(tmp_path, start.end().data)
    assert verdict.problem is not None
    assert (verdict.problem.fault, verdict.first_bad_seq) == ("malformed", 1), verdict.text


@pytest.mark.parametrize(
    "detail",
    [
        rb'{"text":"\ud800 \udfff alone"}',
        rb'{"text":"\u0000","replaced":["text"]}',
        rb'{"a":[],"b":{},"c":-0,"d":1.5e300,"e":null,"f":[true,false,-9007199254740991]}',
        b"{}",
        b'{"text":"\x7f \xef\xbb\xbf"}',
        b'{"text":"' + b"x" * 3_000_000 + b'"}',
    ],
)
def test_whatever_a_string_holds_the_bytes_are_what_counts(tmp_path: Path, detail: bytes) -> None:
    log = Maker().start()
    text = PLAIN + b',"detail":' + detail + b',"prev":"' + log.prev.encode() + b'"'
    log.lines.append(seal(text))
    log.prev = hash_of(log.lines[-1])
    verdict = judge(tmp_path, log.end().data)
    assert verdict.ok, verdict.text
    assert verdict.entries == 3


def test_a_line_longer_than_any_entry_is_damage_and_is_not_read_whole(tmp_path: Path) -> None:
    log = sample(10)
    verdict = judge(tmp_path, joined([*log.lines[:4], b"x" * (40 << 20), *log.lines[4:]]))
    assert verdict.first_bad_seq == 4
