"""The third notebook: who blocks the loop is named, and the cure works."""

from __future__ import annotations

import re

import pytest

from tests.notebooks.story import FOLDER, Story

pytestmark = pytest.mark.timeout(120)


@pytest.fixture(scope="module")
def story() -> Story:
    return Story.of(FOLDER / "03_bad_citizen.ipynb")


def line_of(story: Story, cell_id: str, text: str) -> int:
    """Return the line of a cell in which something stands."""
    lines = story.cell(cell_id).source.splitlines()
    return next(number for number, line in enumerate(lines, start=1) if text in line)


def test_every_run_ends_well_in_its_lane(story: Story) -> None:
    assert not story.errors()
    poll = ("poller", "loop", "finished")
    assert story.kinds() == [
        poll,
        ("load_flights", "loop", "finished"),
        poll,
        ("load_flights", "worker", "finished"),
        poll,
        ("shared_words", "loop", "finished"),
        poll,
        ("shared_words", "worker", "finished"),
    ]


def test_sleep_is_blamed_with_cell_line_and_cure(story: Story) -> None:
    said = story.text("run-sleepy")
    count = story.cell("sleepy").execution_count
    line = line_of(story, "sleepy", "time.sleep")
    assert f"blamed: cell [{count}], line {line}, load_flights" in said
    assert "time.sleep in an async process: remove `async`, it will run in a worker" in said


def test_computation_is_blamed_in_the_cell_of_the_process(story: Story) -> None:
    said = story.text("run-crunch")
    found = re.search(r"blamed: cell \[(\d+)\], line (\d+), shared_words", said)
    assert found is not None
    assert int(found[1]) == story.cell("crunch").execution_count
    assert int(found[2]) >= line_of(story, "crunch", "while")
    assert "remove `async`" in said


@pytest.mark.parametrize("cell_id", ["run-sleepy-fixed", "run-crunch-fixed"])
def test_cured_processes_are_not_blamed(story: Story, cell_id: str) -> None:
    said = story.text(cell_id)
    assert "the poller had to wait" in said
    assert "blamed" not in said


def test_looking_back_shows_both(story: Story) -> None:
    said = story.text("blocks")
    assert "load_flights" in said
    assert re.search(r"shared_words: [\d.]+ s, of which it computed", said)
    assert "the event loop was blocked while runs had to wait" in story.text("status")
