"""What the tests of files share: a look at what is left in their directory."""

from __future__ import annotations

import asyncio
import os

from tests.unit.support import PATIENCE


def temporaries() -> list[str]:
    """Return what is written and not visible yet."""
    return [name for name in os.listdir("out") if name.endswith(".tmp")]  # noqa: PTH208 - names


async def no_temporaries() -> None:
    """Wait until what was dropped has been removed; that happens on the disk's threads."""
    async with asyncio.timeout(PATIENCE):
        while temporaries():  # noqa: ASYNC110 - nothing tells of it
            await asyncio.sleep(0.005)
