"""Durable file writes beside what does the same: temporary, fsync, rename, fsync of the directory.

aiofiles hands each step to a thread by itself; asyncio.to_thread is given all of them at once.

Everything runs in one process, interleaved; only ratios of one run mean anything. Prints tables and
writes nothing but temporary files. Ends with status 1 if a "must" was missed.

Usage: ``python benches/files.py [--quick]``
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Final

import aiofiles
import aiofiles.os

from benches._measure import Samples, faster, interleave, micros
from benches._report import Goal, facts, table
from theus_nb.session import Session

if TYPE_CHECKING:
    from collections.abc import Sequence

FILES: Final = 64
DATA: Final = b"x" * 4096
OURS: Final = "theus.files"
THREADS: Final = "asyncio.to_thread"
AIOFILES: Final = "aiofiles"


def durably(path: Path) -> None:
    """Write one file the careful way, in the thread we are in."""
    temporary = path.with_name(f".{path.name}.tmp")
    number = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
    try:
        os.write(number, DATA)
        os.fsync(number)
    finally:
        os.close(number)
    temporary.replace(path)
    sync_directory(path)


async def durably_by_aiofiles(path: Path) -> None:
    """Do the same with aiofiles, which has all of it but the two syncs."""
    temporary = path.with_name(f".{path.name}.tmp")
    async with aiofiles.open(temporary, "xb") as file:
        await file.write(DATA)
        await file.flush()
        await asyncio.to_thread(os.fsync, file.fileno())
    await aiofiles.os.replace(temporary, path)
    await asyncio.to_thread(sync_directory, path)


def sync_directory(path: Path) -> None:
    """Make the name of a file durable."""
    directory = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


async def measure(rounds: int, folder: Path) -> tuple[Samples, Samples]:
    """Return seconds per round: 64 files at once, and one file after another."""
    paths = [folder / f"{number}.bin" for number in range(FILES)]
    async with Session(workers=1) as theus:
        write = theus.files.write_bytes

        async def ours_at_once() -> None:
            await asyncio.gather(*(write(path, DATA) for path in paths))

        async def threads_at_once() -> None:
            await asyncio.gather(*(asyncio.to_thread(durably, path) for path in paths))

        async def aiofiles_at_once() -> None:
            await asyncio.gather(*(durably_by_aiofiles(path) for path in paths))

        async def ours_alone() -> None:
            for path in paths[:8]:
                await write(path, DATA)

        async def threads_alone() -> None:
            for path in paths[:8]:
                await asyncio.to_thread(durably, path)

        async def aiofiles_alone() -> None:
            for path in paths[:8]:
                await durably_by_aiofiles(path)

        at_once = {OURS: ours_at_once, THREADS: threads_at_once, AIOFILES: aiofiles_at_once}
        many = await interleave(at_once, rounds)
        one_by_one = {OURS: ours_alone, THREADS: threads_alone, AIOFILES: aiofiles_alone}
        alone = await interleave(one_by_one, rounds)
    return many, alone


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse the command line, measure, print; return 1 if a must was missed."""
    parser = argparse.ArgumentParser(description="files: theus_nb beside its peers")
    parser.add_argument("--quick", action="store_true", help="few rounds, rough numbers")
    parser.add_argument("--folder", type=Path, help="where to write; a temporary folder otherwise")
    options = parser.parse_args(arguments)
    rounds = 5 if options.quick else 31
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        many, alone = asyncio.run(measure(rounds, Path(folder)))
    goal = Goal("64 durable 4 KiB files at once", 1.1, 2, "x", faster(many, OURS, THREADS))
    print(table(["what", "must", "aim", "measured", "met?"], [goal.row()]))
    against = faster(many, OURS, AIOFILES)
    rows = [
        [name, f"{micros(many, name, FILES):.0f} µs", f"{micros(alone, name, 8):.0f} µs"]
        for name in many
    ]
    print("\n" + table(["a file", f"of {FILES} at once", "one by one"], rows))
    print(
        f"\nOne by one: {faster(alone, OURS, THREADS):.2f} x; against aiofiles {against:.2f} x at "
        f"once, {faster(alone, OURS, AIOFILES):.2f} x one by one. "
        f"{facts()}; aiofiles {version('aiofiles')}; {rounds} rounds."
    )
    return 1 if goal.missed else 0


if __name__ == "__main__":
    sys.exit(main())
