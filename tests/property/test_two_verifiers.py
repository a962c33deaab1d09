"""Two verifiers that share no code agree: the Rust core's, and tools/verify_log.py."""

from __future__ import annotations

import contextlib
import random
from typing import TYPE_CHECKING, Final

import pytest

from tests.audit_logs import GOLDEN, KEY, Maker, covered, joined, rebuilt, sample, seal
from theus_nb.errors import UnreadableLogError
from theus_nb.proof import verify
from tools import verify_log

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

MUTATED: Final = 2_000
"""How many logs a block has. There are five: the first with every `make test`."""

Lines = list[bytes]


def both(path: Path, key: bytes | None = None) -> tuple[object, object]:
    report = verify(path, key=key).logs[0]
    problem, torn = report.problem, report.torn
    ours = {
        "entries": report.entries,
        "fault": problem.fault if problem else None,
        "seq": problem.seq if problem else torn[0] if torn else None,
        "torn": torn is not None,
    }
    return ours, verify_log.verify(path, key)


@pytest.mark.parametrize("name", sorted(path.name for path in GOLDEN.iterdir() if path.is_dir()))
def test_they_agree_on_golden_logs(name: str) -> None:
    ours, theirs = both(GOLDEN / name, KEY if name == "keyed" else None)
    assert ours == theirs


@pytest.mark.parametrize("number", [1, 2])
@pytest.mark.parametrize("copy", ["copy.jsonl", "000001.jsonl", "000007.jsonl"])
def test_neither_judges_a_keyed_segment_without_its_key_whatever_it_is_called(
    tmp_path: Path, number: int, copy: str
) -> None:
    path = tmp_path / copy
    path.write_bytes((GOLDEN / "keyed" / f"00000{number}.jsonl").read_bytes())
    with pytest.raises(UnreadableLogError, match="keyed"):
        verify(path)
    with pytest.raises(ValueError, match="want of a key"):
        verify_log.verify(path)
    if copy != "000001.jsonl" or number == 1:
        ours, theirs = both(path, KEY)
        assert ours == theirs
        assert verify(path, key=KEY).ok


@pytest.mark.parametrize("copy", ["copy.jsonl", "000001.jsonl"])
def test_neither_judges_another_format_version_whatever_the_file_is_called(
    tmp_path: Path, copy: str
) -> None:
    path = tmp_path / copy
    path.write_bytes(Maker().start(version=2).fill(9).data)
    with pytest.raises(UnreadableLogError, match="format version 2"):
        verify(path)
    with pytest.raises(ValueError, match="format version"):
        verify_log.verify(path)
    if copy == "000001.jsonl":
        second = tmp_path / "000002.jsonl"
        second.write_bytes(Maker().start().fill(9).data)
        with pytest.raises(UnreadableLogError, match="format version 2"):
            verify(second)
        with pytest.raises(ValueError, match="format version"):
            verify_log.verify(second)


def flip(rng: random.Random, lines: Lines) -> Lines:
    data = bytearray(joined(lines))
    data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    return [bytes(data)]


def cut(rng: random.Random, lines: Lines) -> Lines:
    data = joined(lines)
    return [data[: rng.randrange(len(data))]]


def hole(rng: random.Random, lines: Lines) -> Lines:
    data = bytearray(joined(lines))
    start = rng.randrange(len(data))
    end = min(len(data), start + rng.randrange(1, 600))
    data[start:end] = b"\0" * (end - start)
    return [bytes(data)]


def delete(rng: random.Random, lines: Lines) -> Lines:
    at = rng.randrange(len(lines))
    return lines[:at] + lines[at + rng.randrange(1, 3) :]


def duplicate(rng: random.Random, lines: Lines) -> Lines:
    at, to = rng.randrange(len(lines)), rng.randrange(len(lines))
    return [*lines[:to], lines[at], *lines[to:]]


def swap(rng: random.Random, lines: Lines) -> Lines:
    one, other = rng.randrange(len(lines)), rng.randrange(len(lines))
    lines[one], lines[other] = lines[other], lines[one]
    return lines


def reseal(rng: random.Random, lines: Lines) -> Lines:
    """Change what one hash covers, and the hash with it: grammar is then all that is left."""
    at = rng.randrange(len(lines))
    text = bytearray(covered(lines[at]))
    for _ in range(rng.randrange(1, 3)):
        place = rng.randrange(len(text))
        text[place : place + rng.randrange(2)] = rng.choice(PIECES)
    lines[at] = seal(bytes(text))
    return lines


def rebuild(rng: random.Random, lines: Lines) -> Lines:
    at = rng.randrange(len(lines))
    lines[at] = seal(covered(lines[at]).replace(b'"mono":', b'"mono":1', 1))
    return rebuilt(lines, first=at) if rng.random() < 0.5 else lines


def insert(rng: random.Random, lines: Lines) -> Lines:
    """Put a forged entry before another one, with its number, its ``prev`` and a hash that fits."""
    at = rng.randrange(len(lines))
    text = covered(lines[at]).replace(b'"mono":', b'"mono":1', 1)
    return [*lines[:at], seal(text) if rng.random() < 0.8 else text, *lines[at:]]


def detail(rng: random.Random, lines: Lines) -> Lines:
    """Put a detail made of random tokens into an entry, with a chain that fits."""
    at = rng.randrange(1, len(lines))
    middle = b"".join(rng.choice(TOKENS) for _ in range(rng.randrange(1, 8)))
    before = covered(lines[at]).partition(b',"detail"')[0].partition(b',"synced"')[0]
    before = before.partition(b',"prev"')[0]
    lines[at] = seal(before + b',"detail":{' + middle + b'},"prev":"' + b"0" * 64 + b'"')
    return rebuilt(lines, first=at)


PIECES: Final = [
    *(bytes([byte]) for byte in b'"\\{}[]:,0-1e.+ \t\n\x00\x7f\xff'),
    *(b"null", b"true", b'"a":1,', b"\\u0061", b"\\ud800", b"{}", b"[]", b"9007199254740992"),
    *(b',"synced":3', b',"cell":1', b',"lane":"loop"', b',"detail":{"a":1}', b'"seq":1,', b"NaN"),
]
TOKENS: Final = [
    *(
        b'"a":1',
        b'"b":[]',
        b'"\\u0061":{}',
        b'"c":-0.5e3',
        b'"d":"\\ud83d"',
        b",",
        b",",
        b",",
        b'"e":01',
    ),
    *(
        b'"f":[1,2]',
        b'"g":{"h":{"i":null}}',
        b'"j":1e999',
        b'"k":-9007199254740991',
        b'"a":2',
        b"}",
    ),
    *(b'"l":' + b"[" * 31 + b"]" * 31, b'"m":' + b"[" * 32 + b"]" * 32, b'"n":Infinity', b'"o":-'),
    *(b'},"synced":0', b'},"lane":{', b'"p":99999999999999999.5', b'"\\ud800":1', b'"q":1.', b" "),
]
MUTATIONS: Final[list[Callable[[random.Random, Lines], Lines]]] = [
    *(flip, cut, hole, delete, duplicate, swap, insert, reseal, rebuild, detail, reseal, detail)
]


def mutated(rng: random.Random, bases: list[Lines]) -> bytes:
    lines = list(rng.choice(bases))
    for _ in range(rng.choice((1, 1, 1, 2))):
        if len(lines) > 1:
            lines = rng.choice(MUTATIONS)(rng, lines)
    raw = len(lines) == 1
    return lines[0] if raw else joined(lines)


@pytest.mark.parametrize(
    "block", [0, *(pytest.param(block, marks=pytest.mark.slow) for block in range(1, 5))]
)
def test_they_agree_on_mutated_logs(tmp_path: Path, block: int) -> None:
    bases = [sample(9).lines, sample(9, every=4).lines, sample(9, every=3).lines[:-1]]
    bases.append(Maker(every=5).start().run(1).add("note", {"text": "a \u2713"}).lines)
    path = tmp_path / "000001.jsonl"
    seen: dict[object, int] = {}
    for seed in range(block * MUTATED, (block + 1) * MUTATED):
        path.write_bytes(mutated(random.Random(seed), bases))  # noqa: S311 - reproducible
        try:
            ours, theirs = both(path)
        except UnreadableLogError:
            # What is foreign or of another version has no verdict to compare; never a good one.
            with contextlib.suppress(ValueError):
                assert verify_log.verify(path)["entries"] == 0, f"seed {seed}"
            seen["refused"] = seen.get("refused", 0) + 1
            continue
        assert ours == theirs, f"seed {seed}"
        assert isinstance(ours, dict)
        word = ours["fault"] or ("torn" if ours["torn"] else "consistent")
        seen[word] = seen.get(word, 0) + 1
    words = {"edited", "missing", "duplicated", "reordered", "inserted", "malformed", "torn"}
    assert words <= seen.keys(), seen
    assert seen.get("refused", 0) < MUTATED // 20, seen
