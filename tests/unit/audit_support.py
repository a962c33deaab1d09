"""What the tests of the audit log share: processes, and a reader of logs that checks them."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
from typing import TYPE_CHECKING

import numpy as np

from theus_nb.decorator import process
from theus_nb.session import Session

if TYPE_CHECKING:
    import pathlib

    from theus_nb.audit import Entry
    from theus_nb.context import Context


@process(outputs=["domain.raw"])
async def fetch(_ctx: Context) -> object:
    return np.ones((3, 4))


@process(inputs=["domain.raw"], outputs=["domain.total"])
def crunch(ctx: Context) -> object:
    return float(ctx.domain.raw.sum())


@process
def fail(_ctx: Context) -> None:
    text = "hunter2"
    raise ValueError(text)


@process
async def wait_for_ever(_ctx: Context) -> None:
    await asyncio.Event().wait()


@process
def trespass(ctx: Context) -> None:
    ctx.domain.other = 1


def lines_of(directory: pathlib.Path) -> list[bytes]:
    files = sorted(directory.glob("*.jsonl"))
    return [line for path in files for line in path.read_bytes().splitlines(keepends=True)]


def read_log(directory: pathlib.Path) -> list[Entry]:
    """Read a log from disk, checking every number and every link."""
    entries: list[Entry] = []
    before = "0" * 64
    for line in lines_of(directory):
        entry = json.loads(line)
        covered = line[: line.rindex(b',"hash":"')]
        assert entry["seq"] == len(entries)
        assert entry["prev"] == before
        assert entry["hash"] == hashlib.sha256(covered).hexdigest()
        before = entry["hash"]
        entries.append(entry)
    return entries


def the_log(base: pathlib.Path) -> list[Entry]:
    (directory,) = (path for path in base.iterdir() if path.is_dir())
    return read_log(directory)


def kinds(entries: list[Entry], process: str | None = None) -> list[str]:
    return [e["kind"] for e in entries if process in {None, e.get("process")}]


class Closing(contextlib.AbstractContextManager[Session]):
    def __init__(self, session: Session) -> None:
        self.session = session

    def __enter__(self) -> Session:
        return self.session

    def __exit__(self, *_exc: object) -> None:
        self.session.close()
