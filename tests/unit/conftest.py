"""Fixtures of the unit tests."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture
def out_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Work in an empty directory with one called ``out`` in it."""
    monkeypatch.chdir(tmp_path)
    Path("out").mkdir()
