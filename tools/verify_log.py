"""Verify an audit log with nothing but the standard library: python verify_log.py LOG [KEY_FILE].

A second opinion that shares no code with theus_nb: docs/audit-format.md is all it knows. LOG is a
segment or a directory with segments. Exits with 0 (consistent), 1 (not) or 2 (no verdict).
"""

import hashlib
import hmac
import json
import re
import sys
from contextlib import suppress
from itertools import accumulate
from pathlib import Path
from typing import Any

TAIL = re.compile(rb',"hash":"([0-9a-f]{64})"\}')
STRING = re.compile(rb'"(?:[^"\\]|\\.)*"')
NATURAL = rb"(?:0|[1-9]\d{0,15})"
ENTRY = re.compile(
    rb'\{"seq":(%(n)s),"ts":"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z","mono":%(n)s,"kind":"([a-z_]+)"'
    rb'(?:,"run":%(s)s)?(?:,"process":%(s)s)?(?:,"lane":%(s)s)?(?:,"cell":%(n)s)?'
    rb'(?:,"detail":\{.*\})?(?:,"synced":(-1|%(n)s))?,"prev":"([0-9a-f]{64})"'
    % {b"n": NATURAL, b"s": STRING.pattern}
)
SEGMENT, LINE = re.compile(r"\d{6}\.jsonl"), re.compile(rb"[^\n]*\n|[^\n]+")
ORDER = re.findall(r"\w+", "seq ts mono kind run process lane cell detail synced prev hash")
MAX_LINE, MAX_DEPTH, LOOK_AHEAD, EXACT = 16 << 20, 1 + 32, 1000, range(1 - (1 << 53), 1 << 53)
Line = tuple[str, int, str, str, int | None, str]  # form, seq, prev, hash, synced, kind
EDITED: Line = ("edited", -1, "", "", None, "")


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    if len({key.encode() for key, _ in pairs}) < len(pairs):
        raise ValueError("duplicate key")
    return dict(pairs)


def parse(line: bytes, key: bytes | None) -> Line:
    """Return what a line is: ``entry``, ``malformed``, ``edited``, ``unfinished``; its fields."""
    line, end, _ = line.partition(b"\n")
    text, tail = line[:-75], TAIL.fullmatch(line[-75:])
    own = hmac.new(key, text, "sha256") if key else hashlib.sha256(text)
    if not end or len(line) > MAX_LINE or not tail or own.hexdigest().encode() != tail[1]:
        return EDITED if end else ("unfinished", *EDITED[1:])
    kept: Any = {"parse_int": lambda text: EXACT[EXACT.index(int(text))], "parse_constant": int}
    with suppress(ValueError, KeyError, TypeError, AttributeError, RecursionError):
        one, bare = (
            json.loads(line.decode(), object_pairs_hook=_unique, **kept),
            STRING.sub(b"", text),
        )
        depth = max(accumulate((byte in b"{[") - (byte in b"]}") for byte in bare))
        ordered = [key for key in ORDER if key in one] == list(one) and not bare.split()[1:]
        fits = depth <= MAX_DEPTH and ordered and one.get("synced", -1) < one["seq"]
        if fits and ENTRY.fullmatch(text):
            return "entry", one["seq"], one["prev"], one["hash"], one.get("synced"), one["kind"]
    return ("malformed", *EDITED[1:])


def name(expected: tuple[int, str, str], line: Line, after: list[Line], *, first: bool) -> str:
    """Return the word for what broke the chain, given the expected seq, prev and prev's prev."""
    seq, prev, last_prev = expected
    follows = [one[1:3] == (seq, prev) for one in after] or [False]
    moved = line[1] > seq and any(one[1] == seq for one in after)
    if line[0] != "entry":
        return "malformed" if line[0] == "malformed" else "inserted" if follows[0] else "edited"
    if first and not moved:
        return "wrong segment"
    if line[1] == seq:
        return "inserted" if any(follows) else "edited"
    if line[1] > seq:
        return "reordered" if moved else "missing"
    return "inserted" if line[3] != prev and line[2] in {prev, last_prev} else "duplicated"


def said(segment: Path) -> dict[str, Any]:
    """Return the detail of the first entry, believed as far as it can be read."""
    with suppress(ValueError, LookupError, TypeError, RecursionError):
        one = json.loads(segment.read_bytes().split(b"\n", 1)[-2].decode())
        return dict(one["detail"]) if one["kind"] == "session_started" else {}
    return {}


def verify(path: Path, key: bytes | None = None) -> dict[str, Any]:
    """Return {entries, fault, seq, torn}, `fault` None if all fits; ValueError: no verdict."""
    whole = path.is_dir() or path.name == "000001.jsonl"
    files = sorted(f for f in path.glob("*.jsonl") if SEGMENT.fullmatch(f.name)) or [path]
    beside = files[0].with_name("000001.jsonl")
    start = said(beside if SEGMENT.fullmatch(path.name) and beside.is_file() else files[0])
    every = [(n, LINE.findall(file.read_bytes())) for n, file in enumerate(files)]
    lines = [(number, parse(line, key)) for number, found in every for line in found]
    blind = lines[:1] == [(0, EDITED)] and (key or start.get("keyed") is not False)
    if start.get("format", 1) != 1 or (blind and all(one[0] != "entry" for _, one in lines)):
        raise ValueError("another format version, or no hash fits, perhaps for want of a key")
    seq, prev, last_prev, segment, good = 0 if whole else None, "0" * 64, "0" * 64, -1, 0
    for number, line in lines:
        first, segment = 0 < number != segment, number
        if line[0] != "entry" or (seq is not None and line[1:3] != (seq, prev)):
            break
        seq, last_prev, prev = line[1] + 1, line[2], line[3]
        good += 1
    else:
        return {"entries": good, "fault": None, "seq": None, "torn": False}
    newest = max((one[4] for _, one in lines if one[4] is not None), default=-1)
    torn = (seq or 0) > newest and lines[-1][1][5] != "session_ended"
    after = [one for number, one in lines[good + 1 : good + 1 + LOOK_AHEAD] if number == segment]
    fault = None if torn else name((seq or 0, prev, last_prev), line, after, first=first)
    return {"entries": good, "fault": fault, "seq": seq or 0, "torn": torn}


if __name__ == "__main__":
    try:
        secret = Path(sys.argv[2]).read_bytes().rstrip(b"\r\n") if sys.argv[2:] else None
        print(result := verify(Path(sys.argv[1]), secret))
    except (LookupError, OSError, ValueError) as error:
        print("no verdict:", error, file=sys.stderr)
        sys.exit(2)
    sys.exit(0 if result["fault"] is None else 1)
