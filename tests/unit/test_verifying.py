"""``theus.audit.verify()`` and ``%theus verify``: the session's own log, or another one."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from tests.audit_logs import sample
from theus_nb.decorator import process
from theus_nb.errors import UnreadableLogError
from theus_nb.notebook.verifying import verdict_bundle
from theus_nb.session import Session

if TYPE_CHECKING:
    from pathlib import Path

    from theus_nb.context import Context


@process(name="answer", outputs=["domain.answer"])
def answer(_ctx: Context) -> int:
    return 42


def test_the_log_of_the_session_is_verified(tmp_path: Path) -> None:
    async def main() -> None:
        async with Session(audit_dir=tmp_path) as theus:
            await theus.run(answer)
            verdict = theus.audit.verify()
            assert verdict.ok
            assert "consistent to seq" in verdict_bundle(theus)["text/plain"]

    asyncio.run(main())


def test_a_keyed_log_is_verified_with_its_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = tmp_path / "key"
    key.write_bytes(b"k" * 32)
    key.chmod(0o600)
    monkeypatch.setenv("THEUS_AUDIT_KEY_FILE", str(key))
    theus = Session(audit_dir=tmp_path / "logs")
    theus.audit.note("kept under a key")
    assert theus.audit.verify().ok
    theus.close()


def test_an_edited_log_is_found_out(tmp_path: Path) -> None:
    theus = Session(audit_dir=tmp_path)
    theus.audit.note("the truth")
    theus.audit.wait()
    theus.close()
    assert theus.audit.directory is not None
    segment = next(theus.audit.directory.glob("*.jsonl"))
    segment.write_bytes(segment.read_bytes().replace(b"the truth", b"the trvth"))
    bundle = verdict_bundle(theus, str(theus.audit.directory))
    assert "seq 1" in bundle["text/plain"]
    assert "#b00020" in bundle["text/html"]


def test_another_log_by_its_path(tmp_path: Path) -> None:
    theus = Session(audit=False)
    path = sample(10).write(tmp_path)
    assert "consistent to seq 9" in verdict_bundle(theus, str(path))["text/plain"]
    theus.close()


def test_a_log_in_memory_has_no_file_to_verify() -> None:
    theus = Session(audit=False)
    with pytest.raises(UnreadableLogError, match="audit log is in memory"):
        verdict_bundle(theus)
    theus.close()
