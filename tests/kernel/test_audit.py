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
        cell = kernel.run(f"%theus {wrong}")
        assert "write %theus audit [N]" in cell.error
        assert "argparse" not in cell.traceback


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


def test_the_log_is_configured_from_the_notebook_for_the_next_session(
    tmp_path: pathlib.Path,
) -> None:
    with Kernel(tmp_path) as kernel:
        kernel.good("%load_ext theus_nb")
        said = kernel.good(f"%config TheusNb.audit_dir = {str(tmp_path / 'logs')!r}").stdout
        assert "TheusNb.audit_dir holds for the next session: %reload_ext theus_nb" in said
        kernel.good("%config TheusNb.durability = 'run'")
        kernel.good("%config TheusNb.audit_errors = 'message'")
        refused = kernel.run("%config TheusNb.audit_policy = 'panic'")
        assert "panic" in refused.stderr + refused.stdout + refused.error
        kernel.good("%reload_ext theus_nb")
        assert kernel.value("str(theus.audit.directory.parent)") == repr(str(tmp_path / "logs"))
        kernel.bad("%%theus_process failing -o x\nx = 1\nraise ValueError('the text')")
        kernel.shut_down()
    (segment,) = (tmp_path / "logs").glob("*/*.jsonl")
    failed = [json.loads(line) for line in segment.read_bytes().splitlines()]
    (told,) = (entry["detail"] for entry in failed if entry["kind"] == "run_failed")
    assert told["message"] == "the text"


def test_the_log_is_configured_in_a_file(tmp_path: pathlib.Path) -> None:
    profile = tmp_path / "profile_default"
    profile.mkdir()
    lines = f"c.TheusNb.audit_dir = {str(tmp_path / 'logs')!r}\nc.TheusNb.audit_full = 'wait'\n"
    profile.joinpath("ipython_config.py").write_text(lines)
    with Kernel(tmp_path, {"IPYTHONDIR": str(tmp_path)}) as kernel:
        kernel.good("%load_ext theus_nb")
        assert kernel.value("theus.audit.waits, theus.audit.directory.parent.name") == (
            "(True, 'logs')"
        )


def test_settings_that_contradict_each_other_keep_the_extension_from_loading(
    tmp_path: pathlib.Path,
) -> None:
    with Kernel(tmp_path) as kernel:
        kernel.good("get_ipython().config.TheusNb.update(audit=False, durability='run')")
        assert "audit=False keeps the log in memory" in kernel.bad("%load_ext theus_nb").error
        kernel.good("get_ipython().config.TheusNb.audit = True")
        kernel.good("%load_ext theus_nb")
