"""What a saved notebook shows of the timeline, with no kernel and no browser."""

from __future__ import annotations

import base64
import io

import nbformat
import pytest
from nbclient import NotebookClient
from nbconvert import HTMLExporter, LatexExporter, MarkdownExporter
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_notebook
from PIL import Image, ImageColor

from theus_nb.timeline.picture import FILL

CELLS = (
    "%load_ext theus_nb",
    "theus.timeline()",
    "from theus_nb import process\n@process\nasync def late(ctx):\n    pass\nawait theus.run(late)",
)


@pytest.fixture(scope="module")
def executed() -> NotebookNode:
    """A notebook as a saved file has it: the run comes after the timeline was shown."""
    notebook: NotebookNode = new_notebook(cells=[new_code_cell(cell) for cell in CELLS])
    NotebookClient(notebook, timeout=60, kernel_name="python3", store_widget_state=False).execute()
    return notebook


@pytest.mark.timeout(90)
def test_the_picture_is_of_the_end(executed: NotebookNode) -> None:
    drawing, output = executed.cells[1].outputs
    assert drawing.data["text/html"].startswith('<div class="theus-static')
    assert "Timeline: 1 finished" in drawing.data["text/plain"]
    assert "late r1" in drawing.data["text/html"]
    picture = Image.open(io.BytesIO(base64.b64decode(drawing.data["image/png"]))).convert("RGB")
    colours = {colour for _, colour in picture.getcolors(1 << 24) or ()}
    assert ImageColor.getrgb(FILL["finished"]) in colours
    assert set(output.data) == {"application/vnd.jupyter.widget-view+json", "text/plain"}


@pytest.mark.timeout(90)
@pytest.mark.parametrize("exporter", [HTMLExporter, MarkdownExporter])
def test_nbconvert_shows_the_picture(
    executed: NotebookNode, exporter: type[HTMLExporter | MarkdownExporter]
) -> None:
    body, _ = exporter().from_notebook_node(nbformat.from_dict(executed))
    assert "<svg" in body
    assert "late r1" in body


@pytest.mark.timeout(90)
def test_nbconvert_prints_the_picture(executed: NotebookNode) -> None:
    body, resources = LatexExporter().from_notebook_node(nbformat.from_dict(executed))
    [name] = [name for name in resources["outputs"] if name.endswith(".png")]
    assert name in body
