"""A forked child: refused with a sentence, and no harm to its parent."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from typing import Final

import pytest

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")

HEAD: Final = """
    import asyncio, gc, os, sys, threading, time, traceback
    from theus_nb.errors import ForkedProcessError
    from theus_nb.decorator import process
    from theus_nb.session import Session

    @process(outputs=["domain.raw"])
    def produce(ctx, value=1):
        return value

    @process(outputs=["domain.raw"])
    async def fetch(ctx):
        return 1

    def in_child(body):
        '''Fork; run a body in the child; return its exit code.'''
        pid = os.fork()
        if pid == 0:
            code = 1
            try:
                body()
                code = 0
            except BaseException:
                traceback.print_exc()
            os._exit(code)
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
"""


def outcome(body: str) -> None:
    """Run a script; it must end well and say nothing."""
    text = textwrap.dedent(HEAD) + textwrap.dedent(body)
    # Python 3.12 and later warn of what these tests are about.
    fork_is_known = ["-W", "ignore:This process:DeprecationWarning"]
    command = [sys.executable, *fork_is_known, "-X", "faulthandler", "-c", text]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=25, check=False)
    assert ended.stderr == ""
    assert ended.returncode == 0
    assert ended.stdout == "ok\n"


def test_every_use_in_the_child_is_refused() -> None:
    outcome(
        """
        theus = Session()
        theus.run_sync(produce)

        def child():
            def use_async():
                async def main():
                    await theus.run(fetch)
                asyncio.run(main())
            def use_worker():
                async def main():
                    await theus.run(produce)
                asyncio.run(main())
            def use_start():
                async def main():
                    theus.start(produce)
                asyncio.run(main())
            def write():
                theus.state["domain.raw"] = 2
            uses = [use_async, use_worker, use_start, write, lambda: theus.run_sync(produce)]
            for use in uses:
                try:
                    use()
                except ForkedProcessError as error:
                    assert str(os.getpid()) in str(error) or "fork" in str(error), error
                    assert "Session" in str(error), error
                else:
                    raise AssertionError(use)

        assert in_child(child) == 0
        assert theus.run_sync(produce) == 1
        theus.close()
        print("ok")
        """
    )


def test_a_child_may_have_a_session_of_its_own() -> None:
    outcome(
        """
        theus = Session()
        theus.run_sync(produce)

        def child():
            own = Session()
            assert own.run_sync(produce, 5) == 5
            async def main():
                assert await own.run(produce, 6) == 6
                assert await asyncio.gather(*(own.run(fetch) for _ in range(10))) == [1] * 10
            asyncio.run(main())
            own.close()

        assert in_child(child) == 0
        assert theus.run_sync(produce, 3) == 3
        theus.close()
        print("ok")
        """
    )


def test_a_fork_in_the_middle_of_everything() -> None:
    outcome(
        """
        async def main():
            async with Session(workers=3) as theus:
                gate = threading.Event()

                @process
                def hold(ctx):
                    gate.wait(20)

                held = [theus.start(hold) for _ in range(6)]
                stream = [theus.start(produce, n) for n in range(500)]
                codes = []
                for _ in range(5):
                    # The child inherits a running loop: it must leave without touching it.
                    codes.append(await asyncio.to_thread(in_child, lambda: gc.collect()))
                gate.set()
                await asyncio.gather(*held, *stream)
                assert codes == [0] * 5, codes
                assert theus.state["domain.raw"] == 499

        asyncio.run(main())
        print("ok")
        """
    )


def test_closing_and_collecting_in_the_child_harms_nobody() -> None:
    outcome(
        """
        async def main():
            async with Session() as theus:
                await theus.run(produce)

                def child():
                    theus.close()
                    gc.collect()

                assert in_child(child) == 0
                assert await asyncio.gather(*(theus.run(produce, n) for n in range(50)))
                # A child that wakes the parent's loop, or closes its descriptors, shows here.
                assert await asyncio.wait_for(theus.start(produce, 7), 10) == 7

        asyncio.run(main())
        print("ok")
        """
    )


def test_a_child_that_leaves_by_the_front_door() -> None:
    outcome(
        """
        theus = Session()
        theus.run_sync(produce)
        pid = os.fork()
        if pid == 0:
            sys.exit(0)  # runs everything that is registered for the exit
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
        assert theus.run_sync(produce, 9) == 9
        print("ok")
        """
    )


def test_multiprocessing_by_fork() -> None:
    outcome(
        """
        import multiprocessing

        def work(number):
            return number * 2

        theus = Session()
        theus.run_sync(produce)

        @process
        def parallel(ctx):
            with multiprocessing.get_context("fork").Pool(2) as pool:
                return pool.map(work, range(5))

        assert theus.run_sync(parallel) == [0, 2, 4, 6, 8]
        theus.close()
        print("ok")
        """
    )


def test_child_has_the_switch_interval_of_before() -> None:
    # The worker threads for which the parent made it short do not exist in the child.
    outcome(
        """
        before = sys.getswitchinterval()

        @process
        def short(ctx):
            return sys.getswitchinterval()

        async def main():
            async with Session() as theus:
                assert await theus.run(short) < before
                def child():
                    assert sys.getswitchinterval() == before
                    theus.close()
                assert in_child(child) == 0
                assert sys.getswitchinterval() < before

        asyncio.run(main())
        assert sys.getswitchinterval() == before
        print("ok")
        """
    )


def test_signals_of_the_parent_are_refused_in_the_child() -> None:
    # The last ones would wait for ever: nobody publishes in the child.
    outcome(
        """
        theus = Session()
        heard = theus.signals.subscribe("n")

        def child():
            async def wait():
                await heard.get()
            uses = [lambda: theus.signals.publish("n", 1), lambda: theus.signals.subscribe("n"),
                    heard.get, lambda: next(heard), lambda: asyncio.run(wait())]
            for use in uses:
                try:
                    use()
                except ForkedProcessError:
                    pass
                else:
                    raise AssertionError(use)
            heard.close()

        assert in_child(child) == 0
        theus.signals.publish("n", 1)
        assert heard.get() == 1
        theus.close()
        print("ok")
        """
    )
