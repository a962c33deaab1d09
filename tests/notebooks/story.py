"""Executing the project's notebooks, and looking into what came out."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import nbformat

from tools import demo

FOLDER = Path(__file__).resolve().parent.parent.parent / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))


@dataclasses.dataclass(frozen=True)
class Story:
    """An executed notebook.

    Attributes:
        notebook: The notebook with its outputs.
        runs: What the kernel reported as its runs, in order.
    """

    notebook: nbformat.NotebookNode
    runs: list[demo.RunRow]

    @classmethod
    def of(cls, path: Path) -> Story:
        """Execute a notebook in a fresh kernel."""
        notebook = nbformat.read(path, as_version=4)
        return cls(notebook, demo.execute(notebook))

    def cell(self, cell_id: str) -> nbformat.NotebookNode:
        """Return the cell with an id."""
        cells: dict[str, nbformat.NotebookNode] = {cell.id: cell for cell in self.notebook.cells}
        return cells[cell_id]

    def text(self, cell_id: str) -> str:
        """Return everything a cell printed or displayed as text."""
        return "".join(map(_text, self.cell(cell_id).outputs))

    def errors(self) -> dict[str, nbformat.NotebookNode]:
        """Return the error outputs by the id of their cell."""
        return {
            cell.id: output
            for cell in self.notebook.cells
            for output in cell.get("outputs", [])
            if output.output_type == "error"
        }

    def kinds(self) -> list[tuple[str, str, str]]:
        """Return name, kind of lane and status of each run."""
        return [(run.name, run.lane.partition(" ")[0], run.status) for run in self.runs]


def _text(output: nbformat.NotebookNode) -> str:
    if output.output_type == "stream":
        return str(output.text)
    return str(output.get("data", {}).get("text/plain", "")) + "\n"
