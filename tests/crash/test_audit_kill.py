"""The audit log of a process that is killed, forks, or finds the disk full."""

from __future__ import annotations

import json
import os
import random
import re
import signal
import subprocess
import sys
import textwrap
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from tests.unit.audit_support import read_log, the_log

if TYPE_CHECKING:
    from theus_nb.audit import Entry

pytestmark = pytest.mark.skipif(os.name != "posix", reason="signals and limits of POSIX")

HEAD: Final = """
    import asyncio, os, resource, signal, sys, threading, time, traceback, warnings
    from theus_nb.decorator import process
    from theus_nb.errors import AuditWriteError, ForkedProcessError
    from theus_nb.session import Session

    @process(outputs=["domain.raw"])
    def produce(ctx, value=1):
        return value

    def say(number):
        os.write(1, b"%d\\n" % number)  # at once, whatever happens next
"""

BUSY: Final = """
    # Notes from threads, runs on the loop, and acknowledgements, until somebody puts an end to it.
    async def main():
        theus = Session(audit_dir=sys.argv[1])

        def chatter():
            while True:
                for _ in range(50):
                    theus.audit.note("x" * 100)
                theus.audit.wait()
                say(theus.audit.position[1])

        for _ in range(2):
            threading.Thread(target=chatter, daemon=True).start()
        while True:
            await theus.run(produce)
            await theus.audit.sync()
            say(theus.audit.position[1])

    asyncio.run(main())
"""


def script(body: str) -> list[str]:
    return [sys.executable, "-c", textwrap.dedent(HEAD) + textwrap.dedent(body)]


def survivors(base: Path) -> tuple[list[Entry], bytes]:
    """Return the entries that a dead process left, and what follows the last line end."""
    (directory,) = (path for path in base.iterdir() if path.is_dir())
    last = max(directory.glob("*.jsonl"))
    whole, _, torn = last.read_bytes().rpartition(b"\n")
    last.write_bytes(whole + b"\n" if whole else b"")
    return read_log(directory), torn


def killed_once(base: Path, delay: float) -> None:
    """Kill a busy process after its first acknowledgement and some time; check what it left."""
    child = subprocess.Popen([*script(BUSY), str(base)], stdout=subprocess.PIPE)
    assert child.stdout is not None
    first = child.stdout.readline()
    # A timer and not a sleep: its instant is what this test is about.
    timer = threading.Timer(delay, child.send_signal, (signal.SIGKILL,))
    timer.start()
    said = (first + child.stdout.read()).split(b"\n")
    child.wait()
    timer.join()
    child.stdout.close()
    # The last word may have been cut off with its speaker.
    acknowledged = max(int(number) for number in said[:-1])
    entries, torn = survivors(base)
    assert entries[-1]["seq"] >= acknowledged
    assert b"\n" not in torn
    assert entries[-1]["kind"] != "session_ended"


@pytest.mark.timeout(180)
def test_thirty_kills_lose_nothing_acknowledged(tmp_path: Path) -> None:
    chance = random.Random(4)  # noqa: S311 - instants, not secrets
    for number in range(30):
        killed_once(tmp_path / str(number), chance.uniform(0.0, 0.15))


@pytest.mark.slow
@pytest.mark.timeout(1_800)
def test_five_hundred_kills_lose_nothing_acknowledged(tmp_path: Path) -> None:
    chance = random.Random()  # noqa: S311 - likewise
    for number in range(500):
        killed_once(tmp_path / str(number), chance.uniform(0.0, 0.3))


def outcome(body: str, base: Path) -> str:
    """Run a script that must end well; return what it printed."""
    command = [*script(body), str(base)]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=25, check=False)
    assert ended.returncode == 0, ended.stderr
    return ended.stdout + ended.stderr


def test_a_disk_that_is_full(tmp_path: Path) -> None:
    """A limit on file sizes stands for it: the write fails half-way, with an error of its own."""
    said = outcome(
        """
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        theus = Session(audit_dir=sys.argv[1])
        theus.audit.note("before")
        theus.audit.wait()
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, resource.RLIM_INFINITY))
        kept = theus.audit.position[1]
        theus.audit.note("x" * 100_000)
        try:
            theus.audit.wait()
        except AuditWriteError as error:
            assert "File too large" in str(error), error
        else:
            raise AssertionError("acknowledged")
        resource.setrlimit(resource.RLIMIT_FSIZE, (-1, -1))
        theus.audit.note("after: there is room again, and still nothing may be written")
        try:
            asyncio.run(theus.audit.sync())
        except AuditWriteError:
            print(theus.run_sync(produce), kept, theus.audit.position[1])
        theus.close()
        """,
        tmp_path,
    )
    assert said.count("theus_nb: the audit log could not be written") == 1
    assert "1 1 1" in said
    entries, torn = survivors(tmp_path)
    assert [entry["kind"] for entry in entries] == ["session_started", "note"]
    assert len(torn) > 10_000


def test_a_forked_child_is_refused_and_has_no_hand_on_the_file(tmp_path: Path) -> None:
    said = outcome(
        """
        theus = Session(audit_dir=sys.argv[1])
        theus.run_sync(produce)
        theus.audit.wait()

        def open_logs():
            found = []
            for number in os.listdir("/proc/self/fd"):
                try:
                    found.append(os.readlink(f"/proc/self/fd/{number}"))
                except OSError:
                    pass  # the listing's own
            return [name for name in found if name.endswith(".jsonl")]

        assert len(open_logs()) == 1
        # Python 3.12 and later warn of what this test is about.
        warnings.filterwarnings("ignore", "This process", DeprecationWarning)
        pid = os.fork()
        if pid == 0:
            try:
                assert open_logs() == []
                for use in (lambda: theus.audit.note("x"), lambda: theus.audit.tail(),
                            theus.audit.wait, lambda: asyncio.run(theus.audit.sync())):
                    try:
                        use()
                    except ForkedProcessError:
                        continue
                    raise AssertionError(use)
                own = Session(audit_dir=sys.argv[1])
                own.run_sync(produce)
                own.close()
                theus.close()
                del theus
                os._exit(0)
            except BaseException:
                traceback.print_exc()
            finally:
                os._exit(1)
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
        theus.audit.note("the parent goes on")
        print(theus.audit.directory)
        theus.close()
        """,
        tmp_path,
    )
    directories = sorted(path for path in tmp_path.iterdir() if path.is_dir())
    assert len(directories) == 2
    parents = read_log(Path(said.strip()))
    assert [entry["kind"] for entry in parents[-2:]] == ["note", "session_ended"]
    (child,) = (path for path in directories if path != Path(said.strip()))
    entries = read_log(child)
    assert entries[-1]["kind"] == "session_ended"
    assert [head["end"] for head in entries[0]["detail"]["heads"]] == ["open"]


@pytest.mark.parametrize(
    "leave",
    ["pass", "sys.exit(3)", "raise KeyboardInterrupt", "theus.close()", "del theus"],
)
def test_a_script_that_leaves_in_an_orderly_way_ends_its_log(leave: str, tmp_path: Path) -> None:
    body = f"""
        theus = Session(audit_dir=sys.argv[1])
        theus.run_sync(produce)
        try:
            {leave}
        except BaseException:
            pass
    """
    assert outcome(body, tmp_path) == ""
    entries = the_log(tmp_path)
    if leave != "del theus":  # then it ends in the background, if the process lives long enough
        assert entries[-1]["kind"] == "session_ended"
    assert [e["kind"] for e in entries][:2] == ["session_started", "process_defined"]


def test_runs_that_never_end_are_named_by_the_last_entry(tmp_path: Path) -> None:
    outcome(
        """
        @process
        async def hang(ctx):
            await asyncio.sleep(60)

        async def main():
            theus = Session(audit_dir=sys.argv[1])
            KEEP.append(theus)
            theus.start(hang)
            KEEP.append(asyncio.create_task(theus.run(hang)))
            await asyncio.sleep(0)
            os.kill(os.getpid(), signal.SIGINT)
            await asyncio.sleep(5)

        KEEP = []
        try:
            asyncio.run(main())
        except KeyboardInterrupt:
            pass
        """,
        tmp_path,
    )
    entries = the_log(tmp_path)
    assert entries[-1]["kind"] == "session_ended"
    ended = [e["run"] for e in entries if re.fullmatch("run_(cancelled|failed)", e["kind"])]
    assert sorted(ended) == ["r1", "r2"], json.dumps(entries)
