"""The README's tour of a notebook works, cell after cell, in a real kernel."""

from __future__ import annotations

import nbformat
import pytest

from tests.notebooks.story import Story
from tests.unit.test_docs import Example, examples, readme_section
from tools import demo

TOUR = readme_section("## Five minutes in a notebook\n")
LATER = readme_section("## Work that goes on\n") + readme_section("## What happened\n")

pytestmark = pytest.mark.timeout(60)


@pytest.fixture(scope="module")
def tour() -> Story:
    """Every block as a cell; one that is followed by the text of an error may raise it."""
    notebook = nbformat.v4.new_notebook()
    for number, example in enumerate(examples(TOUR)):
        tags = ["raises-exception"] if example.prints else []
        cell = nbformat.v4.new_code_cell(example.code, id=f"c{number}", metadata={"tags": tags})
        notebook.cells.append(cell)
    return Story(notebook, demo.execute(notebook))


@pytest.fixture(scope="module")
def later() -> Story:
    """The sections behind the tour, in a notebook of their own."""
    notebook = nbformat.v4.new_notebook()
    setup = "%load_ext theus_nb\nimport asyncio\nfrom theus_nb import process"
    notebook.cells.append(nbformat.v4.new_code_cell(setup, id="setup"))
    for number, example in enumerate(examples(LATER)):
        notebook.cells.append(nbformat.v4.new_code_cell(example.code, id=f"c{number}"))
    return Story(notebook, demo.execute(notebook))


def test_what_goes_on_ends_as_it_says(later: Story) -> None:
    assert later.kinds() == [
        ("poll", "loop", "finished"),
        ("download", "worker", "retried"),
        ("download", "worker", "retried"),
        ("download", "worker", "finished"),
    ]
    cells = {example.code: f"c{number}" for number, example in enumerate(examples(LATER))}
    run = next(cells[code] for code in cells if "theus.run(download)" in code)
    assert later.text(run).strip() == "3"


def test_the_log_proves_itself(later: Story) -> None:
    last = f"c{len(examples(LATER)) - 1}"
    assert later.text(last).strip() == "True"


def test_the_tour_computes_what_it_says(tour: Story) -> None:
    cells = {example.code: f"c{number}" for number, example in enumerate(examples(TOUR))}
    assert tour.text(cells["table\n"]).strip() == "{'sum': 499500, 'mean': 499.5}"
    looks = next(cells[code] for code in cells if "theus.state.version" in code)
    # The largest of 0 … 999, and the version that the second fetch wrote: it was the third run.
    assert tour.text(looks).strip() == "(999, 3)"


def test_the_tour_runs_in_the_lanes_it_names(tour: Story) -> None:
    assert tour.kinds() == [
        ("fetch", "loop", "finished"),
        ("crunch", "cell", "finished"),
        ("fetch", "loop", "finished"),
        ("largest", "worker", "finished"),
    ]


def test_the_tour_shows_its_error_as_it_is(tour: Story) -> None:
    claimed: list[Example] = [example for example in examples(TOUR) if example.prints]
    errors = [f"{error.evalue.strip()}\n" for error in tour.errors().values()]
    assert errors == [example.prints for example in claimed]
