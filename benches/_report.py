"""Goals, and the tables that say whether they were met."""

from __future__ import annotations

import dataclasses
import os
import platform
from importlib import metadata
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

PACKAGES = ("theus_nb", "anyio", "asgiref", "theus", "uvloop", "ipykernel", "numpy")


@dataclasses.dataclass(frozen=True)
class Goal:
    """One row of the table of promises.

    Attributes:
        what: What is measured.
        must: The value that has to be reached.
        aim: The value we would like to reach.
        unit: ``"x"`` where more is better, a unit of time where less is.
        measured: The result, or None where it could not be taken.
    """

    what: str
    must: float
    aim: float | None
    unit: str
    measured: float | None

    def reaches(self, value: float) -> bool:
        """Tell whether the result is at least as good as a value."""
        if self.measured is None:
            return False
        return self.measured >= value if self.unit == "x" else self.measured <= value

    @property
    def missed(self) -> bool:
        """Whether the result was taken and does not reach what it must."""
        return self.measured is not None and not self.reaches(self.must)

    @property
    def verdict(self) -> str:
        """What the last column says."""
        if self.measured is None:
            return "not measured"
        if self.missed:
            return "NO"
        return "yes, and the aim" if self.aim is not None and self.reaches(self.aim) else "yes"

    def _limit(self, value: float | None) -> str:
        if value is None:
            return ""
        return f"{'≥' if self.unit == 'x' else '≤'} {value:g} {self.unit}"

    def row(self) -> tuple[str, ...]:
        """Return the cells of the row."""
        result = "" if self.measured is None else f"{self.measured:.2f} {self.unit}"
        return self.what, self._limit(self.must), self._limit(self.aim), result, self.verdict


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Lay out a Markdown table that also reads well in a terminal."""
    lines = [tuple(head), *(tuple(row) for row in rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    lines.insert(1, tuple("-" * width for width in widths))
    return "\n".join(
        f"| {' | '.join(cell.ljust(width) for cell, width in zip(line, widths, strict=True))} |"
        for line in lines
    )


def _version(package: str) -> str:
    try:
        return f"{package} {metadata.version(package)}"
    except metadata.PackageNotFoundError:
        return f"{package} not installed"


def facts() -> str:
    """Name the versions and the machine the numbers belong to."""
    python = f"{platform.python_implementation()} {platform.python_version()}"
    machine = f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores"
    return f"{python}, {machine}; " + ", ".join(_version(package) for package in PACKAGES)
