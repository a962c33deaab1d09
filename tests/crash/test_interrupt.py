"""Ctrl-C in a script: the run is cancelled and the script goes on."""

from __future__ import annotations

import signal
import subprocess
import sys
import textwrap
from typing import Final

import pytest

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals are different there")

HEAD: Final = """
    import asyncio, os, signal, sys, threading, time
    from theus_nb.decorator import process
    from theus_nb.session import Session

    def interrupt():
        os.kill(os.getpid(), signal.SIGINT)

    @process(outputs=["domain.raw"])
    def sleep(ctx):
        threading.Timer(0.05, interrupt).start()
        time.sleep(60)

    @process(outputs=["domain.raw"])
    async def wait(ctx):
        threading.Timer(0.05, interrupt).start()
        await asyncio.sleep(60)

    @process
    def quick(ctx):
        return "quick"

    def status(theus):
        return [record.status for record in theus.runs]
"""


def script(body: str) -> tuple[str, str, int]:
    """Run a script; return what it printed, what it complained, and its exit code."""
    text = textwrap.dedent(HEAD) + textwrap.dedent(body)
    ended = subprocess.run(
        [sys.executable, "-c", text], capture_output=True, text=True, timeout=25, check=False
    )
    return ended.stdout, ended.stderr, ended.returncode


@pytest.mark.parametrize(("name", "status"), [("sleep", "abandoned"), ("wait", "cancelled")])
def test_run_sync_in_a_script(name: str, status: str) -> None:
    out, complaint, code = script(
        f"""
        theus = Session()
        try:
            theus.run_sync({name})
        except KeyboardInterrupt:
            print("interrupted", status(theus))
        print(theus.run_sync(quick))
        theus.close()
        """
    )
    assert (out, complaint, code) == (f"interrupted ['{status}']\nquick\n", "", 0)


@pytest.mark.parametrize(("name", "status"), [("sleep", "abandoned"), ("wait", "cancelled")])
def test_a_session_under_asyncio_run(name: str, status: str) -> None:
    out, complaint, code = script(
        f"""
        async def main():
            async with Session() as theus:
                sessions.append(theus)
                await theus.run({name})

        sessions = []
        try:
            asyncio.run(main())
        except KeyboardInterrupt:
            print("interrupted", status(sessions[0]))
        """
    )
    assert (out, complaint, code) == (f"interrupted ['{status}']\n", "", 0)


def test_a_thread_that_waits_for_the_main_loop() -> None:
    """The interrupt ends the main program; the blocked thread must not keep it alive."""
    out, complaint, code = script(
        """
        import contextlib
        from theus_nb.errors import RunCancelledError, SessionClosedError

        def elsewhere(theus):
            with contextlib.suppress(RunCancelledError, SessionClosedError):
                theus.run_sync(wait)

        async def main():
            async with Session() as theus:
                threading.Thread(target=elsewhere, args=(theus,)).start()
                await asyncio.sleep(60)

        try:
            asyncio.run(main())
        except KeyboardInterrupt:
            print("interrupted")
        """
    )
    assert (out, complaint, code) == ("interrupted\n", "", 0)


def test_an_interrupt_that_nobody_catches_ends_the_script() -> None:
    out, complaint, code = script(
        """
        theus = Session()
        theus.run_sync(sleep)
        """
    )
    assert out == ""
    assert complaint.splitlines()[-1] == "KeyboardInterrupt"
    assert code == -signal.SIGINT
