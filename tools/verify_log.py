"""Verify an audit log with nothing but the standard library: python verify_log.py LOG [KEY_FILE].

A second opinion that shares no code with theus_nb: docs/audit-format.md is all it knows. LOG is a
segment or a directory with segments. Exits with 0 (consistent), 1 (not) or 2 (not readable).
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
import sys
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
ORDER = re.findall(r"\w+", "seq ts mono kind run process lane cell detail synced prev hash")
MAX_LINE, MAX_DEPTH, MAX_DIGITS, LOOK_AHEAD = 16 << 20, 1 + 32, 17, 1000
Line = tuple[str, int, str, str, int | None, str]  # form, seq, prev, hash, synced, kind
UNFINISHED: Line = ("unfinished", -1, "", "", None, "")


def _integer(text: str) -> int:
    if len(text) > MAX_DIGITS or abs(int(text)) >= 1 << 53:
        raise ValueError(text)
    return int(text)


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    if len({key.encode() for key, _ in pairs}) < len(pairs):
        raise ValueError("duplicate key")
    return dict(pairs)


def _is_entry(text: bytes, whole: dict[str, Any]) -> bool:
    bare = STRING.sub(b"", text)
    depth = max(accumulate((byte in b"{[") - (byte in b"]}") for byte in bare))
    ordered = [key for key in ORDER if key in whole] == list(whole)
    shaped = ENTRY.fullmatch(text) and ordered and depth <= MAX_DEPTH and not bare.split()[1:]
    return bool(shaped) and whole.get("synced", -1) < whole["seq"]


def parse(line: bytes, key: bytes | None) -> Line:
    """Return what a line is: an ``entry``, ``malformed`` or ``edited``, and its fields."""
    text, tail = line[:-75], TAIL.fullmatch(line[-75:])
    own = hmac.new(key, text, "sha256") if key else hashlib.sha256(text)
    if len(line) > MAX_LINE or tail is None or own.hexdigest().encode() != tail[1]:
        return ("edited", -1, "", "", None, "")
    kept: Any = {"parse_int": _integer, "parse_constant": _integer, "object_pairs_hook": _unique}
    try:
        one = json.loads(line.decode(), **kept)
        if _is_entry(text, one):
            return "entry", one["seq"], one["prev"], one["hash"], one.get("synced"), one["kind"]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        pass
    return ("malformed", -1, "", "", None, "")


def name(expected: tuple[int, str, str], line: Line, after: list[Line], *, first: bool) -> str:
    """Return the word for what broke the chain, given the expected seq, prev and prev's prev."""
    seq, prev, last_prev = expected
    if line[0] == "malformed":
        return "malformed"
    if line[0] != "entry":
        return "inserted" if after and after[0][1:3] == (seq, prev) else "edited"
    moved = line[1] > seq and any(one[1] == seq for one in after)
    if first and not moved:
        return "wrong segment"
    if line[1] == seq:
        return "inserted" if any(one[1:3] == (seq, prev) for one in after) else "edited"
    if line[1] > seq:
        return "reordered" if moved else "missing"
    return "inserted" if line[3] != prev and line[2] in {prev, last_prev} else "duplicated"


def verify(path: Path, key: bytes | None = None) -> dict[str, Any]:
    """Return {entries, fault, seq, torn}; `fault` is None for a consistent log."""
    whole = path.is_dir() or path.name == "000001.jsonl"
    inside = sorted(path.iterdir()) if path.is_dir() else [path]
    files = [f for f in inside if f == path or re.fullmatch(r"\d{6}\.jsonl", f.name)]
    lines: list[tuple[int, Line]] = []
    for number, file in enumerate(files):
        *complete, rest = file.read_bytes().split(b"\n")
        lines += [(number, parse(line, key)) for line in complete]
        lines += [(number, UNFINISHED)] if rest else []
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
    if (seq or 0) > newest and lines[-1][1][5] != "session_ended":
        return {"entries": good, "fault": None, "seq": seq or 0, "torn": True}
    after = [one for number, one in lines[good + 1 : good + 1 + LOOK_AHEAD] if number == segment]
    fault = name((seq or 0, prev, last_prev), line, after, first=first)
    return {"entries": good, "fault": fault, "seq": seq or 0, "torn": False}


if __name__ == "__main__":
    if not sys.argv[1:] or not all(Path(arg).exists() for arg in sys.argv[1:]):
        print("usage: verify_log.py LOG [KEY_FILE]", file=sys.stderr)
        sys.exit(2)
    key_bytes = Path(sys.argv[2]).read_bytes().rstrip(b"\r\n") if sys.argv[2:] else None
    print(result := verify(Path(sys.argv[1]), key_bytes))
    sys.exit(0 if result["fault"] is None else 1)
