"""What an audit entry costs, beside what one would write a log with instead.

All contenders write to the same disk in one process, interleaved; only ratios of one run mean
anything. Ours chains and hashes each entry and numbers it; its peers do not. Prints tables and
writes nothing else. Ends with status 1 if a "must" was missed.

Usage: ``python benches/audit.py [--quick]``
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import os
import pathlib
import resource
import shutil
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from functools import partial
from typing import TYPE_CHECKING, Final

import structlog

from benches._measure import Action, Samples, faster, interleave
from benches._report import Goal, facts, table
from theus_nb.session import Session

if TYPE_CHECKING:
    from collections.abc import Sequence

ROOT: Final = pathlib.Path(__file__).parents[1]
ENTRIES: Final = 20_000
TRANSACTIONS: Final = 3_000
"""Of sqlite3: each waits for the disk. As long as the Rust producer takes, so that whatever comes
now and then (a checkpoint of the WAL, a sync of the log) comes to both."""
RUST: Final = 300_000
TEXT: Final = "run r1234 of crunch finished on worker 2 after 12.3 ms; wrote domain.result"

OURS, RECORDED = "theus_nb, notes from Python, synced", "theus_nb, the recording thread's own time"
PRODUCER = "theus_nb, all fields, Rust producer, synced"
LOGGING, SQLITE = "logging to a file, one fsync at the end", "sqlite3 WAL, FULL, a commit each"
STRUCTLOG = "structlog, JSON to a file, one fsync at the end"


def compact(fields: object, **_options: object) -> bytes:
    """Write JSON without spaces, as ours does."""
    return json.dumps(fields, separators=(",", ":")).encode()


class Contenders:
    """Everything that writes entries, set up once."""

    def __init__(self, base: pathlib.Path) -> None:
        self.base = base
        self.session = Session(audit_dir=base / "ours")
        self.recording: list[float] = []
        self.producer: list[dict[str, float]] = []
        self.producer_cpu: list[float] = []
        self._log = logging.getLogger("benches.audit")
        # A stream of its own, so that it can be synced.
        self._file = (base / "logging.txt").open("w", encoding="utf-8")
        self._handler = logging.StreamHandler(self._file)
        form = "%(asctime)s %(name)s %(levelname)s %(message)s"
        self._handler.setFormatter(logging.Formatter(form))
        self._log.addHandler(self._handler)
        self._log.setLevel(logging.INFO)
        self._log.propagate = False
        self._json = (base / "structlog.jsonl").open("wb")
        self._structlog = structlog.wrap_logger(
            structlog.BytesLogger(self._json),
            wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
            processors=[
                structlog.processors.add_log_level,
                structlog.processors.TimeStamper(fmt="iso", utc=True),
                structlog.processors.JSONRenderer(serializer=compact),
            ],
        ).bind()
        self._db = sqlite3.connect(base / "entries.db", isolation_level=None)
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=FULL")
        self._db.execute("CREATE TABLE entries (seq INTEGER PRIMARY KEY, ts REAL, text TEXT)")

    async def ours(self) -> None:
        """Record in portions that the queue has room for, then wait for the disk."""
        audit = self.session.audit
        spent = 0.0
        for _ in range(ENTRIES // 10_000):
            began = time.thread_time()
            for _ in range(10_000):
                audit.note(TEXT)
            spent += time.thread_time() - began
            await audit.sync()
        self.recording.append(spent)

    async def logging(self) -> None:
        """Write with the standard library's logging, which flushes each line."""
        for _ in range(ENTRIES):
            self._log.info(TEXT)
        os.fsync(self._file.fileno())

    async def structlog(self) -> None:
        """Write JSON lines, as its documentation advises for speed but with the standard json."""
        for _ in range(ENTRIES):
            self._structlog.info(TEXT)
        os.fsync(self._json.fileno())

    async def sqlite(self) -> None:
        """Insert with one transaction per entry, each of them durable."""
        for _ in range(TRANSACTIONS):
            self._db.execute("INSERT INTO entries (ts, text) VALUES (?, ?)", (time.time(), TEXT))

    async def rust(self) -> None:
        """Run the core's own measuring program."""
        example = ROOT / "target/release/examples/audit"
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        command = [str(example), str(self.base / "rust"), str(RUST)]
        done = await asyncio.to_thread(
            subprocess.run, command, capture_output=True, text=True, check=True
        )
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        spent = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        # The next round gets the blocks and pages of this one, as sqlite3 gets those of its WAL:
        # memory and disk that a virtual machine touches for the first time cost as much again as
        # everything measured here.
        shutil.rmtree(self.base / "rust")
        self.producer.append(json.loads(done.stdout))
        self.producer_cpu.append(spent / RUST * 1e9)

    def close(self) -> None:
        """End everything."""
        lost = self.session.audit.position[2]
        if lost:
            print(f"WARNING: {lost} entries were lost: the comparison does not hold")
        self.session.close()
        self._file.close()
        self._json.close()
        self._db.close()


def per_entry(samples: Samples) -> Samples:
    """Turn seconds per round into seconds per entry."""
    counts = {OURS: ENTRIES, LOGGING: ENTRIES, STRUCTLOG: ENTRIES, SQLITE: TRANSACTIONS}
    return {name: [s / counts[name] for s in samples[name]] for name in counts}


def run_all(rounds: int) -> int:
    """Measure, print, and return how many goals were missed."""
    build = ["cargo", "build", "--release", "--quiet", "-p", "theus_core", "--example", "audit"]
    subprocess.run(build, check=True, cwd=ROOT)
    with tempfile.TemporaryDirectory(dir=ROOT / "target") as directory:
        field = Contenders(pathlib.Path(directory))
        actions: dict[str, Action] = {
            OURS: field.ours,
            LOGGING: field.logging,
            STRUCTLOG: field.structlog,
            SQLITE: field.sqlite,
            PRODUCER: field.rust,
        }
        samples = asyncio.run(interleave(actions, rounds))
        field.close()
    each = per_entry(samples)
    each[PRODUCER] = [round_["durable_ns"] / 1e9 for round_ in field.producer[1:]]
    each[RECORDED] = [spent / ENTRIES for spent in field.recording[1:]]
    ratio = partial(faster, each)
    goals = [
        Goal("durable entries, Rust producer, against sqlite3", 100, None, "x",
             ratio(PRODUCER, SQLITE)),
        Goal("durable notes from Python, against sqlite3", 10, None, "x", ratio(OURS, SQLITE)),
        Goal("durable notes from Python, against logging", 1, None, "x", ratio(OURS, LOGGING)),
        Goal("durable notes from Python, against structlog", 1, None, "x", ratio(OURS, STRUCTLOG)),
        Goal("cost to the recording Python thread", 250, 100, "ns",
             min(each[RECORDED]) * 1e9),
        Goal("durable, Rust producer, wall time", 1_667, 500, "ns", min(each[PRODUCER]) * 1e9),
    ]  # fmt: skip
    print(table(["what", "must", "aim", "measured", "met?"], (goal.row() for goal in goals)))
    rows = [
        (name, f"{min(s) * 1e9:,.0f} ns", f"{statistics.median(s) * 1e9:,.0f} ns",
         f"{ratio(name, LOGGING):.2f} x")
        for name, s in each.items()
    ]  # fmt: skip
    print("\n" + table(["one entry", "best round", "median round", "faster than logging"], rows))
    inner = field.producer[1:]
    for key in ("record_ns", "encode_ns"):
        print(f"Rust producer, {key}: best {min(r[key] for r in inner)}")
    # All it does, encoding everything a second time by itself included.
    print(
        f"Rust producer, processor time of it all: best {min(field.producer_cpu):.0f} ns per entry"
    )
    versions = f"structlog {structlog.__version__}, sqlite3 {sqlite3.sqlite_version}"
    print(f"\n{facts()}; {versions}; {rounds} rounds; load {os.getloadavg()[0]:.1f}.")
    return sum(goal.missed for goal in goals)


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse the command line and run."""
    parser = argparse.ArgumentParser(description="the audit log beside its peers")
    parser.add_argument("--quick", action="store_true", help="few rounds, rough numbers")
    options = parser.parse_args(arguments)
    return 1 if run_all(3 if options.quick else 11) else 0


if __name__ == "__main__":
    sys.exit(main())
