"""``%theus verify`` in a notebook."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.audit_logs import Maker, joined, sample

if TYPE_CHECKING:
    from pathlib import Path

    from tests.kernel.driver import Kernel


def test_the_verdict_on_a_log_is_displayed(kernel: Kernel, tmp_path: Path) -> None:
    path = sample(20).write(tmp_path / "my logs")
    (data,) = kernel.good(f"%theus verify {path}").displays
    assert "consistent to seq 19" in data["text/plain"]
    assert "completeness not proven" in data["text/html"]


def test_the_verdict_shows_names_from_the_log_escaped(kernel: Kernel, tmp_path: Path) -> None:
    log = Maker().start().add("commit_intent", {"files": ["<img src=x>\x1b[2J"]}, run="r1").end()
    (data,) = kernel.good(f"%theus verify {log.write(tmp_path)}").displays
    assert "NOT CONSISTENT: unfinished commit at seq 1" in data["text/plain"]
    assert "&lt;img src=x&gt;" in data["text/html"]
    assert "\x1b" not in data["text/plain"] + data["text/html"]


def test_a_change_is_shown_and_what_is_no_log_is_an_error(kernel: Kernel, tmp_path: Path) -> None:
    lines = sample(20).lines
    path = sample(20).write(tmp_path)
    (path / "000001.jsonl").write_bytes(joined([*lines[:5], *lines[6:]]))
    (data,) = kernel.good(f"%theus verify {path}").displays
    assert "NOT CONSISTENT: missing at seq 5" in data["text/plain"]
    assert "UnreadableLogError" in kernel.bad(f"%theus verify {tmp_path / 'none'}").traceback
