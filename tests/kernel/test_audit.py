"""The audit log of a notebook: which cell, how it is shown, what a restart leaves."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from tests.kernel.driver import Kernel

if TYPE_CHECKING:
    import pathlib


def entries(kernel: Kernel, condition: str) -> list[dict[str, Any]]:
    code = f"print(__import__('json').dumps(theus.audit.query({condition})))"
    found: list[dict[str, Any]] = json.loads(kernel.good(code).stdout)
    return found


def test_entries_name_the_cell_they_come_from(kernel: Kernel) -> None:
    first = kernel.good("%%theus_process numbered --outputs one\none = 1")
    second = kernel.good("await theus.run('numbered')")
    started = entries(kernel, "process='numbered', kind='run_started'")
    assert [entry["cell"] for entry in started] == [first.count, second.count]
    assert {entry["lane"] for entry in started} == {"cell"}


def test_the_magic_shows_the_newest_entries_and_escapes_them(kernel: Kernel) -> None:
    kernel.good("theus.audit.note('<b>bold</b> \\x1b[31m'); theus.audit.note('second')")
    (shown,) = kernel.good("%theus audit 2").displays
    assert "second" in shown["text/plain"]
    assert "\x1b" not in shown["text/plain"]
    assert "&lt;b&gt;bold" in shown["text/html"]
    assert "<b>bold" not in shown["text/html"]
    assert shown["text/html"].count("<tr>") == 3
    (shown,) = kernel.good("%theus audit 100 --kind session_started").displays
    assert shown["text/html"].count("<tr>") == 2
    (shown,) = kernel.good("%theus audit --process nobody").displays
    assert "no such entries" in shown["text/plain"]
    for wrong in ("audit some", "audit 0", "audit --process"):
        assert "write %theus audit [N]" in kernel.run(f"%theus {wrong}").error


def test_a_kernel_that_is_shut_down_ends_its_log(
    tmp_path: pathlib.Path,
) -> None:
    with Kernel(tmp_path, {"THEUS_AUDIT_DIR": str(tmp_path / "logs")}) as kernel:
        kernel.good("%load_ext theus_nb")
        assert not (tmp_path / "logs").exists(), "loading alone leaves nothing"
        kernel.good("theus.audit.note('x')")
        kernel.shut_down()
    (segment,) = (tmp_path / "logs").glob("*/*.jsonl")
    kinds = [json.loads(line)["kind"] for line in segment.read_bytes().splitlines()]
    assert kinds == ["session_started", "note", "session_ended"]
