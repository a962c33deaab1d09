"""The front end by itself: its syntax, its types, its layout and hit-testing."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Final

import pytest

from tests.browser.conftest import absent
from theus_nb.timeline.assets import script

ROOT: Final = Path(__file__).resolve().parents[2]
COMPILER: Final = ROOT / "node_modules" / "typescript" / "bin" / "tsc"


def node(*arguments: str | Path) -> None:
    """Run Node.js; what it complains about fails the test."""
    program = shutil.which("node")
    if program is None:
        absent("no Node.js on this machine: install it to check the timeline's front end")
    done = subprocess.run(
        [program, *arguments], check=False, capture_output=True, text=True, cwd=ROOT
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_laid_together_module_is_one(tmp_path: Path) -> None:
    module = tmp_path / "all.mjs"
    module.write_text(script(), encoding="utf-8")
    node("--check", module)


def test_layout_level_of_detail_and_hits() -> None:
    node("--test", "tests/js/")


@pytest.mark.timeout(90)
def test_the_types_of_the_front_end_are_right() -> None:
    if not COMPILER.exists():
        absent("no TypeScript here: npm ci, to check the timeline's front end")
    node(COMPILER)
