"""The audit log: what is recorded, and what its user reads."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import pathlib
import re
import threading
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest

from tests.unit.audit_support import (
    Closing,
    crunch,
    fail,
    fetch,
    kinds,
    lines_of,
    the_log,
    trespass,
    wait_for_ever,
)
from tests.unit.support import PATIENCE
from theus_nb.audit_reading import KINDS
from theus_nb.decorator import process
from theus_nb.errors import (
    AuditError,
    RunCancelledError,
    SessionClosedError,
    UndeclaredWriteError,
)
from theus_nb.session import Session

if TYPE_CHECKING:
    from theus_nb.context import Context


def test_a_session_leaves_a_log_that_tells_its_story(tmp_path: pathlib.Path) -> None:
    async def main() -> None:
        async with Session(audit_dir=tmp_path) as theus:
            await theus.run(fetch)
            await theus.run(crunch)
            await theus.run(crunch)
            theus.audit.note("checked by hand")
            theus.state["domain.flag"] = True

    asyncio.run(main())
    entries = the_log(tmp_path)
    assert kinds(entries)[0] == "session_started"
    assert kinds(entries)[-1] == "session_ended"
    one = ["run_started", "state_committed", "run_finished"]
    assert kinds(entries, "fetch") == ["process_defined", *one]
    assert kinds(entries, "crunch") == ["process_defined", *one, *one]
    started = next(e for e in entries if e["kind"] == "run_started" and e["process"] == "crunch")
    assert started["detail"]["reads"] == [["domain.raw", 1]]
    assert started["lane"].startswith("worker")
    committed = next(e for e in entries if e["kind"] == "state_committed")
    array = {"path": "domain.raw", "type": "numpy.ndarray[<f8]", "shape": [3, 4], "bytes": 96}
    assert committed["detail"] == {"version": 1, "paths": [array]}
    assert committed["run"] == "r1"
    assert kinds(entries, "theus.state") == ["state_committed"]
    monos = [e["mono"] for e in entries]
    assert monos[0] == 0
    assert monos[-1] == max(monos)


def test_ends_of_every_kind_are_told_and_error_texts_are_not(tmp_path: pathlib.Path) -> None:
    async def main() -> None:
        async with Session(audit_dir=tmp_path) as theus:
            with contextlib.suppress(ValueError):
                await theus.run(fail)
            run = theus.start(wait_for_ever)
            await asyncio.sleep(0)
            run.cancel()
            with contextlib.suppress(RunCancelledError):
                await run
            with contextlib.suppress(UndeclaredWriteError):
                await theus.run(trespass)

    asyncio.run(main())
    entries = the_log(tmp_path)
    failed = next(e for e in entries if e["kind"] == "run_failed")
    assert failed["process"] == "fail"
    assert failed["detail"]["error"] == "ValueError"
    file, line, function = failed["detail"]["frames"][-1]
    assert (file, function) == (fail.fn.__code__.co_filename, "fail")
    assert line > 1
    assert kinds(entries, "wait_for_ever")[1:] == ["run_started", "run_cancelled"]
    denied = next(e for e in entries if e["kind"] == "contract_denied")
    assert denied["detail"] == {"path": "domain.other", "verb": "writes"}
    assert denied["process"] == "trespass"
    raw = b"".join(lines_of(next(p for p in tmp_path.iterdir() if p.is_dir())))
    assert b"hunter2" not in raw


def test_error_texts_are_recorded_where_that_was_asked_for(tmp_path: pathlib.Path) -> None:
    session = Session(audit_dir=tmp_path, audit_errors="message")
    with Closing(session), pytest.raises(ValueError, match="hunter2"):
        session.run_sync(fail)
    failed = next(e for e in the_log(tmp_path) if e["kind"] == "run_failed")
    assert failed["detail"]["message"] == "hunter2"


class Nosy:
    """Everything one might ask of a value would be noticed."""

    asked: bool = False

    def __getattribute__(self, name: str) -> object:
        if not name.startswith("__"):
            type(self).asked = True
        return object.__getattribute__(self, name)

    def __len__(self) -> int:
        type(self).asked = True
        return 0

    def __repr__(self) -> str:
        type(self).asked = True
        return "nosy"

    @property
    def shape(self) -> tuple[int, ...]:
        return (1,)


class List(list[int]):
    """Not exactly a list: it may do anything."""

    def __len__(self) -> int:
        raise AssertionError


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (1, {"type": "int"}),
        (None, {"type": "NoneType"}),
        ("abc", {"type": "str", "shape": [3]}),
        (b"abc", {"type": "bytes", "shape": [3], "bytes": 3}),
        ([1, 2], {"type": "list", "shape": [2]}),
        ({1: 2}, {"type": "dict", "shape": [1]}),
        (List([1]), {"type": "List"}),
        (np.float64(1), {"type": "float64"}),
        (pd.DataFrame({"a": [1, 2]}), {"type": "pandas.DataFrame", "shape": [2, 1]}),
        (pd.Series([1, 2, 3]), {"type": "pandas.Series", "shape": [3]}),
        (Nosy(), {"type": "Nosy"}),
    ],
)
def test_values_are_described_without_being_asked(value: object, expected: dict[str, Any]) -> None:
    with Closing(Session(audit=False)) as theus:
        Nosy.asked = False
        theus.state["domain.x"] = value
        assert not Nosy.asked
        (entry,) = theus.audit.query(kind="state_committed")
        assert entry["detail"]["paths"] == [{"path": "domain.x", **expected}]


def test_many_may_wait_for_the_disk_and_one_of_them_may_be_cancelled(
    tmp_path: pathlib.Path,
) -> None:
    async def main() -> None:
        async with Session(audit_dir=tmp_path) as theus:
            waits = []
            for number in range(100):
                theus.audit.note(str(number))
                waits.append(asyncio.ensure_future(theus.audit.sync()))
            await asyncio.sleep(0)
            # A quick disk may have confirmed it by now; then there is nothing to cancel.
            cancelled = int(waits[3].cancel())
            done = await asyncio.gather(*waits, return_exceptions=True)
            assert [type(d) for d in done].count(asyncio.CancelledError) == cancelled
            assert done.count(None) == 100 - cancelled
            assert theus.audit.position[1] >= 100

    asyncio.run(main())


def test_files_are_told_with_the_run_that_writes_them(tmp_path: pathlib.Path) -> None:
    sha = "0" * 64

    @process
    async def save(_ctx: Context) -> int:
        await theus.audit.intent([("out/a.txt", 3, sha)])
        synced = theus.audit.position[1]
        theus.audit.written("out/a.txt", 3, sha)
        return synced

    with Closing(Session(audit_dir=tmp_path)) as theus:
        synced = theus.run_sync(save)
    told = {entry["kind"]: entry for entry in the_log(tmp_path)}
    intent, written = told["commit_intent"], told["file_written"]
    assert intent["detail"] == {"files": [{"path": "out/a.txt", "bytes": 3, "sha256": sha}]}
    assert written["detail"] == {"path": "out/a.txt", "bytes": 3, "sha256": sha}
    assert (intent["run"], written["run"]) == ("r1", "r1")
    assert synced >= intent["seq"]


def test_notes_from_many_threads_keep_their_order(tmp_path: pathlib.Path) -> None:
    with Closing(Session(audit_dir=tmp_path)) as theus:

        def write(name: int) -> None:
            for count in range(200):
                theus.audit.note(f"{name} {count}")

        threads = [threading.Thread(target=write, args=(name,)) for name in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(PATIENCE)
    notes = [e["detail"]["text"].split() for e in the_log(tmp_path) if e["kind"] == "note"]
    assert len(notes) == 1_600
    for name in range(8):
        assert [int(c) for n, c in notes if n == str(name)] == list(range(200))


@pytest.mark.parametrize("text", ["", "a\0b", 'quo"te\\', "a\nb\u2028", "\x7f\x1b[31m", "𝄞"])
def test_a_note_is_read_back_as_it_was(text: str) -> None:
    with Closing(Session(audit=False)) as theus:
        theus.audit.note(text)
        (entry,) = theus.audit.tail(1)
        assert entry["detail"] == {"text": text}


def test_what_is_no_text_is_replaced_and_said_so() -> None:
    with Closing(Session(audit=False)) as theus:
        theus.audit.note("a\ud800b\udfff")
        (entry,) = theus.audit.tail(1)
        assert entry["detail"] == {"text": "a\ufffdb\ufffd", "replaced": ["text"]}


def test_what_is_no_note_is_refused(tmp_path: pathlib.Path) -> None:
    theus = Session(audit_dir=tmp_path)
    with pytest.raises(AuditError, match="1048576"):
        theus.audit.note("x" * (1 << 20 | 1))
    with pytest.raises(AuditError, match="int"):
        theus.audit.note(3)  # type: ignore[arg-type]
    theus.close()
    with pytest.raises(SessionClosedError):
        theus.audit.note("late")
    assert list(tmp_path.iterdir()) == [], "a session in which nothing happened leaves no log"


def test_query_and_frame_reach_back_beyond_memory(tmp_path: pathlib.Path) -> None:
    with Closing(Session(audit_dir=tmp_path)) as theus:
        began = dt.datetime.now(dt.UTC)
        for number in range(12):
            theus.audit.note(str(number) + "x" * 1_000_000)
        theus.run_sync(fetch)
        theus.audit.wait(PATIENCE)
        assert (theus.audit.log.first_line or 0) > 0
        notes = theus.audit.query(kind="note")
        assert [n["detail"]["text"].rstrip("x") for n in notes] == list(map(str, range(12)))
        assert len(theus.audit.query(process="fetch")) == 4
        assert len(theus.audit.query(since=began)) == 16
        assert len(theus.audit.query(since=began.isoformat())) == 16
        assert theus.audit.query(since=dt.timedelta(hours=-1)) == []
        with pytest.raises(AuditError, match="since"):
            theus.audit.query(since="yesterday")
        with pytest.raises(AuditError, match="of kind 'run_fail'; did you mean 'run_failed'"):
            theus.audit.query(kind="run_fail")
        with pytest.raises(AuditError, match="of kind 'x'; there are session_started, "):
            theus.audit.query(kind="x")
        with pytest.raises(AuditError, match="tail takes a number of entries, not 'x'"):
            theus.audit.tail("x")  # type: ignore[arg-type] # what somebody may try
        frame = theus.audit.to_dataframe()
        assert list(frame["seq"]) == list(range(17))
        assert str(frame["ts"].dt.tz) == "UTC"
        assert [e["seq"] for e in theus.audit.tail(2)] == [15, 16]
        assert theus.audit.tail(0) == []
        assert "17 entries" in repr(theus.audit)


def test_the_kinds_are_those_of_the_specification() -> None:
    text = pathlib.Path(__file__).parents[2].joinpath("docs/audit-format.md").read_text("utf-8")
    table = text.partition("| kind | `detail` |")[2].partition("\n\n")[0]
    first = [row.split("|")[1] for row in table.splitlines()[2:]]
    assert set(re.findall(r"`(\w+)`", " ".join(first))) == set(KINDS)
