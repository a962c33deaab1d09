"""The timeline of a log alone: its rows, its page, and what a log cannot do to a page."""

from __future__ import annotations

import asyncio
import itertools
import json
import re
from html.parser import HTMLParser
from typing import TYPE_CHECKING, Any

import pytest

from tests.audit_logs import GOLDEN
from tests.unit.audit_support import crunch, fail, fetch
from theus_nb import cli
from theus_nb.logs import entries, find_logs
from theus_nb.session import Session
from theus_nb.timeline.from_log import Story, document

if TYPE_CHECKING:
    from pathlib import Path

EVIL = "</title><script>alert(1)</script><img src=x onerror=alert(1)>\"'&\ud800\u202e\0"


def told(*found: dict[str, Any]) -> Story:
    story = Story()
    for seq, entry in enumerate(found):
        story.take({"seq": seq, "ts": "", "mono": 10 * seq, **entry})
    return story


def of_log(path: Path) -> Story:
    story = Story()
    [files] = find_logs(path).values()
    for entry in entries(files):
        story.take(entry)
    return story


class Tags(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.add(tag)
        assert not any(name.startswith("on") or name in {"src", "href"} for name, _ in attrs)


def test_a_golden_log_becomes_rows() -> None:
    story = of_log(GOLDEN / "plain")
    rows = {row.run: row for row in story.rows()}
    assert [rows[i].status for i in range(1, 6)] == [
        "finished",
        "finished",
        "failed",
        "cancelled",
        "abandoned",
    ]
    assert (rows[1].submitted, rows[1].started, rows[1].ended) == (999_500, 1_000_000, 3_000_000)
    assert (rows[3].parent, rows[3].lane) == (2, "loop")
    assert story.marks().reads == [(2, 1, "domain.raw"), (3, 2, "domain.raw")]
    assert story.marks().blocked == [(4_500_000, 17_000_000, "a.py:3")]
    assert story.marks().attempts == {3: 2}
    assert (story.ended, story.dropped, story.now) == (True, 3, 20_000_000)


@pytest.mark.parametrize("name", ["plain", "keyed", "edited", "killed"])
def test_every_golden_log_becomes_a_page(name: str, tmp_path: Path) -> None:
    out = tmp_path / "out.html"
    assert cli.main(["show", str(GOLDEN / name), "--html", str(out)]) == 0
    page = out.read_text(encoding="utf-8")
    assert "<svg" in page
    assert "Not verified" in page
    assert ("no end: the session goes on" in page) == (not of_log(GOLDEN / name).ended)


def test_the_log_of_a_session_is_drawn_as_it_went(tmp_path: Path) -> None:
    async def main() -> None:
        async with Session(audit_dir=tmp_path / "logs") as theus:
            await theus.run(fetch)
            await theus.run(crunch)
            with pytest.raises(ValueError, match="hunter2"):
                await theus.run(fail)
            theus.state["domain.flag"] = True

    asyncio.run(main())
    story = of_log(tmp_path / "logs")
    rows = story.rows()
    assert [(row.process, row.status) for row in rows] == [
        ("fetch", "finished"),
        ("crunch", "finished"),
        ("fail", "failed"),
        ("theus.state", "finished"),
    ]
    assert [row.lane for row in rows][::3] == ["loop", "state"]
    assert all(row.submitted <= row.started <= row.ended for row in rows)
    assert story.marks().reads == [(2, 1, "domain.raw")]
    page = document({"log": entries(next(iter(find_logs(tmp_path / "logs").values())))})
    assert page.runs == len(rows)
    assert "r1 wrote domain.raw, r2 read it" in page.html


def test_a_run_without_an_end_is_running_at_the_end_of_the_log() -> None:
    story = told({"kind": "run_started", "run": "r1", "process": "p", "lane": "loop"})
    [row] = story.rows()
    assert (row.status, row.ended) == ("running", 0)
    page = document({"x": [{"seq": 0, "ts": "", "mono": 5, "kind": "run_started", "run": "r1"}]})
    assert "1 without an end" in page.html


def test_what_is_tried_again_is_marked() -> None:
    again = {"kind": "run_retried", "run": "r1", "process": "p", "lane": "worker 1"}
    begun = {**again, "kind": "run_started"}
    story = told(begun, again, begun, again, begun, {**again, "kind": "run_finished"})
    assert story.marks().attempts == {1: 3}
    [row] = story.rows()
    # As in the live view: the bar is the last attempt.
    assert (row.submitted, row.started, row.ended) == (0, 40, 50)
    [row] = told(begun, again).rows()
    assert row.status == "waiting"


def test_no_text_of_a_log_becomes_markup(tmp_path: Path) -> None:
    named = {"ts": EVIL, "mono": 1, "run": "r1", "process": EVIL, "lane": EVIL}
    reader = {**named, "run": "r2"}
    paths = {"version": 1, "paths": [{"path": EVIL, "type": EVIL}]}
    made = [
        {**named, "kind": "run_started"},
        {**named, "kind": "state_committed", "detail": paths},
        {**named, "kind": "run_failed", "detail": {"error": EVIL}},
        {**reader, "kind": "run_started", "detail": {"reads": [[EVIL, 1]]}},
        {**named, "kind": "loop_blocked", "detail": {"ms": 5, "where": EVIL}},
        {**named, "kind": EVIL, "run": EVIL},
    ]
    segment = tmp_path / "000001.jsonl"
    lines = [json.dumps({"seq": seq, **entry}) for seq, entry in enumerate(made)]
    segment.write_text("\n".join(lines), encoding="utf-8")
    found = list(entries([segment]))
    assert len(found) == len(made)
    page = document({EVIL: found}).html
    assert page.count("onerror") > 5
    assert not Tags(page).found & {"script", "img"}
    assert page.encode()


@pytest.mark.parametrize(
    "strange",
    [None, -1, 2**60, "x", [], {}, [["a"]], [[1, 2]], float("nan"), float("inf"), True],
)
def test_strange_entries_are_passed_over_or_drawn(strange: object) -> None:
    detail = dict.fromkeys(
        ("submitted", "started", "reads", "parent", "version", "paths", "ms", "where", "count"),
        strange,
    )
    kinds = (
        *("run_started", "state_committed", "run_retried", "run_finished", "run_cancelled"),
        *("loop_blocked", "dropped", "of tomorrow"),
    )
    named: tuple[dict[str, object], ...] = (
        {"run": "r1"},
        {"run": strange},
        {"run": "r2", "process": strange, "lane": strange},
    )
    made = [
        {"seq": 0, "ts": "", "mono": 7, "kind": kind, "detail": detail, **one}
        for kind, one in itertools.product(kinds, named)
    ]
    page = document({"log": made}).html
    assert "<svg" in page
    assert 'width="-' not in page
    assert not re.search(r'="-?(nan|inf)', page)


def test_a_page_cannot_be_followed(tmp_path: Path) -> None:
    with pytest.raises(SystemExit):
        cli.main(["show", str(GOLDEN / "plain"), "--follow", "--html", str(tmp_path / "x")])
