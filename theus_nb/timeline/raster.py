"""The picture of the timeline as PNG, for readers that show neither HTML nor SVG."""

from __future__ import annotations

import functools
import io
import unicodedata
from typing import TYPE_CHECKING, Final

from PIL import Image, ImageDraw, ImageFont

from theus_nb.timeline.picture import NO_MARKS, WIDTH, Word, compose

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from theus_nb.timeline.model import Marks, Row
    from theus_nb.timeline.picture import Arrow, Band, Bar

SCALE: Final = 2
"""Pixels for each unit of the picture, so that it stays sharp on most screens."""
COLOURS: Final = 64
"""As many as flat areas with smooth letters need; files are half as large as with all."""
_WRITTEN: Final = str.maketrans({"✕": "x", "⊘": "/", "⚠": "!", "▶": ">", "↻": "~", "µ": "u"})
"""For what Pillow's own font does not have. It has the letters of ASCII."""
_STEPS: Final = 16
_GROUND: Final = "#ffffff"
_INK: Final = "#1f2937"
_SMALL: Final = "#4b5563"
_RULE: Final = "#d7dbe2"
_ARROW: Final = "#757a83"
_LABEL: Final = "#ffffff"
_BLOCKED: Final = (185, 28, 28, 77)


def png(rows: Sequence[Row], now: int, marks: Marks = NO_MARKS) -> bytes:
    """Draw the newest rows, packed like the live view.

    Args:
        rows: The rows, by their numbers.
        now: Where runs that have not ended are cut off, in nanoseconds since the session began.
        marks: What is shown besides the runs.

    Returns:
        A PNG file, 1,920 pixels wide. Letters that its font does not have become boxes.
    """
    picture = compose(rows, now, marks)
    image = Image.new("RGB", (WIDTH * SCALE, picture.height * SCALE), _GROUND)
    draw = ImageDraw.Draw(image, "RGBA")  # in which a band lets through what it covers
    for rule in picture.rules:
        _line(draw, [(0, rule), (WIDTH, rule)], _RULE)
    for word in picture.words:
        _write(draw, word, _SMALL if word.small else _INK)
    for bar in picture.bars:
        radius = 2 * SCALE if bar.width > 2 * SCALE else 0
        draw.rounded_rectangle(_corners(bar), radius, bar.fill)
        _write(draw, Word(bar.x + 4, bar.y + 11, bar.label), _LABEL)
    for band in picture.bands:
        draw.rectangle(_corners(band), _BLOCKED)
    for arrow in picture.arrows:
        x, y = arrow.end
        _line(draw, _curve(arrow), _ARROW)
        _line(draw, [(x - 5, y - 3), (x, y), (x - 5, y + 3)], _ARROW)
    file = io.BytesIO()
    few = image.quantize(COLOURS, Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE)
    few.save(file, "PNG")
    return file.getvalue()


def _line(draw: ImageDraw.ImageDraw, points: Iterable[tuple[float, float]], fill: str) -> None:
    draw.line([(x * SCALE, y * SCALE) for x, y in points], fill, SCALE)


def _corners(area: Bar | Band) -> tuple[float, float, float, float]:
    right, bottom = area.x + area.width, area.y + area.height
    return area.x * SCALE, area.y * SCALE, right * SCALE, bottom * SCALE


def _write(draw: ImageDraw.ImageDraw, word: Word, fill: str) -> None:
    font = _font(10 if word.small else 12)
    place = (word.x * SCALE, word.y * SCALE)
    draw.text(place, _plain(word.text), fill, font, "rs" if word.at_end else "ls")


@functools.cache
def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size * SCALE)


def _plain(text: str) -> str:
    """Return text that the font can draw: accents are left out, and the rest becomes boxes."""
    letters = unicodedata.normalize("NFKD", text.translate(_WRITTEN))
    return "".join(c if c.isprintable() else "?" for c in letters if not unicodedata.combining(c))


def _curve(arrow: Arrow) -> Iterator[tuple[float, float]]:
    """Yield points of the Bézier curve that leads to its end, as in the SVG."""
    (x1, y1), (x2, y2), bend = arrow.start, arrow.end, arrow.bend
    for step in range(_STEPS + 1):
        t = step / _STEPS
        u = 1 - t
        a, b, c, d = u**3, 3 * u * u * t, 3 * u * t * t, t**3
        yield a * x1 + b * (x1 + bend) + c * (x2 - bend) + d * x2, (a + b) * y1 + (c + d) * y2
