"""The command theus-nb: exit codes, what it prints, and that logs cannot command the terminal."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any, Final, Protocol

import pandas as pd
import pytest

import theus_nb
from tests.audit_logs import KEY, NAME, Maker, joined, rebuilt, sample
from theus_nb import cli
from theus_nb.logs import follow

LENGTH: Final = 50


class Run(Protocol):
    def __call__(self, *words: object) -> tuple[int, str, str]: ...


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    def run_it(*words: object) -> tuple[int, str, str]:
        code = cli.main([str(word) for word in words])
        return code, *capsys.readouterr()

    return run_it


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    path = tmp_path / "audit.key"
    path.write_bytes(KEY + b"\n")
    path.chmod(0o600)
    return path


def test_verify_says_yes_no_or_that_it_cannot_say(run: Run, tmp_path: Path) -> None:
    path = sample(LENGTH).write(tmp_path / "logs", segments=2)
    code, out, _ = run("verify", path)
    assert (code, out.splitlines()[0].partition(":")[0]) == (0, NAME)
    assert run("verify", tmp_path / "logs")[0] == 0
    assert run("verify", path / "000002.jsonl")[0] == 0

    (path / "000001.jsonl").write_bytes(joined(sample(LENGTH).lines[:20]))
    code, out, _ = run("verify", path)
    assert code == 1
    assert "NOT CONSISTENT: wrong segment at seq 20 (000002.jsonl line 1, byte 0)" in out

    code, out, err = run("verify", tmp_path / "nowhere")
    assert (code, out) == (2, "")
    assert "cannot be read" in err


def test_a_directory_where_a_file_belongs_is_said_and_exits_with_2(
    run: Run, tmp_path: Path
) -> None:
    path = sample(LENGTH).write(tmp_path / "logs")
    code, _, err = run("verify", path, "--checkpoint", tmp_path)
    assert code == 2
    assert "the checkpoint cannot be read" in err
    assert run("verify", path, "--key-file", tmp_path)[0] == 2
    assert run("export", path, "--csv", tmp_path)[0] == 2
    (tmp_path / "strange" / "000001.jsonl").mkdir(parents=True)
    assert run("verify", tmp_path / "strange")[0] == 2
    assert run("show", tmp_path / "strange")[0] == 2


def test_a_wrong_command_line_exits_with_2(run: Run) -> None:
    for words in ([], ["verify"], ["export", "x", "y"], ["prune", "x", "--keep", "soon"], ["fly"]):
        with pytest.raises(SystemExit) as exit_:
            run(*words)
        assert exit_.value.code == 2


def test_the_version_can_be_asked_for(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as exit_:
        run("--version")
    assert exit_.value.code == 0
    assert capsys.readouterr().out == f"theus-nb {theus_nb.__version__}\n"


def test_a_checkpoint_is_made_once_and_renewed_only_by_a_log_that_agrees(
    run: Run, tmp_path: Path
) -> None:
    log = sample(LENGTH)
    path = log.write(tmp_path / "logs")
    kept = tmp_path / "kept.json"
    (path / "000001.jsonl").write_bytes(joined(log.lines[:30]))
    assert run("checkpoint", path, "-o", kept)[0] == 0
    assert json.loads(kept.read_text(encoding="utf-8"))["seq"] == 29
    (path / "000001.jsonl").write_bytes(log.data)
    assert run("checkpoint", path, "-o", kept)[0] == 0
    assert json.loads(kept.read_text(encoding="utf-8"))["seq"] == LENGTH - 1

    before = kept.read_bytes()
    (path / "000001.jsonl").write_bytes(joined(rebuilt(log.lines[:40])))
    code, _, err = run("checkpoint", path, "-o", kept)
    assert code == 1
    assert "truncated at seq 40" in err
    assert kept.read_bytes() == before
    assert run("verify", path)[0] == 0
    assert run("verify", path, "--checkpoint", kept)[0] == 1


def test_a_checkpoint_goes_to_standard_output_and_covers_every_log(
    run: Run, tmp_path: Path
) -> None:
    for name in ("one", "two"):
        sample(10).write(tmp_path / "logs", name)
    code, out, _ = run("checkpoint", tmp_path / "logs")
    assert code == 0
    assert [json.loads(line)["log"] for line in out.splitlines()] == ["one", "two"]
    kept = tmp_path / "kept.jsonl"
    kept.write_text(out, encoding="utf-8")
    assert run("verify", tmp_path / "logs", "--checkpoint", kept)[0] == 0
    (tmp_path / "logs" / "two").rename(tmp_path / "gone")
    code, out, _ = run("verify", tmp_path / "logs", "--checkpoint", kept)
    assert code == 1
    assert "missing log" in out


def test_a_keyed_log_needs_its_key(run: Run, tmp_path: Path, key_file: Path) -> None:
    path = sample(LENGTH, key=KEY).write(tmp_path / "logs")
    assert run("verify", path, "--key-file", key_file)[0] == 0
    code, _, err = run("verify", path)
    assert code == 2
    assert "--key-file" in err
    key_file.chmod(0o644)
    code, _, err = run("verify", path, "--key-file", key_file)
    assert code == 2 or os.name != "posix"
    unkeyed = sample(LENGTH).write(tmp_path / "plain")
    key_file.chmod(0o600)
    assert run("verify", unkeyed, "--key-file", key_file)[0] == 1


def test_show_prints_a_line_per_entry_and_escapes_what_commands_terminals(
    run: Run, tmp_path: Path
) -> None:
    log = Maker().start().run(1).add("note", {"text": "\x1b]0;pwned\x07\nnext \u202e"})
    code, out, _ = run("show", log.write(tmp_path))
    lines = out.splitlines()
    assert code == 0
    assert len(lines) == 1 + 5
    assert lines[0].split()[:3] == ["seq", "time", "kind"]
    assert "run_started" in lines[2]
    assert "\x1b" not in out
    assert "\u202e" not in out
    assert r"\x1b]0;pwned\x07\nnext \u202e" in lines[-1]


def test_show_leaves_out_what_is_no_entry(run: Run, tmp_path: Path) -> None:
    log = sample(10)
    path = log.write(tmp_path)
    bad = [b"", b"[1]", b'{"seq":"x"}', b"\xff", b"[" * 100_000, b'{"seq":1,"kind":"a"}']
    (path / "000001.jsonl").write_bytes(joined([*log.lines, *bad]) + b'{"seq":')
    code, out, _ = run("show", path)
    assert (code, len(out.splitlines())) == (0, 11)


def test_following_yields_entries_as_they_are_written_and_ends_with_the_session(
    tmp_path: Path,
) -> None:
    log = sample(12)
    path = tmp_path / NAME
    path.mkdir()
    pieces = [log.data[start : start + 333] for start in range(0, len(log.data), 333)]
    half = len(pieces) // 2

    def write_more() -> None:
        # One piece each time there is nothing new; the second segment begins at a line end.
        if not pieces:
            pytest.fail("the session's end was not seen")
        piece = pieces.pop(0)
        if len(pieces) == half:
            rest = piece + b"".join(pieces)
            cut = rest.index(b"\n") + 1
            piece, pieces[:] = rest[:cut], [rest[cut:]]
            name = "000001.jsonl"
        else:
            name = "000001.jsonl" if len(pieces) > half else "000002.jsonl"
        with (path / name).open("ab") as file:
            file.write(piece)

    assert [entry["seq"] for entry in follow(path, write_more)] == list(range(12))


def test_show_follow_ends_with_the_session_in_a_terminal(tmp_path: Path) -> None:
    log = sample(20)
    path = log.write(tmp_path)
    segment = path / "000001.jsonl"
    segment.write_bytes(joined(log.lines[:10]))
    command = [sys.executable, "-m", "theus_nb.cli", "show", str(path), "--follow"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        alarm = threading.Timer(20, process.kill)
        alarm.start()
        assert process.stdout is not None
        for _ in range(11):
            assert process.stdout.readline()
        with segment.open("ab") as file:
            file.write(joined(log.lines[10:]))
        assert len(process.stdout.readlines()) == 10
        assert process.wait() == 0
        alarm.cancel()


def test_a_reader_that_leaves_early_is_no_error(tmp_path: Path) -> None:
    path = sample(3_000).write(tmp_path)
    command = [sys.executable, "-m", "theus_nb.cli", "show", str(path)]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        assert (process.stderr.read(), process.wait()) == ("", 0)


def test_the_command_is_installed() -> None:
    command = Path(sys.executable).with_name("theus-nb")
    done = subprocess.run([command, "--help"], check=False, capture_output=True, text=True)
    assert done.returncode == 0
    for word in ("verify", "checkpoint", "show", "export", "prune"):
        assert word in done.stdout


def test_export_as_a_table(run: Run, tmp_path: Path) -> None:
    log = sample(LENGTH)
    out = tmp_path / "log.csv"
    assert run("export", log.write(tmp_path / "logs"), "--csv", out)[0] == 0
    with out.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [int(row["seq"]) for row in rows] == list(range(LENGTH))
    assert json.loads(rows[2]["detail"])["version"] == 1
    assert rows[2]["process"] == "crunch"


def test_export_as_parquet_gives_pandas_a_row_per_entry(run: Run, tmp_path: Path) -> None:
    path = sample(LENGTH, every=4).write(tmp_path / "logs")
    out = tmp_path / "log.parquet"
    assert run("export", path, "--parquet", out)[0] == 0
    frame = pd.read_parquet(out)
    assert list(frame["seq"]) == list(range(LENGTH))
    assert str(frame["cell"].dtype) == str(frame["synced"].dtype) == "Int64"
    assert frame["synced"].isna().sum() == LENGTH - 13
    assert json.loads(frame["detail"][2])["version"] == 1
    assert frame["process"][2] == "crunch"


@pytest.mark.parametrize("missing", ["pandas", "pyarrow"])
def test_export_as_parquet_says_what_is_missing(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, missing: str
) -> None:
    path = sample(LENGTH).write(tmp_path / "logs")
    monkeypatch.setitem(sys.modules, missing, None)
    code, _, err = run("export", path, "--parquet", tmp_path / "log.parquet")
    assert code == 2
    assert f"{missing} is missing: pip install pandas pyarrow, or export with --csv" in err
    assert not (tmp_path / "log.parquet").exists()


def trace(run: Run, tmp_path: Path, log: Maker) -> list[dict[str, Any]]:
    out = tmp_path / "trace.json"
    assert run("export", log.write(tmp_path / "logs"), "--perfetto", out)[0] == 0
    document = json.loads(out.read_text(encoding="utf-8"))
    found: list[dict[str, Any]] = document["traceEvents"]
    return found


def test_export_as_a_trace_has_lanes_runs_and_arrows_along_the_data(
    run: Run, tmp_path: Path
) -> None:
    events = trace(run, tmp_path, sample(11))
    slices = {event["args"]["run"]: event for event in events if event["ph"] == "X"}
    assert list(slices) == ["r1", "r2", "r3"]
    tracks = {e["tid"]: e["args"]["name"] for e in events if e.get("name") == "thread_name"}
    assert tracks[slices["r1"]["tid"]] == "worker 1"
    assert slices["r1"]["args"]["status"] == "finished"
    assert slices["r1"]["dur"] == 2000

    leaving = {event["id"]: event for event in events if event["ph"] == "s"}
    arriving = {event["id"]: event for event in events if event["ph"] == "f"}
    assert leaving.keys() == arriving.keys()
    assert [event["name"] for event in leaving.values()] == ["domain.raw v1", "domain.raw v2"]
    for id_, event in leaving.items():
        for end, slice_ in ((event, slices["r1"]), (arriving[id_], slices["r2"])):
            if event["name"] == "domain.raw v1":
                assert end["tid"] == slice_["tid"]
                assert slice_["ts"] <= end["ts"] <= slice_["ts"] + slice_["dur"]


def test_runs_that_overlap_on_a_lane_get_tracks_of_their_own(run: Run, tmp_path: Path) -> None:
    log = Maker().start()
    for number in (1, 2, 3):
        log.add("run_started", run=f"r{number}", process=f"p{number}", lane="loop")
    for number in (1, 2):
        log.add("run_failed", {"error": "ValueError"}, run=f"r{number}", lane="loop")
    log.add("run_started", run="r4", process="p4", lane="loop")
    log.add("note", {"text": "here"}).add("loop_blocked", {"ms": 3}, run="r4")
    events = trace(run, tmp_path, log)
    tracks = [event["args"]["name"] for event in events if event.get("name") == "thread_name"]
    assert tracks == ["loop", "loop (2)", "loop (3)"]
    slices = {event["name"]: event for event in events if event["ph"] == "X"}
    assert slices["p4"]["tid"] == slices["p1"]["tid"]
    assert slices["p1"]["args"]["error"] == "ValueError"
    assert slices["p3"]["args"]["status"] == "?"
    assert [event["name"] for event in events if event["ph"] == "i"] == ["note", "loop_blocked"]


def test_a_hostile_log_is_exported_without_a_crash(run: Run, tmp_path: Path) -> None:
    log = Maker().start()
    log.add("run_started", {"reads": [1, ["a"], [2, "b"], None]}, run=7, lane=[])
    log.add("run_started", {"reads": "abc"}, run="r1", lane=["x"], process={})
    log.add("state_committed", {"paths": [1, {}], "version": "x"}, run="r1")
    log.add("run_finished", {"started": "soon"}, run="r1")
    assert [event["ph"] for event in trace(run, tmp_path, log)] == ["M", "M", "X"]
    assert run("show", tmp_path / "logs")[0] == 0
    assert run("export", tmp_path / "logs", "--csv", tmp_path / "out.csv")[0] == 0
