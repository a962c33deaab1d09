"""A hundred interpreter exits with workers in every state: exit code 0 and not a word."""

from __future__ import annotations

import concurrent.futures
import subprocess
import sys
import textwrap

import pytest

EXITS = 100
AT_ONCE = 2

HEAD = """
    import asyncio, contextlib, sys, threading, time
    from theus_nb.errors import RunCancelledError, SessionClosedError
    from theus_nb.decorator import process
    from theus_nb.session import Session

    arrived = threading.Event()

    @process
    def spin(ctx):
        arrived.set()
        while True:
            pass

    @process
    def sleep(ctx):
        arrived.set()
        time.sleep(60)

    @process
    def quick(ctx):
        arrived.set()

    @process
    async def quick_async(ctx):
        return None

    @process(inputs=["domain.count"], outputs=["domain.count"])
    def increment(ctx):
        return ctx["domain.count"] + 1
"""

SITUATIONS = {
    # Threads in an endless loop of pure Python, which hold the interpreter by turns.
    "spinning": """
        async def main():
            theus = Session(workers=2)
            for _ in range(2):
                theus.start(spin)
            await asyncio.to_thread(arrived.wait)
            KEEP.append(theus)
    """,
    # Threads inside a C function that does not return.
    "sleeping": """
        async def main():
            theus = Session(workers=4)
            for _ in range(4):
                theus.start(sleep)
            await asyncio.to_thread(arrived.wait)
            KEEP.append(theus)
    """,
    # Threads parked inside the core.
    "idle": """
        async def main():
            theus = Session(workers=4)
            await asyncio.gather(*(theus.run(quick) for _ in range(8)))
            KEEP.append(theus)
    """,
    # Threads in the middle of a stream of short jobs.
    "streaming": """
        async def main():
            theus = Session(workers=4)
            for _ in range(5000):
                theus.start(quick)
            await asyncio.to_thread(arrived.wait)
            KEEP.append(theus)
    """,
    # Runs that wait for inputs, coroutines in the middle, and nobody who looks at failures.
    "waiting": """
        async def main():
            theus = Session(workers=2)
            theus.state["domain.count"] = 0
            runs = [theus.start(increment) for _ in range(200)]
            await runs[0]
            KEEP.append((theus, runs))
    """,
    # Closed properly, with threads that cannot be stopped.
    "closed": """
        async def main():
            async with Session(workers=3) as theus:
                theus.start(spin), theus.start(sleep)
                await asyncio.to_thread(arrived.wait)
    """,
    # The loop blocked while it is watched, and the end in the middle of it.
    "blocked": """
        async def main():
            theus = Session(workers=2)
            theus.start(spin)
            await asyncio.to_thread(arrived.wait)
            task = asyncio.ensure_future(theus.run(sleep))
            await asyncio.sleep(0)
            time.sleep(0.12)
            KEEP.append(theus)
            sys.exit(0)
    """,
    # A script that blocks on runs from several threads, and leaves by SystemExit.
    "scripting": """
        async def main():
            theus = Session(workers=2)
            KEEP.append(theus)
            def call():
                with contextlib.suppress(RunCancelledError, SessionClosedError):
                    theus.run_sync(sleep)
            for _ in range(3):
                threading.Thread(target=call, daemon=True).start()
            await asyncio.to_thread(arrived.wait)
            sys.exit(0)
    """,
    # The session is collected by the interpreter itself, at a time of its own choosing.
    "collected": """
        async def main():
            theus = Session(workers=2)
            theus.cycle = theus
            await theus.run(quick)
            theus.start(sleep)
            await theus.run(quick_async)
    """,
}


def script(situation: str) -> str:
    return "\n".join(
        [
            textwrap.dedent(HEAD),
            "KEEP = []",
            textwrap.dedent(SITUATIONS[situation]),
            "asyncio.run(main())",
        ]
    )


def leave(situation: str) -> str:
    """Let one interpreter come and go; return what is wrong about it."""
    command = [sys.executable, "-X", "faulthandler", "-W", "error", "-c", script(situation)]
    try:
        ended = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
    except subprocess.TimeoutExpired as error:
        return f"{situation}: still alive after {error.timeout} s: {error.stderr!r}"
    if ended.returncode == 0 and not ended.stderr and not ended.stdout:
        return ""
    return f"{situation}: exit code {ended.returncode}, {ended.stdout + ended.stderr}"


@pytest.mark.timeout(240)
def test_a_hundred_exits() -> None:
    names = list(SITUATIONS)
    situations = [names[number % len(names)] for number in range(EXITS)]
    with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
        problems = [problem for problem in pool.map(leave, situations) if problem]
    assert problems == []
