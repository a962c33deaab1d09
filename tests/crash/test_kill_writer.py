"""SIGKILL while files are written: each is complete, old or new, and nothing looks like data."""

from __future__ import annotations

import random
import re
import subprocess
import sys
import textwrap
from typing import TYPE_CHECKING, Final

import pytest

if TYPE_CHECKING:
    from pathlib import Path

NAMES: Final = 4
LEFTOVER: Final = re.compile(r"\.\w+\.bin\.theus-\d+-\d+\.tmp")

WRITER: Final = f"""
    import asyncio, itertools
    from theus_nb.session import Session

    async def main():
        async with Session(workers=1) as theus:
            for number in itertools.count(1):
                letter = bytes([97 + number % 26])
                await asyncio.gather(*(
                    theus.files.write_bytes(f"f{{n}}.bin", letter * (1000 + 50_000 * n))
                    for n in range({NAMES})
                ))
                print(number, flush=True)

    asyncio.run(main())
"""


def one_round(folder: Path, chance: random.Random) -> None:
    """Let a writer write, kill it at some moment, look at what is left."""
    writer = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(WRITER)], cwd=folder, stdout=subprocess.PIPE
    )
    assert writer.stdout is not None
    with writer, writer.stdout as said:
        for _ in range(chance.randint(1, 6)):
            assert said.readline()
        # Somewhere in the middle of the next files: no event tells where, and none should.
        for _ in range(chance.randint(0, 200_000)):
            pass
        writer.kill()
    for number in range(NAMES):
        content = (folder / f"f{number}.bin").read_bytes()
        assert len(content) == 1000 + 50_000 * number
        assert len(set(content)) == 1, "two contents in one file"
    data = {f"f{number}.bin" for number in range(NAMES)}
    for entry in folder.iterdir():
        assert entry.name in data or LEFTOVER.fullmatch(entry.name), entry.name


@pytest.mark.timeout(120)
def test_thirty_kills(tmp_path: Path) -> None:
    for seed in range(30):
        folder = tmp_path / str(seed)
        folder.mkdir()
        one_round(folder, random.Random(seed))  # noqa: S311 - chance, not secrets


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_five_hundred_kills(tmp_path: Path) -> None:
    for seed in range(500):
        folder = tmp_path / str(seed)
        folder.mkdir()
        one_round(folder, random.Random(1000 + seed))  # noqa: S311 - chance, not secrets
