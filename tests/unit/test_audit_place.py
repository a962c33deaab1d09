"""Where an audit log goes, what follows when it cannot, and with which key."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import logging
from typing import TYPE_CHECKING, Literal

import pytest

from tests.unit.audit_support import Closing, crunch, fail, fetch, kinds, read_log, the_log
from tests.unit.support import PATIENCE
from theus_nb.errors import AuditError, AuditWriteError, ContractError, UnreadableLogError
from theus_nb.session import Session

if TYPE_CHECKING:
    import pathlib


def test_memory_only_leaves_nothing_behind(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with Closing(Session(audit=False)) as theus:
        theus.audit.note("x")
        theus.audit.wait(PATIENCE)
        assert theus.audit.directory is None
        assert kinds(theus.audit.tail()) == ["session_started", "note"]
    assert list(tmp_path.iterdir()) == []


def test_the_default_place_is_kept_out_of_version_control_and_made_late(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("THEUS_AUDIT_DIR")
    with Closing(Session()) as theus:
        assert list(tmp_path.iterdir()) == []
        monkeypatch.chdir("/")  # resolved when the session was made
        theus.audit.note("x")
        theus.audit.wait(PATIENCE)
    base = tmp_path / ".theus" / "audit"
    assert (base / ".gitignore").read_text() == "*\n"
    assert kinds(the_log(base)) == ["session_started", "note", "session_ended"]


def test_an_audit_that_is_no_choice_is_refused() -> None:
    with pytest.raises(ContractError, match="audit is True or False, not 'log': audit_dir= says"):
        Session(audit="log")  # type: ignore[arg-type] # what somebody may try
    with pytest.raises(AuditError, match="audit_dir is the path of a directory, not 5"):
        Session(audit_dir=5)  # type: ignore[arg-type] # likewise


def test_two_sessions_do_not_meet_and_the_later_one_names_the_earlier(
    tmp_path: pathlib.Path,
) -> None:
    for _ in range(2):
        with Closing(Session(audit_dir=tmp_path)) as theus:
            theus.audit.note("x")
            theus.audit.wait(PATIENCE)
            second = theus.audit.directory
    first = next(path for path in tmp_path.iterdir() if path != second)
    assert second is not None
    (head,) = read_log(second)[0]["detail"]["heads"]
    last = read_log(first)[-1]
    assert head == {
        "log": first.name,
        "segment": "000001.jsonl",
        "seq": 2,
        "hash": last["hash"],
        "end": "ended",
    }


def test_a_configured_place_that_cannot_be_used_is_an_error(tmp_path: pathlib.Path) -> None:
    (tmp_path / "file").write_text("x")
    for place in (tmp_path / "file", tmp_path / "file" / "below", "nul\0byte"):
        with pytest.raises(AuditError, match="audit_dir"):
            Session(audit_dir=place)
    with pytest.raises(AuditError, match="one of them"):
        Session(audit=False, audit_dir=tmp_path)


def test_a_default_place_that_cannot_be_used_gives_way_to_memory(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    block_default(tmp_path, monkeypatch)
    with caplog.at_level(logging.WARNING), Closing(Session()) as theus:
        theus.run_sync(fetch)
        theus.audit.wait(PATIENCE)
        for _ in range(3):
            theus.run_sync(fetch)
        assert "could not be created" in (theus.audit.status.trouble or "")
        assert len(theus.audit.query(kind="run_finished")) == 4
        assert theus.audit.directory is None
        assert theus.audit.status.directory is None
        assert repr(theus.audit).startswith("<Audit in memory, ")
        with pytest.raises(UnreadableLogError, match=r"in memory \(the audit log could not be"):
            theus.audit.verify()
    assert len(caplog.records) == 1, "said once"


def block_default(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("THEUS_AUDIT_DIR")
    (tmp_path / ".theus").write_text("in the way")


@pytest.mark.parametrize("way", ["note", "sync", "wait", "close", "cell"])
def test_giving_way_to_memory_is_said_even_if_no_run_follows(
    way: str,
    tmp_path: pathlib.Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    block_default(tmp_path, monkeypatch)
    theus = Session()
    with caplog.at_level(logging.WARNING):
        theus.audit.note("x")
        if way in {"note", "cell"}:
            theus.audit.log.settle(PATIENCE)
        {
            "note": lambda: theus.audit.note("y"),
            "sync": lambda: asyncio.run(theus.audit.sync()),
            "wait": lambda: theus.audit.wait(PATIENCE),
            "close": theus.close,
            "cell": theus.cell_ended,
        }[way]()
        assert ["could not be created" in record.message for record in caplog.records] == [True]
        theus.close()
    assert len(caplog.records) == 1, "said once"


def test_a_place_named_in_the_environment_is_asked_for(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("x")
    monkeypatch.setenv("THEUS_AUDIT_DIR", str(tmp_path / "file"))
    with pytest.raises(AuditError, match=r"THEUS_AUDIT_DIR '.*file' cannot be used for logs"):
        Session()


def test_who_counts_on_the_log_gets_no_memory_instead(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    block_default(tmp_path, monkeypatch)
    with pytest.raises(AuditError, match="the default audit_dir"):
        Session(durability="run")
    with pytest.raises(AuditError, match="the default audit_dir"):
        Session(audit_policy="stop")
    with pytest.raises(ContractError, match="audit=False keeps the log in memory"):
        Session(audit=False, durability="run")


def test_a_default_place_that_is_lost_late_is_an_error_for_who_counts_on_it(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("THEUS_AUDIT_DIR")
    with Closing(Session(durability="run", audit_policy="warn")) as theus:
        (tmp_path / ".theus").write_text("in the way")
        with pytest.raises(AuditWriteError, match="could not be created"):
            theus.run_sync(fetch)


@pytest.mark.parametrize("policy", ["warn", "stop"])
def test_what_follows_a_log_that_cannot_be_written_is_a_policy(
    policy: Literal["warn", "stop"], tmp_path: pathlib.Path, caplog: pytest.LogCaptureFixture
) -> None:
    theus = Session(audit_dir=tmp_path / "logs", audit_policy=policy)
    (tmp_path / "logs").rmdir()
    (tmp_path / "logs").write_text("in the way")  # after the session has tried its place
    with caplog.at_level(logging.WARNING):
        theus.audit.note("x")
        with pytest.raises(AuditWriteError, match="new session"):
            theus.audit.wait(PATIENCE)
        with pytest.raises(AuditWriteError):
            asyncio.run(theus.audit.sync())
        if policy == "warn":
            theus.run_sync(fetch)
            theus.run_sync(fetch)
        else:
            with pytest.raises(AuditWriteError):
                theus.run_sync(fetch)
        assert len(caplog.records) == 1
    assert theus.audit.position[2] == theus.audit.position[0], "all of it is lost, and counted"
    theus.close()


def test_durability_run_means_synced_when_it_returns(tmp_path: pathlib.Path) -> None:
    async def main() -> None:
        async with Session(audit_dir=tmp_path, durability="run") as theus:
            for process_ in (fetch, crunch):
                await theus.run(process_)
                done = theus.audit.query(kind="run_finished")[-1]
                assert theus.audit.position[1] >= done["seq"]
            await asyncio.gather(*(theus.run(fetch) for _ in range(50)))
            done = theus.audit.query(kind="run_finished")[-1]
            assert theus.audit.position[1] >= done["seq"]

    asyncio.run(main())


def test_a_handle_says_that_its_entries_are_not_durable(tmp_path: pathlib.Path) -> None:
    async def main() -> None:
        place = tmp_path / "logs"
        async with Session(audit_dir=place, durability="run", audit_policy="warn") as theus:
            place.rmdir()
            place.write_text("in the way")  # after the session has tried its place
            handles = [theus.start(fetch), theus.start(crunch), theus.start(fail)]
            for handle in handles[:2]:
                with pytest.raises(AuditWriteError, match="has committed, but its audit entries"):
                    await handle
            # What a run failed with says more.
            with pytest.raises(ValueError, match="hunter2"):
                await handles[2]
            assert theus.state["domain.total"] == 12

    asyncio.run(main())


def test_a_key_makes_another_chain(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    key = tmp_path / "key"
    key.write_bytes(b"0123456789abcdef\n")
    monkeypatch.setenv("THEUS_AUDIT_KEY_FILE", str(key))
    key.chmod(0o644)
    with pytest.raises(AuditError, match="chmod 600"):
        Session(audit=False)
    key.chmod(0o600)
    with Closing(Session(audit=False)) as theus:
        with pytest.raises(ValueError, match="hunter2"):
            theus.run_sync(fail)
        first, *_rest, failed = theus.audit.tail()
        assert first["detail"]["keyed"] is True
        assert len(failed["detail"]["text_hmac"]) == 64
        assert "hunter2" not in str(failed)
        assert theus.audit.status.keyed
        line = theus.audit.log.lines(-1, 1)[0].encode()
        covered = line[: line.rindex(b',"hash":"')]
        assert first["hash"] != hashlib.sha256(covered).hexdigest()
        assert first["hash"] == _hmac(b"0123456789abcdef", covered)
    key.write_bytes(b"short")
    with pytest.raises(AuditError, match="16"):
        Session(audit=False)
    monkeypatch.setenv("THEUS_AUDIT_KEY_FILE", str(tmp_path / "missing"))
    with pytest.raises(AuditError, match="cannot be read"):
        Session(audit=False)


def _hmac(key: bytes, text: bytes) -> str:
    return hmac.new(key, text, "sha256").hexdigest()


def test_options_that_make_no_sense_are_refused() -> None:
    with pytest.raises(ContractError, match="audit_errors"):
        Session(audit=False, audit_errors="all")  # type: ignore[arg-type]
    with pytest.raises(ContractError, match="audit_policy"):
        Session(audit=False, audit_policy="panic")  # type: ignore[arg-type]
    with pytest.raises(ContractError, match="audit_full"):
        Session(audit=False, audit_full="panic")  # type: ignore[arg-type]
    for durability in ("for ever", ["run"], True):
        with pytest.raises(ContractError, match="durability is None or 'run'"):
            Session(audit=False, durability=durability)  # type: ignore[arg-type]
