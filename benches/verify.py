"""What proving a log costs: entries per second and memory, beside what one would do instead.

The log is made here, in a temporary directory, and read from the page cache by all contenders, one
after another in every round. Prints a table and writes nothing. Ends with status 1 if the "must"
was missed.

Usage: ``python benches/verify.py [--quick]``
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

from benches._measure import faster, interleave
from tests.audit_logs import digest
from theus_nb.proof import verify
from tools import verify_log

if TYPE_CHECKING:
    from collections.abc import Callable

ENTRIES: Final = 1_000_000
SEGMENT: Final = 200_000
SHARE: Final = 20
"""Plain Python is given one entry in so many, and its time multiplied."""
MUST: Final = 0.8e6
AIM: Final = 3e6
KEY: Final = b"a key for a benchmark"

MEMORY: Final = """
import resource, sys
from tests.audit_logs import digest
from theus_nb.proof import verify
assert len(sys.argv) == 1 or verify(sys.argv[1]).ok
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def make_log(directory: Path, count: int, key: bytes | None = None) -> int:
    """Write a log of so many entries, all fields in each; return its size in bytes."""
    directory.mkdir()
    prev = "0" * 64
    for segment in range(-(-count // SEGMENT)):
        with (directory / f"{segment + 1:06}.jsonl").open("w", encoding="utf-8") as file:
            for seq in range(segment * SEGMENT, min(count, (segment + 1) * SEGMENT)):
                text = (
                    f'{{"seq":{seq},"ts":"2026-01-01T00:00:00.{seq:09}Z","mono":{seq * 1000},'
                    f'"kind":"run_finished","run":"r{seq}","process":"crunch","lane":"worker 2",'
                    f'"cell":12,"detail":{{"submitted":{seq * 900},"started":{seq * 950}}},'
                    f'"synced":{seq - 1},"prev":"{prev}"'
                )
                prev = digest(text.encode(), key)
                file.write(f'{text},"hash":"{prev}"}}\n')
    return sum(file.stat().st_size for file in directory.iterdir())


def hash_files(directory: Path) -> None:
    """Hash the bytes once, in one thread: the least that any proof has to do."""
    for file in sorted(directory.iterdir()):
        with file.open("rb") as data:
            hashlib.file_digest(data, "sha256")


def parse_lines(directory: Path) -> None:
    """Parse the lines, as whoever reads the log does, and prove nothing."""
    for file in sorted(directory.iterdir()):
        with file.open("rb") as data:
            for line in data:
                json.loads(line)


def cpu_time(function: Callable[[], object]) -> float:
    """Return the seconds that all threads together compute: what other programs leave alone."""
    began = time.process_time()
    function()
    return time.process_time() - began


async def call(function: Callable[[], object]) -> None:
    """Call a function."""
    function()


def peak(*log: Path) -> float:
    """Return the MiB that a process of its own needs at most to verify a log, or to import only."""
    command = [sys.executable, "-c", MEMORY, *map(str, log)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return int(done.stdout) / 1024


async def main() -> int:
    """Measure, print, and tell whether the must was reached."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a tenth of it, three rounds")
    quick = parser.parse_args().quick
    count, rounds = (ENTRIES // 10, 3) if quick else (ENTRIES, 7)
    with tempfile.TemporaryDirectory() as temporary:
        whole, small, keyed = (Path(temporary) / name for name in ("log", "small", "keyed"))
        size = make_log(whole, count)
        make_log(small, count // SHARE)
        make_log(keyed, count, KEY)
        ours = "theus_nb verify"
        contenders: dict[str, tuple[Callable[[], object], int]] = {
            ours: (partial(verify, whole), count),
            "theus_nb verify, keyed": (partial(verify, keyed, key=KEY), count),
            "hashlib over the files": (partial(hash_files, whole), count),
            "json.loads of each line": (partial(parse_lines, small), count // SHARE),
            "tools/verify_log.py": (partial(verify_log.verify, small), count // SHARE),
        }
        actions = {name: partial(call, action) for name, (action, _) in contenders.items()}
        samples = await interleave(actions, rounds)
        busy = [cpu_time(partial(verify, whole)) / count for _ in range(rounds)]
        memory = {0: peak(), count // SHARE: peak(small), count: peak(whole)}
    for name, (_, entries) in contenders.items():
        samples[name] = [seconds * count / entries for seconds in samples[name]]
    print(f"{count:,} entries of {size / count:.0f} bytes, {os.cpu_count()} processors")
    for name in contenders:
        speed = count / statistics.median(samples[name])
        print(f"  {name:<26}{speed / 1e6:8.2f} M entries/s{faster(samples, ours, name):8.2f} x")
    print("  (the last column: how many times faster theus_nb verify is; median of the rounds)")
    print(f"  processor time of theus_nb verify: {statistics.median(busy) * 1e6:.2f} us per entry")
    for entries, mib in memory.items():
        print(f"  peak memory of a process that verifies {entries:>9,} entries: {mib:6.1f} MiB")
    speed = count / statistics.median(samples[ours])
    verdict = "NO" if speed < MUST else "yes, and the aim" if speed >= AIM else "yes"
    print(f"  must {MUST / 1e6:.1f} M entries/s, aim {AIM / 1e6:.0f} M: {verdict}")
    return int(speed < MUST)


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
