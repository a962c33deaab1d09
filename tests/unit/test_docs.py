"""What the README shows is true: its scripts run and print what it says."""

from __future__ import annotations

import dataclasses
import re
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

README: Final = Path(__file__).resolve().parents[2] / "README.md"
FENCE: Final = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
SCRIPTS: Final = "## The same in a script\n"


@dataclasses.dataclass(frozen=True)
class Example:
    """A script, and the output that the next block claims for it."""

    line: int
    code: str
    prints: str


def readme_section(heading: str) -> str:
    """Return the part of the README from a heading to the next one of its level."""
    _, found, rest = README.read_text(encoding="utf-8").partition(heading)
    assert found, f"README.md has no {heading.strip()!r}"
    return rest.split("\n## ")[0]


def examples(text: str) -> list[Example]:
    """Return the Python blocks of a text, each with the ``text`` block that follows it."""
    readme = README.read_text(encoding="utf-8")
    blocks = list(FENCE.finditer(text))
    return [
        Example(
            line=readme.partition(block[2])[0].count("\n") + 1,
            code=block[2],
            prints=after[2] if after is not None and after[1] == "text" else "",
        )
        for block, after in zip(blocks, [*blocks[1:], None], strict=True)
        if block[1] == "python"
    ]


def readme_scripts() -> list[Example]:
    return examples(readme_section(SCRIPTS))


@pytest.mark.parametrize("example", readme_scripts(), ids=lambda example: f"line-{example.line}")
def test_readme_scripts_print_what_the_readme_says(example: Example, tmp_path: Path) -> None:
    script = tmp_path / "example.py"
    script.write_text(example.code, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-W", "error", script],
        check=False,
        capture_output=True,
        text=True,
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == example.prints
    assert not done.stderr


def test_there_are_scripts_to_run() -> None:
    assert len(readme_scripts()) >= 2
    assert all(example.prints for example in readme_scripts())
