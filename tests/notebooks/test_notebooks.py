"""The notebooks do what their text says, in a real kernel."""

from __future__ import annotations

import contextlib
import json
import re
from pathlib import Path
from typing import TYPE_CHECKING

import nbformat
import papermill
import pytest
from papermill.exceptions import PapermillExecutionError

from tests.notebooks.story import NOTEBOOKS, Story
from tools import demo

if TYPE_CHECKING:
    from collections.abc import Callable

QUICKSTART, HYBRID, *_ = NOTEBOOKS
SEED_EXAMPLE = Path(__file__).with_name("seed_example.txt")

pytestmark = pytest.mark.timeout(120)


@pytest.fixture(scope="module")
def quickstart() -> Story:
    return Story.of(QUICKSTART)


@pytest.fixture(scope="module")
def hybrid() -> Story:
    return Story.of(HYBRID)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_committed_notebooks_are_clean(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    content = json.loads(text)
    assert text == json.dumps(content, indent=1, ensure_ascii=False) + "\n"
    assert (content["nbformat"], content["nbformat_minor"]) == (4, 5)
    assert content["metadata"]["kernelspec"]["name"] == "python3"
    nbformat.validate(content)
    for cell in content["cells"]:
        assert isinstance(cell["source"], list)
        if cell["cell_type"] == "code":
            assert cell["outputs"] == []
            assert cell["execution_count"] is None


def test_quickstart_runs_are_those_of_the_story(quickstart: Story) -> None:
    demo.check(quickstart.runs)


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (lambda runs: runs[:-1], "13 runs were expected, and there were 12"),
        (lambda runs: [*runs, runs[0]], "13 runs were expected, and there were 14"),
        (
            lambda runs: [*runs[:4], runs[4]._replace(lane="loop"), *runs[5:]],
            "run 5 should be tidy / cell / finished, but is tidy / loop / finished",
        ),
    ],
)
def test_demo_says_which_run_is_not_as_expected(
    quickstart: Story,
    change: Callable[[list[demo.RunRow]], list[demo.RunRow]],
    complaint: str,
) -> None:
    with pytest.raises(demo.DemoError, match=complaint):
        demo.check(change(quickstart.runs))


def test_quickstart_downloads_overlap(quickstart: Story) -> None:
    took = re.search(r"took ([\d.]+) s", quickstart.text("gather"))
    assert took is not None
    assert 0.5 <= float(took[1]) < 1.4  # one after the other they take 1.5 s


def test_quickstart_computes_off_the_main_thread(quickstart: Story) -> None:
    said = quickstart.text("tidy")
    assert said.startswith("17,518 hours tidied in ")
    assert "MainThread" not in said


def test_quickstart_shows_one_error_and_the_line_that_fixes_it(quickstart: Story) -> None:
    errors = quickstart.errors()
    assert list(errors) == ["forgotten"]
    assert errors["forgotten"].ename == "UndeclaredReadError"
    fixed = quickstart.cell("by-hour").source
    assert fixed.splitlines()[0] in errors["forgotten"].evalue.splitlines()
    assert fixed.splitlines()[1:] == quickstart.cell("forgotten").source.splitlines()[1:]


def test_quickstart_finds_the_answer(quickstart: Story) -> None:
    assert "San Francisco  6.6 °C" in quickstart.text("workers")
    assert "warmer in Seattle in July and August" in quickstart.text("plot")
    pictures = [output.data for output in quickstart.cell("plot").outputs if "data" in output]
    assert [data for data in pictures if "image/png" in data]


def test_quickstart_lists_its_runs(quickstart: Story) -> None:
    for name in {run.name for run in quickstart.runs}:
        assert name in quickstart.text("status")
        assert name in quickstart.text("runs")


def test_hybrid_example_is_the_seed_to_the_letter(hybrid: Story) -> None:
    seed = SEED_EXAMPLE.read_text(encoding="utf-8").rstrip("\n")
    changed = seed.replace("from theus.contracts import", "from theus_nb.contracts import")
    assert hybrid.cell("processes").source == changed


def test_hybrid_runs_are_in_their_lanes(hybrid: Story) -> None:
    fetch = ("fetch_data", "loop", "finished")
    heavy = ("heavy_computation", "worker", "finished")
    spawn = ("spawn_job", "loop", "finished")
    assert hybrid.kinds() == [fetch, heavy, fetch, heavy, spawn, fetch]
    assert not hybrid.errors()
    for run in hybrid.runs:
        assert run.seconds >= {"fetch_data": 1.0, "heavy_computation": 2.0}.get(run.name, 0)


def test_hybrid_loop_ticks_while_a_worker_sleeps(hybrid: Story) -> None:
    said = hybrid.text("together")
    assert "'Data' and 'Result' after 3." in said
    ticks = re.search(r"(\d+) ticks meanwhile, the largest gap (\d+) ms", said)
    assert ticks is not None
    assert int(ticks[1]) > 60
    assert int(ticks[2]) < 500


def test_hybrid_background_job_prints_into_the_cell_that_started_it(hybrid: Story) -> None:
    steps = re.findall(r"Background job: step (\d) of 5", hybrid.text("together"))
    assert steps == ["1", "2", "3", "4", "5"]


def test_hybrid_answers_synchronous_code(hybrid: Story) -> None:
    assert "'Data'" in hybrid.text("sync")


@pytest.mark.parametrize(
    "path", [QUICKSTART, pytest.param(HYBRID, marks=pytest.mark.slow)], ids=lambda path: path.stem
)
def test_papermill_gives_the_same_runs(
    path: Path, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    notebook = nbformat.read(path, as_version=4)
    notebook.cells.append(nbformat.v4.new_code_cell(demo.PROBE, id="probe"))
    source, target = tmp_path / path.name, tmp_path / "executed.ipynb"
    nbformat.write(notebook, source)
    expected = request.getfixturevalue({QUICKSTART: "quickstart", HYBRID: "hybrid"}[path])
    # Papermill goes on after a cell tagged raises-exception, and complains at the end.
    with contextlib.suppress(PapermillExecutionError):
        papermill.execute_notebook(source, target, kernel_name="python3", progress_bar=False)
    executed = nbformat.read(target, as_version=4)
    story = Story(executed, [])
    runs = [demo.RunRow(*row) for row in json.loads(story.text("probe"))]
    assert Story(executed, runs).kinds() == expected.kinds()
    assert story.errors().keys() == expected.errors().keys()
