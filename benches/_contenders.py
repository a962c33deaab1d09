"""What a user could pick instead, and theus_nb, behind one shape."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import io
import os
import pathlib
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, Final

import anyio
import anyio.to_thread
from asgiref.sync import sync_to_async

from theus_nb import Context, Session, process

BASE = "asyncio.to_thread"
OURS = "theus_nb, no input or output"
OURS_IO = "theus_nb, 1 input and 1 output"

Call = Callable[[], Coroutine[Any, Any, object]]
"""Make the coroutine of one call."""


@dataclasses.dataclass(frozen=True)
class Contender:
    """One way to call a synchronous function from asynchronous code.

    Attributes:
        name: What the table shows.
        call: Make the coroutine of one call.
        start: Make something awaitable that has already started, where the contender has such a
            thing; otherwise the same as ``call``.
    """

    name: str
    call: Call
    start: Callable[[], Awaitable[object]]


def answer(*_context: object) -> int:
    """Do nothing worth measuring: what remains is the dispatch."""
    return 1


async def async_answer(*_context: object) -> int:
    """Do nothing worth measuring, as a coroutine."""
    return 1


def copy(ctx: Context) -> object:
    """Read one path; what is returned is written to another."""
    return ctx.domain.a


async def async_copy(ctx: Context) -> object:
    """Read one path; what is returned is written to another, as a coroutine."""
    return ctx.domain.a


PATHS: Final = (["domain.a"], ["domain.b"])
ANSWER, ASYNC_ANSWER = process(answer), process(async_answer)
COPY, ASYNC_COPY = process(*PATHS)(copy), process(*PATHS)(async_copy)


def _same(name: str, call: Call) -> Contender:
    return Contender(name, call, call)


def _peers(workers: int) -> list[Contender]:
    limiter = anyio.CapacityLimiter(workers)
    asgi = sync_to_async(answer, thread_sensitive=False)
    return [
        _same(BASE, lambda: asyncio.to_thread(answer)),
        _same("anyio.to_thread", lambda: anyio.to_thread.run_sync(answer, limiter=limiter)),
        _same("asgiref sync_to_async", asgi),
    ]


@contextlib.contextmanager
def _quietly() -> Iterator[None]:
    """Drop what is printed meanwhile; the native part of ``theus`` greets on stderr."""
    kept = os.dup(2)
    with pathlib.Path(os.devnull).open("wb") as nowhere:
        os.dup2(nowhere.fileno(), 2)
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)


def theus_module() -> Any:  # noqa: ANN401 - a module without types
    """Return the PyPI package ``theus``; None if it is not installed."""
    try:
        with _quietly():
            import theus  # noqa: PLC0415 - it prints when imported, and needs Python 3.12
    except ImportError:
        return None
    return theus


def theus_from_pypi() -> tuple[dict[str, Call], dict[str, Call]]:
    """Return the calls of the PyPI package ``theus``, sync and async; none if not installed."""
    theus = theus_module()
    if theus is None:
        return {}, {}
    with _quietly():
        engine = theus.TheusEngine(context={"domain": {"a": 1, "b": 0}})
    bare, declared = theus.process(), theus.process(*PATHS)
    names = ("theus (PyPI), no input or output", "theus (PyPI), 1 input and 1 output")
    sync = (bare(answer), declared(copy))
    waits = (bare(async_answer), declared(async_copy))
    return (
        {name: partial(engine.execute, one) for name, one in zip(names, sync, strict=True)},
        {name: partial(engine.execute, one) for name, one in zip(names, waits, strict=True)},
    )


@contextlib.asynccontextmanager
async def session_with(workers: int, **unused: object) -> AsyncIterator[Session]:
    """Open a session whose state holds an input, and values that no process touches."""
    async with Session(workers=workers) as theus:
        theus.state["domain.a"] = 1
        for name, value in unused.items():
            theus.state[f"unused.{name}"] = value
        yield theus


@contextlib.asynccontextmanager
async def contenders(workers: int) -> AsyncIterator[list[Contender]]:
    """Set up every contender with the same number of threads."""
    executor = ThreadPoolExecutor(workers)
    asyncio.get_running_loop().set_default_executor(executor)
    async with session_with(workers) as theus:
        yield [
            *_peers(workers),
            *[_same(name, call) for name, call in theus_from_pypi()[0].items()],
            Contender(OURS, partial(theus.run, ANSWER), partial(theus.start, ANSWER)),
            Contender(OURS_IO, partial(theus.run, COPY), partial(theus.start, COPY)),
        ]
