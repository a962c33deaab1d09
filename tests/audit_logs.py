"""Audit logs made by hand, from docs/audit-format.md alone: what verifiers are tested with.

``python -m tests.audit_logs`` writes the golden logs of format version 1 anew.
"""

from __future__ import annotations

import dataclasses
import hashlib
import hmac
import json
import re
from pathlib import Path
from typing import Any, Final

GOLDEN: Final = Path(__file__).parent / "golden" / "audit-1"
KEY: Final = b"a key for tests, known to everybody"
NAME: Final = "20260101T000000Z-0a1b2c3d"
ZEROS: Final = "0" * 64
HASH_PART: Final = len(',"hash":"') + 64 + len('"}')


def digest(text: bytes, key: bytes | None) -> str:
    """Return the hash of what stands before ``,"hash":``."""
    if key is None:
        return hashlib.sha256(text).hexdigest()
    return hmac.new(key, text, "sha256").hexdigest()


def seal(text: str | bytes, key: bytes | None = None) -> bytes:
    """Return a line, without its end, from everything that its hash covers."""
    covered = text.encode() if isinstance(text, str) else text
    return covered + f',"hash":"{digest(covered, key)}"}}'.encode()


def hash_of(line: bytes) -> str:
    """Return the hash that a line names."""
    return line[-66:-2].decode()


def covered(line: bytes) -> bytes:
    """Return what a line's hash covers."""
    return line[:-HASH_PART]


@dataclasses.dataclass
class Maker:
    """Makes the lines of one log, one after another.

    Attributes:
        key: What it is keyed with, if it is.
        every: An entry in so many carries ``synced``, the entry before it.
    """

    key: bytes | None = None
    every: int = 1
    lines: list[bytes] = dataclasses.field(default_factory=list)
    prev: str = ZEROS

    def add(self, kind: str, detail: dict[str, Any] | None = None, **fields: Any) -> Maker:  # noqa: ANN401 - JSON
        seq = len(self.lines)
        stamp = f"2026-01-01T00:00:{seq // 1000 % 60:02}.{seq % 1000:03}000001Z"
        entry = {"seq": seq, "ts": stamp, "mono": seq * 1_000_000, "kind": kind, **fields}
        if detail:
            entry["detail"] = detail
        if seq % self.every == 0:
            entry["synced"] = seq - 1
        entry["prev"] = self.prev
        text = json.dumps(entry, separators=(",", ":"), ensure_ascii=False)
        self.lines.append(seal(text[:-1], self.key))
        self.prev = hash_of(self.lines[-1])
        return self

    def start(self, heads: list[dict[str, Any]] | None = None, version: int = 1) -> Maker:
        detail = {"format": version, "session": "0a1b2c3d", "keyed": self.key is not None}
        return self.add(
            "session_started",
            {
                **detail,
                "python": "3.13.1",
                "theus_nb": "0.1.0",
                "notebook": "a.ipynb",
                "heads": heads or [],
            },
        )

    def run(self, number: int, process: str = "crunch", read: int | None = None) -> Maker:
        """Add the entries of one run that reads and writes ``domain.raw``."""
        who = {
            "run": f"r{number}",
            "process": process,
            "lane": f"worker {number % 4}",
            "cell": number,
        }
        submitted = len(self.lines) * 1_000_000 - 500
        reads = [] if read is None else [["domain.raw", read]]
        self.add("run_started", {"submitted": submitted, "reads": reads}, **who)
        started = (len(self.lines) - 1) * 1_000_000
        paths = [{"path": "domain.raw", "type": "pandas.DataFrame", "shape": [3, 4], "bytes": 96}]
        self.add("state_committed", {"version": number, "paths": paths}, **who)
        return self.add("run_finished", {"submitted": submitted, "started": started}, **who)

    def end(self) -> Maker:
        return self.add("session_ended")

    def fill(self, entries: int) -> Maker:
        """Add runs until the log has so many entries, a `session_ended` included."""
        number = 0
        while len(self.lines) + 4 <= entries:
            number += 1
            self.run(number, read=number - 1)
        while len(self.lines) + 1 < entries:
            self.add("note", {"text": f'note {len(self.lines)}: ünï ✓ " \\ \n'})
        return self.end()

    @property
    def data(self) -> bytes:
        return joined(self.lines)

    def write(self, directory: Path, name: str = NAME, segments: int = 1) -> Path:
        """Write the log below a directory, cut into segments of about one size."""
        log = directory / name
        log.mkdir(parents=True, exist_ok=True)
        size = -(-len(self.lines) // segments)
        for number in range(segments):
            part = self.lines[number * size : (number + 1) * size]
            (log / f"{number + 1:06}.jsonl").write_bytes(joined(part))
        return log

    def head(self, seq: int = -1, log: str = NAME) -> dict[str, Any]:
        """Return what a checkpoint or a later log says of an entry."""
        seq = seq % len(self.lines)
        return {
            "format": 1,
            "log": log,
            "segment": "000001.jsonl",
            "seq": seq,
            "hash": hash_of(self.lines[seq]),
        }


def joined(lines: list[bytes]) -> bytes:
    return b"".join(line + b"\n" for line in lines)


def sample(entries: int = 50, *, key: bytes | None = None, every: int = 1) -> Maker:
    """Return a log of so many entries that ends in order."""
    return Maker(key, every).start().fill(entries)


def rebuilt(lines: list[bytes], key: bytes | None = None, first: int = 0) -> list[bytes]:
    """Return lines with numbers and hashes made to fit, as whoever can rewrite all of it would."""
    result: list[bytes] = []
    for seq, line in enumerate(lines):
        if seq < first:
            result.append(line)
            continue
        prev = hash_of(result[-1]) if result else ZEROS
        text = re.sub(rb'"prev":"[0-9a-f]{64}"$', f'"prev":"{prev}"'.encode(), covered(line))
        text = re.sub(rb'^\{"seq":\d+', f'{{"seq":{seq}'.encode(), text)
        result.append(seal(text, key))
    return result


def write_golden() -> None:
    """Write the golden logs of format version 1, with the verdicts expected of verifiers."""
    full = Maker().start().run(1).run(2, read=1)
    who = {"run": "r3", "process": "écrire ✓", "lane": "loop", "cell": 7}
    full.add(
        "process_defined",
        {"contract": {"inputs": ["domain.raw"]}, "source_sha256": ZEROS, "kind": "async"},
    )
    full.add("run_started", {"parent": "r2", "submitted": 9, "reads": [["domain.raw", 2]]}, **who)
    full.add("contract_denied", {"path": "domain.\u0000b\u202e", "verb": "write"}, **who)
    full.add("run_retried", {"attempt": 2, "error": "TimeoutError"}, **who)
    full.add("commit_intent", {"files": [{"path": "out/a.csv", "sha256": ZEROS}]}, **who)
    full.add("file_written", {"path": "out/a.csv", "bytes": 12, "sha256": ZEROS}, **who)
    full.add("signal_published", {"topic": "prices"}, **who)
    full.add(
        "run_failed", {"error": "ValueError", "frames": [["a.py", 3, "f"]], "submitted": 9}, **who
    )
    full.add("run_cancelled", run="r4", process="a").add("run_abandoned", run="r5", process="b")
    full.add("loop_blocked", {"ms": 12.5, "where": "a.py:3"})
    full.add("note", {"text": "\ufffd and \x7f", "replaced": ["text"]})
    full.add("dropped", {"count": 3, "why": "queue full"}).end()
    logs = {
        "plain": full.lines,
        "keyed": sample(8, key=KEY).lines,
        "killed": sample(8).lines[:-1],
        "edited": [
            *full.lines[:2],
            full.lines[2].replace(b"domain.raw", b"domain.Raw"),
            *full.lines[3:],
        ],
    }
    for name, lines in logs.items():
        directory = GOLDEN / name
        directory.mkdir(parents=True, exist_ok=True)
        half = len(lines) // 2
        (directory / "000001.jsonl").write_bytes(joined(lines[:half]))
        (directory / "000002.jsonl").write_bytes(joined(lines[half:]))
    with (GOLDEN / "killed" / "000002.jsonl").open("ab") as file:
        file.write(sample(8).lines[-1][:40])
    (GOLDEN / "plain.checkpoint").write_text(
        json.dumps(full.head(log="plain")) + "\n", encoding="utf-8"
    )


if __name__ == "__main__":
    write_golden()
