"""Execute the quickstart notebook in a real kernel and list what ran where.

Writes the executed notebook and its HTML to ``build/demo/``. The list comes from the kernel itself:
after the last cell it is asked for ``theus.runs``. Ends with status 1, and says why, when the
notebook does not run or a run is not what the story says.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import NamedTuple

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError
from nbconvert import HTMLExporter

ROOT = Path(__file__).resolve().parent.parent
NOTEBOOK = ROOT / "notebooks" / "01_quickstart.ipynb"
TARGET = ROOT / "build" / "demo"
TIME_LIMIT = 120  # seconds, per cell

# Runs in the kernel after the last cell, and is no part of the notebook.
PROBE = """
import json
import theus_nb
print(json.dumps([
    [run.name, str(run.lane), str(run.status), run.elapsed] for run in theus_nb.session().runs
]))
"""

# The runs of the story, in order: name, lane and status. Cells that compute share one thread, the
# cell lane; functions that compute go to the worker lanes, which have numbers.
EXPECTED = [
    ("fetch_seattle", "loop", "finished"),
    ("fetch_seattle", "loop", "finished"),
    ("fetch_san_francisco", "loop", "finished"),
    ("fetch_airports", "loop", "finished"),
    ("tidy", "cell", "finished"),
    ("by_hour", "cell", "finished"),
    ("by_month", "worker", "finished"),
    ("daily_swing", "worker", "finished"),
    ("fetch_seattle", "loop", "finished"),
    ("fetch_san_francisco", "loop", "finished"),
    ("tidy", "cell", "finished"),
    ("by_hour", "cell", "finished"),
    ("by_month", "worker", "finished"),
]


class DemoError(Exception):
    """The demo did not go as the story says."""


class RunRow(NamedTuple):
    """One run, as the kernel reported it."""

    name: str
    lane: str
    status: str
    seconds: float


def execute(notebook: nbformat.NotebookNode) -> list[RunRow]:
    """Execute a notebook in place, in a fresh kernel, and return the kernel's own list of runs.

    Raises:
        DemoError: A cell failed that should not have, took too long, or the kernel died.
    """
    probe = nbformat.v4.new_code_cell(PROBE)
    notebook.cells.append(probe)
    client = NotebookClient(
        notebook,
        timeout=TIME_LIMIT,
        kernel_name="python3",
        store_widget_state=False,
        extra_arguments=["--log-level=ERROR"],
        resources={"metadata": {"path": str(NOTEBOOK.parent)}},
    )
    try:
        client.execute()
    except (CellExecutionError, CellTimeoutError, DeadKernelError) as error:
        message = f"{NOTEBOOK.name} does not run to its end:\n{error}"
        raise DemoError(message) from error
    finally:
        notebook.cells.remove(probe)
    return [RunRow(*row) for row in json.loads(probe.outputs[0]["text"])]


def save(notebook: nbformat.NotebookNode) -> Path:
    """Write the executed notebook and its HTML; return where the HTML is."""
    TARGET.mkdir(parents=True, exist_ok=True)
    nbformat.write(notebook, TARGET / NOTEBOOK.name)
    html, _ = HTMLExporter().from_notebook_node(notebook)
    page = TARGET / f"{NOTEBOOK.stem}.html"
    page.write_text(html, encoding="utf-8")
    return page


def show(runs: list[RunRow]) -> None:
    """Print one line per run."""
    print(f"{'run':<22}{'lane':<12}{'status':<12}{'seconds':>8}")
    for run in runs:
        print(f"{run.name:<22}{run.lane:<12}{run.status:<12}{run.seconds:>8.3f}")


def check(runs: list[RunRow]) -> None:
    """Compare the runs with the story.

    Raises:
        DemoError: A run is missing, too many, on the wrong lane or not finished.
    """
    found = [(run.name, run.lane.partition(" ")[0], run.status) for run in runs]
    for number, (expected, actual) in enumerate(zip(EXPECTED, found, strict=False), start=1):
        if actual != expected:
            message = f"run {number} should be {' / '.join(expected)}, but is {' / '.join(actual)}"
            raise DemoError(message)
    if len(found) != len(EXPECTED):
        message = f"{len(EXPECTED)} runs were expected, and there were {len(found)}"
        raise DemoError(message)


def main() -> int:
    """Run the demo."""
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    try:
        runs = execute(notebook)
        page = save(notebook)
        show(runs)
        check(runs)
    except DemoError as error:
        print(f"demo: {error}", file=sys.stderr)
        return 1
    print(f"\nThe executed notebook as a page: {page.relative_to(ROOT)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
