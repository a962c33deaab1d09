"""The notebook about sensors: background cells that commit while the others work."""

from __future__ import annotations

import re

import pytest

from tests.notebooks.story import FOLDER, Story

pytestmark = pytest.mark.timeout(120)


@pytest.fixture(scope="module")
def sensors() -> Story:
    return Story.of(FOLDER / "04_sensors.ipynb")


def test_nothing_fails(sensors: Story) -> None:
    assert not sensors.errors()


def test_background_cells_return_their_runs_at_once(sensors: Story) -> None:
    for cell in ("seattle", "san-francisco", "celsius"):
        assert re.match(r"<Run r\d+ '\w+_sensor' (running|queued|waiting)", sensors.text(cell))


def test_runs_end_as_the_story_says(sensors: Story) -> None:
    ends = [(name, lane, status) for name, lane, status in sensors.kinds()]
    assert [(name, lane) for name, lane, _ in ends] == [
        ("seattle_sensor", "loop"),
        ("san_francisco_sensor", "worker"),
        ("compare", "cell"),
        ("seattle_sensor", "loop"),
        ("plot", "cell"),
    ]
    statuses = [status for _, _, status in ends]
    assert statuses[0] == statuses[3] == "cancelled"
    assert statuses[1] in ("cancelled", "abandoned", "finished")  # it looks at ctx.cancelled
    assert statuses[2] == statuses[4] == "finished"


def test_readers_get_what_has_been_committed(sensors: Story) -> None:
    compared = re.search(r"(\d+) hours so far", sensors.text("compare"))
    assert compared is not None
    assert int(compared[1]) >= 1
    assert "a day went by in Seattle" in sensors.text("look")
    assert "{'seattle': True, 'san_francisco': True}" in sensors.text("kept")


def test_picture_and_numbers_are_those_of_the_data(sensors: Story) -> None:
    pictures = [output.data for output in sensors.cell("plot").outputs if "data" in output]
    assert [data for data in pictures if "image/png" in data]
    assert "{'Seattle': 3.7, 'San Francisco': 7.7}" in sensors.text("plot")


def test_cancelling_names_the_runs(sensors: Story) -> None:
    for name in ("seattle_sensor", "san_francisco_sensor"):
        assert name in sensors.text("cancel")
        assert name in sensors.text("wait")
