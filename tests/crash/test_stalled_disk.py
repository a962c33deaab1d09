"""A disk that does not answer: no loop stands still, memory is bounded, no loss goes unsaid.

The disk is real. Its ``fdatasync`` is held up from outside, by a library that comes before the C
library, for as long as a file exists.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import textwrap
from typing import TYPE_CHECKING, Final

import pytest

from theus_nb.proof import verify

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

SHIM: Final = """
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <unistd.h>

int fdatasync(int fd) {
    int (*real)(int) = (int (*)(int)) dlsym(RTLD_NEXT, "fdatasync");
    while (access(getenv("GATE"), F_OK) == 0) usleep(1000);
    return real(fd);
}
"""

PRELUDE: Final = """
import asyncio, contextlib, os, pathlib, sys
from theus_nb import process
from theus_nb.errors import RunCancelledError
from theus_nb.session import Session

gate = pathlib.Path(os.environ["GATE"])
began = []

@process
async def on_loop(ctx, name):
    began.append(name)
    return name

@process
def in_thread(ctx, name):
    began.append(name)
    return name

async def ticks(condition=lambda: False, count=20):
    # The loop is not held up: each of these comes back.
    while count and not condition():
        count -= 1
        await asyncio.sleep(0.005)
    return condition()

async def fill(theus):
    # The writer takes the queue once more at a time of its own, and then waits for the disk.
    full = 0
    while full < 20:
        while theus.audit.note("meanwhile") is not None:
            full = 0
        full += 1
        await asyncio.sleep(0.005)

def told(theus, kind):
    return sum(e["detail"].get("count", 1) for e in theus.audit.query(kind=kind))
"""

END: Final = """
async def alarmed():
    try:
        async with asyncio.timeout(15):
            await main()
    finally:
        gate.unlink(missing_ok=True)

asyncio.run(alarmed())
"""


@pytest.fixture(scope="module")
def shim(tmp_path_factory: pytest.TempPathFactory) -> Path:
    compiler = shutil.which("cc")
    assert compiler is not None, "this test needs cc, as linking the Rust core does"
    folder = tmp_path_factory.mktemp("shim")
    (folder / "gate.c").write_text(SHIM)
    library = folder / "gate.so"
    command = [compiler, "-shared", "-fPIC", "-o", str(library), str(folder / "gate.c"), "-ldl"]
    subprocess.run(command, check=True)
    return library


@pytest.fixture
def script(shim: Path, tmp_path: Path) -> Callable[[str], None]:
    """Return a function that runs a script whose disk stalls as long as ``gate`` exists."""

    def run(text: str) -> None:
        environment = os.environ | {"LD_PRELOAD": str(shim), "GATE": str(tmp_path / "gate")}
        body = textwrap.indent(textwrap.dedent(text), "    ")
        source = f"{PRELUDE}\nasync def main():\n{body}\n{END}"
        done = subprocess.run(
            [sys.executable, "-W", "error", "-c", source],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=25,
        )
        assert done.returncode == 0, done.stderr
        assert done.stderr == ""
        (verdict,) = verify(tmp_path / "logs").logs
        assert verdict.ok, verdict
        assert verdict.ended

    return run


def test_handles_end_when_their_entries_are_durable(script: Callable[[str], None]) -> None:
    script("""
        async with Session(audit_dir="logs", durability="run") as theus:
            gate.touch()
            runs = [theus.start(on_loop, "a"), theus.start(in_thread, "b")]
            awaited = [asyncio.ensure_future(theus.run(p, "c")) for p in (on_loop, in_thread)]
            gathered = asyncio.gather(*runs)
            in_a_thread = asyncio.create_task(asyncio.to_thread(theus.run_sync, in_thread, "d"))
            impatient = asyncio.create_task(theus.run(in_thread, "e"))
            everybody = lambda: len(began) == 6 and len(theus.runs.unfinished()) == 0
            assert await ticks(everybody, 2_000)
            waiting = [*runs, *awaited, gathered, in_a_thread]
            assert not await ticks(lambda: any(future.done() for future in waiting))
            assert {run.status for run in runs} == {"finished"}
            # Whoever is cancelled need not wait for the disk.
            impatient.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await impatient
                raise AssertionError
            gate.unlink()
            assert await gathered == ["a", "b"]
            assert await asyncio.gather(*awaited) == ["c", "c"]
            assert await in_a_thread == "d"
            assert [run.result() for run in runs] == ["a", "b"]
            ends = theus.audit.query(kind="run_finished")
            assert len(ends) == 6
            assert theus.audit.position[1] >= ends[-1]["seq"]
    """)


def test_bodies_wait_for_a_log_that_is_full(script: Callable[[str], None]) -> None:
    script("""
        async with Session(audit_dir="logs", audit_full="wait") as theus:
            theus.audit.note("first")
            await theus.audit.sync()
            gate.touch()
            await fill(theus)
            runs = [theus.start(p, i) for i in range(20) for p in (on_loop, in_thread)]
            task = asyncio.create_task(theus.run(on_loop, "task"))
            noted = asyncio.create_task(asyncio.to_thread(theus.audit.note, "in a thread"))
            assert not await ticks(lambda: began or noted.done(), 50)
            bound, _, dropped = theus.audit.position
            for _ in range(100_000):
                theus.audit.note("on the loop nobody can wait: counted")
            assert theus.audit.position[0] == bound, "memory is bounded"
            assert theus.audit.position[2] == dropped + 100_000
            # What waits can be cancelled meanwhile: on the loop, and in a thread.
            for run in runs[-2:]:
                run.cancel()
                with contextlib.suppress(RunCancelledError):
                    await run
                    raise AssertionError
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
                raise AssertionError
            gate.unlink()
            assert sorted(await asyncio.gather(*runs[:-2])) == sorted([*range(19), *range(19)])
            assert await noted is not None
            await theus.audit.sync()
            assert told(theus, "dropped") == theus.audit.position[2] > 100_000
            assert told(theus, "run_started") == told(theus, "run_finished") == 38
            assert told(theus, "run_cancelled") == 3
    """)


def test_otherwise_what_is_lost_is_counted(script: Callable[[str], None]) -> None:
    script("""
        async with Session(audit_dir="logs") as theus:
            theus.audit.note("first")
            await theus.audit.sync()
            gate.touch()
            await fill(theus)
            assert await theus.run(on_loop, "a") == "a"
            assert await theus.run(in_thread, "b") == "b"
            lost = theus.audit.position[2]
            gate.unlink()
            await theus.audit.sync()
            assert told(theus, "dropped") == lost
            assert told(theus, "run_finished") == 0
            assert await theus.run(on_loop, "c") == "c"
            assert told(theus, "run_finished") == 1
    """)


def test_what_a_run_was_admitted_with_room_for_is_kept(script: Callable[[str], None]) -> None:
    script("""
        begin = asyncio.Event()

        @process(retries=2, retry_on=[OSError], backoff=0.001)
        async def flaky(ctx):
            await begin.wait()
            began.append(len(began))
            if len(began) < 3:
                raise OSError

        async with Session(audit_dir="logs") as theus:
            run = theus.start(flaky)
            await theus.audit.sync()
            gate.touch()
            await fill(theus)
            lost = theus.audit.position[2]
            begin.set()
            await run
            assert theus.audit.position[2] == lost
            gate.unlink()
            await theus.audit.sync()
            attempts = [e["detail"]["attempt"] for e in theus.audit.query(kind="run_retried")]
            assert attempts == [1, 2]
            assert told(theus, "run_finished") == 1
    """)
