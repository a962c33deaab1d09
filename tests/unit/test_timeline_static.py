"""The timeline without a kernel, and the files of the front end."""

from __future__ import annotations

import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from html.parser import HTMLParser
from typing import TYPE_CHECKING

import pytest

from tests.unit.rows import ODD_ROWS, row
from theus_nb.timeline import picture, static
from theus_nb.timeline.assets import MODULES, STATIC, markup, offline, script, styles

if TYPE_CHECKING:
    from theus_nb.timeline.model import Row

EVIL = "<img src=x onerror=alert(1)>\"'&"


class Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.add(tag)
        assert not any(name.startswith("on") for name, _ in attrs)


@pytest.mark.parametrize("name", [EVIL, "x" * 10_000, "\u202eevil \u05d0", "a\0b\ud800", ""])
def test_names_are_text(name: str) -> None:
    lines = ['{"seq":1,"kind":"note","process":"<img src=x onerror=1>"}', "no json", "[]"]
    bundle = static.bundle([row(1, name), row(2, name, status="failed")], 10_000, lines)
    tags = Tags()
    tags.feed(bundle["text/html"])
    assert "img" not in tags.found
    assert len(bundle["text/html"]) < 20_000
    assert "1 failed" in bundle["text/plain"]


def test_the_picture_is_xml_and_says_what_it_shows() -> None:
    rows = [row(i, EVIL, lane=f"worker {i % 3}", status=s) for i, s in enumerate(picture.FILL, 1)]
    drawn = ET.fromstring(static.svg(rows, 20_000))  # noqa: S314 - our own
    assert drawn.get("aria-label") == "Timeline of 7 runs in 3 lanes"


@pytest.mark.parametrize("rows", ODD_ROWS.values(), ids=ODD_ROWS)
def test_any_rows_make_a_picture(rows: list[Row]) -> None:
    bundle = static.bundle(rows, 1_000_000, None)
    assert "audit: not available" in bundle["text/html"]
    assert "nan" not in bundle["text/html"]
    drawn = bundle["text/html"].partition("<svg")[2].partition("</svg>")[0]
    assert not re.search(r'width="-', drawn)


def test_the_front_end_is_small_and_fetches_nothing() -> None:
    assert len(script().encode()) + len(offline().encode()) <= 60_000
    shipped = script() + styles() + markup()
    assert not re.search(r"https?://|import\(|\bfetch\(|XMLHttpRequest", shipped)
    assert not re.search(r"https?://|\bfetch\(|XMLHttpRequest", offline())
    assert set(MODULES) == {path.name for path in STATIC.glob("*.js")}


def test_no_name_is_declared_twice() -> None:
    names = re.findall(
        r"^(?:export )?(?:async )?(?:const|let|function|class) (\w+)", script(), re.MULTILINE
    )
    assert len(names) == len(set(names))


def test_modules_come_after_what_they_import() -> None:
    for at, name in enumerate(MODULES):
        text = (STATIC / name).read_text(encoding="utf-8")
        for wanted in re.findall(r'^import .* from "\./([\w.]+)";$', text, re.MULTILINE):
            assert wanted in MODULES[:at], f"{name} imports {wanted}"
        assert len(re.findall(r"^import ", text, re.MULTILINE)) == len(
            re.findall(r'^import \{[^}]*\} from "\./[\w.]+";$', text, re.MULTILINE)
        )


def test_nothing_is_looked_up_in_the_document() -> None:
    # The root may be a shadow root, in which the document finds nothing.
    assert not re.search(r"document\.(querySelector|getElement)", script())


def test_importing_the_package_does_not_import_the_widget() -> None:
    code = "import sys, theus_nb; sys.exit('anywidget' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
