"""What ``%theus verify`` verifies when no path is given."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from tests.audit_logs import sample
from theus_nb.errors import UnreadableLogError
from theus_nb.notebook.verifying import verdict_bundle

if TYPE_CHECKING:
    from pathlib import Path


def session_with(path: Path | None) -> Any:  # noqa: ANN401 - stands for a session
    return SimpleNamespace(audit=SimpleNamespace(path=path))


def test_the_log_of_the_session_is_verified(tmp_path: Path) -> None:
    path = sample(10).write(tmp_path)
    assert "consistent to seq 9" in verdict_bundle(session_with(path))["text/plain"]


def test_a_log_in_memory_has_no_file_to_verify() -> None:
    with pytest.raises(UnreadableLogError, match="keeps its audit log in memory"):
        verdict_bundle(session_with(None))
