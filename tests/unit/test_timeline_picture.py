"""The picture of the timeline, and its PNG."""

from __future__ import annotations

import io

import pytest
from PIL import Image, ImageColor

from tests.unit.rows import ODD_ROWS, row
from theus_nb.timeline.model import Marks, Row
from theus_nb.timeline.picture import FILL, GUTTER, MOST_LINES, WIDTH, compose
from theus_nb.timeline.raster import SCALE, png


def opened(file: bytes) -> Image.Image:
    image = Image.open(io.BytesIO(file))
    assert image.format == "PNG"
    return image.convert("RGB")


def near(image: Image.Image, x: float, y: float, colour: str) -> bool:
    found = image.getpixel((round(x * SCALE), round(y * SCALE)))
    assert isinstance(found, tuple)
    wanted = ImageColor.getrgb(colour)
    return all(abs(a - b) <= 8 for a, b in zip(found, wanted, strict=True))


def test_runs_have_the_colours_of_their_ends() -> None:
    rows = [row(i, "", status=status, lane=f"worker {i}") for i, status in enumerate(FILL, 1)]
    drawn, image = compose(rows, 9_000), opened(png(rows, 9_000))
    assert image.size == (WIDTH * SCALE, drawn.height * SCALE)
    for bar in drawn.bars:
        assert near(image, bar.x + bar.width / 2, bar.y + 2, bar.fill)


def test_a_band_lets_through_what_it_covers() -> None:
    rows = [row(1, submitted=0, started=1, ended=1_001)]
    picture = opened(png(rows, 1_001, Marks(blocked=[(501, 1_001, "cell 3")])))
    middle = GUTTER + (WIDTH - GUTTER - 8) * 0.75
    free = picture.getpixel((round((middle - 300) * SCALE), 30 * SCALE))
    held = picture.getpixel((round(middle * SCALE), 30 * SCALE))
    assert isinstance(free, tuple)
    assert isinstance(held, tuple)
    assert held[0] > free[0]
    assert held[2] < free[2]


@pytest.mark.parametrize("rows", ODD_ROWS.values(), ids=ODD_ROWS)
def test_any_rows_make_a_file(rows: list[Row]) -> None:
    assert opened(png(rows, 1_000_000)).width == WIDTH * SCALE


def test_where_lines_are_few_arrows_find_both_their_ends() -> None:
    rows = [row(i, submitted=i, started=i, ended=10_000) for i in range(1, 200)]
    picture = compose(rows, 10_000, Marks(reads=[(150, 30, "x"), (199, 1, "y")]))
    assert len(picture.bars) == MOST_LINES
    assert [arrow.words for arrow in picture.arrows] == [
        "r30 wrote x, r150 read it",
        "r1 wrote y, r199 read it",
    ]
    assert f"+{199 - MOST_LINES} more at the same time" in {word.text for word in picture.words}
