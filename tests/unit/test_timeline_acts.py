"""What the timeline tells of a run, and what it does for its user, without a browser."""

from __future__ import annotations

import asyncio
import contextlib
import json
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET

import pytest

from tests.unit.support import on_loop
from tests.unit.test_timeline_feed import table_of
from theus_nb import Contract, Session, process
from theus_nb.process import Process
from theus_nb.timeline.exporting import exported
from theus_nb.timeline.facts import error_text, missing_arguments
from theus_nb.timeline.model import Row, Table, pack
from theus_nb.timeline.source import Source

if TYPE_CHECKING:
    from pathlib import Path

    from theus_nb.context import Context

EVIL = "<img src=x onerror=alert(1)>"


def source_of(theus: Session) -> Source:
    dispatcher = theus._dispatcher
    made = Source(
        dispatcher.engine, theus.registry, theus.audit.log, lambda: dispatcher.loop, theus
    )
    made.open()
    return made


def told(source: Source, number: int, name: str) -> dict[str, str]:
    details = source.details(number, name)
    return dict(details["facts"]) | dict(details["texts"])


@on_loop
async def test_the_newest_runs_are_had_without_reading_all(theus: Session) -> None:
    @process
    async def many(ctx: Context) -> None:
        pass

    source = source_of(theus)
    for _ in range(100):
        await theus.run(many)
    newest = source.table(5).rows
    assert max(newest) == 100
    assert 5 <= len(newest) <= 40
    assert newest == {number: source.table().rows[number] for number in newest}
    assert len(source.table(100).rows) == 100


@on_loop
async def test_all_are_read_where_the_newest_have_changed_often(theus: Session) -> None:
    @process
    async def often(ctx: Context) -> None:
        pass

    source = source_of(theus)
    for _ in range(10):
        await theus.run(often)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("theus_nb.timeline.source.CHANGES_EACH", 1)
        assert sorted(source.table(5).rows) == list(range(1, 11))


def test_what_was_just_recorded_is_among_the_newest_entries() -> None:
    with contextlib.closing(Session()) as theus:
        source = source_of(theus)
        for number in range(3_000):  # so that the log's own thread is behind
            theus.audit.note(str(number))
        newest = source.newest(5)
    assert newest is not None
    assert json.loads(newest[-1])["detail"] == {"text": "2999"}


@on_loop
async def test_the_details_of_a_run_that_has_ended(theus: Session) -> None:
    source = source_of(theus)

    @process(outputs=["domain.raw"], side_effects=["disk"])
    def make(ctx: Context) -> object:  # noqa: ARG001
        return [1, 2]

    await theus.run(make)
    theus.audit.log.settle(5)
    found = told(source, 1, "make")
    assert found["outputs"] == "domain.raw"
    assert found["side effects"] == "disk"
    assert found["wrote"] == "domain.raw v1 (list, 2)"
    assert "def make" in found["source"]
    assert "error" not in found


@on_loop
async def test_the_details_of_a_failure_name_its_lines(theus: Session) -> None:
    source = source_of(theus)

    @process
    def broken(ctx: Context) -> None:  # noqa: ARG001
        message = "secret"
        raise ValueError(message)

    with pytest.raises(ValueError, match="secret"):
        await theus.run(broken)
    theus.audit.log.settle(5)
    error = told(source, 1, "broken")["error"]
    assert error.startswith("broken (r1) failed\n")
    assert "raise ValueError(message)" in error
    assert error.endswith("\nValueError"), "the log keeps no messages unless it is asked to"


@on_loop
async def test_who_waits_says_for_whom(theus: Session) -> None:
    source = source_of(theus)
    release = asyncio.Event()

    @process(outputs=["domain.x"])
    async def slow(ctx: Context) -> int:  # noqa: ARG001
        await release.wait()
        return 1

    @process(inputs=["domain.x"])
    async def late(ctx: Context) -> None:
        assert ctx.domain.x == 1

    first, second = theus.start(slow), theus.start(late)
    await asyncio.sleep(0)
    assert told(source, second.number, "late")["waits for"] == "slow (r1)"
    release.set()
    await asyncio.gather(first, second)


def test_an_error_with_a_message_ends_with_it() -> None:
    detail = {"error": "E", "message": "why", "frames": [["/gone.py", 3, "f"]]}
    entry = {"kind": "run_failed", "run": "r1", "process": "p", "detail": detail}
    assert error_text([entry], lambda _file: 7) == "p (r1) failed\n  Cell [7], line 3, in f\nE: why"
    assert error_text([], lambda _file: None) is None


@on_loop
async def test_a_process_is_started_again_or_it_is_said_why_not(theus: Session) -> None:
    source = source_of(theus)

    @process
    async def plain(ctx: Context) -> None:
        pass

    @process
    async def fails(ctx: Context) -> None:  # noqa: ARG001
        raise ValueError

    @process
    async def needs(ctx: Context, i: int, *, j: int, k: int = 1) -> None:
        pass

    assert source.again("plain") == "plain was started again, as r1."
    assert source.again("fails") == "fails was started again, as r2."
    assert source.again("needs").startswith("Not started: needs takes arguments (i, j).")
    assert "no process is called 'gone'" in source.again("gone")
    await asyncio.wait([asyncio.ensure_future(run) for run in theus.runs.unfinished()])
    assert [record.status for record in theus.runs] == ["finished", "failed"]


def test_what_a_process_is_called_with() -> None:
    def many(_ctx: object, a: int, b: int = 1, *rest: int, c: int, **more: int) -> None: ...

    assert missing_arguments(Process(many, Contract(), name="many")) == ["a", "c"]
    assert missing_arguments(Process(many, Contract(), name="many", kind="cell")) == []


@on_loop
async def test_runs_are_exported_as_pictures_pages_and_traces(theus: Session) -> None:
    source = source_of(theus)

    @process(outputs=["domain.x"])
    def make(ctx: Context) -> int:  # noqa: ARG001
        return 1

    @process(inputs=["domain.x"])
    async def use(ctx: Context) -> None:
        assert ctx.domain.x == 1

    await theus.run(make)
    await theus.run(use)
    await asyncio.gather(theus.run(use), theus.run(use))
    picture = exported(source, "svg")
    assert ET.fromstring(picture).get("role") == "img"  # noqa: S314 - our own
    assert picture.count("wrote domain.x") == 3
    assert "4 runs; 4 finished" in exported(source, "html")
    events = json.loads(exported(source, "json"))["traceEvents"]
    spans = [one for one in events if one["ph"] == "X"]
    assert [one["args"]["run"] for one in spans] == ["r2", "r3", "r4", "r1"]
    tracks = {one["args"]["name"] for one in events if one["ph"] == "M"}
    assert tracks == {"Event loop", "Worker 1"}
    assert sum(one["ph"] == "s" for one in events) == 3


def test_the_log_is_proven_from_the_view(tmp_path: Path) -> None:
    @process
    async def step(ctx: Context) -> None:
        pass

    async def main() -> list[dict[str, Any]]:
        async with Session(audit_dir=tmp_path) as theus:
            source = source_of(theus)
            for _ in range(3):
                await theus.run(step)
            good = source.verify()
            segment = theus.audit.directory / "000001.jsonl"  # type: ignore[operator]
            written = segment.read_bytes()
            segment.write_bytes(written.replace(b'"r1"', b'"r9"'))
            edited = source.verify()
            # The end alone: of itself the log looks as after a power loss.
            lines = written.splitlines(keepends=True)
            segment.write_bytes(b"".join(lines[:-1]))
            cut = source.verify()
            segment.write_bytes(written)
        async with Session(audit=False) as theus:
            return [good, edited, cut, source_of(theus).verify()]

    good, edited, cut, none = asyncio.run(main())
    assert good["ok"] is True
    assert good["words"].startswith("✓ verified to #")
    assert (edited["ok"], edited["words"]) == (False, "✕ NOT CONSISTENT")
    assert "those after #1 no longer fit" in edited["text"]
    assert cut["ok"] is False
    assert "were durable" in cut["text"]
    assert none["ok"] is None
    assert "in memory" in none["text"]


@on_loop
async def test_what_is_packed_is_unpacked(theus: Session) -> None:
    source_of(theus)

    @process(outputs=["domain.x"])
    def make(ctx: Context) -> int:  # noqa: ARG001
        return 1

    @process(inputs=["domain.x"])
    async def use(ctx: Context) -> None:
        assert ctx.domain.x == 1

    await theus.run(make)
    await theus.run(use)
    table, again = table_of(theus), Table()
    again.apply(pack(list(table.rows.values()), table.reads))
    assert (again.rows, again.reads) == (table.rows, table.reads)
    odd = Row(1, 2, EVIL, "", "cancelled", 3, 0, 2**53 - 1)
    again.apply(pack([odd], []))
    assert again.rows[1].ended == 2**53 - 1
