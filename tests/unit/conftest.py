"""Fixtures of the unit tests."""

from __future__ import annotations

import gc
from pathlib import Path

import pytest


@pytest.fixture
def tidy() -> None:
    """Collect what other tests left behind before threads are stopped.

    Since Python 3.12 the collector runs where exceptions from outside are raised. One that comes
    while it tells the weak references of old tasks is lost in there, and reported as unraisable.
    """
    gc.collect()


@pytest.fixture
def out_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Work in an empty directory with one called ``out`` in it."""
    monkeypatch.chdir(tmp_path)
    Path("out").mkdir()
