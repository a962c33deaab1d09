"""Run All, nbclient and papermill: the same notebook, the same result."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    import pathlib

    from tests.kernel.driver import Kernel

nbformat = pytest.importorskip("nbformat")

CELLS = (
    "%load_ext theus_nb",
    "import asyncio, math\nweights = [1, 2, 3]",
    "%%theus_process fetch --outputs domain.raw\nawait asyncio.sleep(0)\nraw = [4, 5, 6]\nlen(raw)",
    (
        "%%theus_process crunch --inputs domain.raw,weights --outputs table\n"
        "print('crunching')\ntable = [r * w for r, w in zip(raw, weights)]\nsum(table)"
    ),
    "table, math.prod(table)",
    "await theus.run('crunch')",
    "theus.state.version('domain.raw') < theus.state.version('nb.table')",
)
RESULTS = [None, None, "3", "32", "([4, 10, 18], 720)", "32", "True"]


def results(notebook: Any) -> list[str | None]:  # noqa: ANN401 - nbformat is untyped
    """Return the text behind ``Out[n]:`` of every cell."""
    return [
        next((o.data["text/plain"] for o in c.outputs if o.output_type == "execute_result"), None)
        for c in notebook.cells
    ]


def make_notebook(*more: str) -> Any:  # noqa: ANN401 - nbformat is untyped
    v4 = nbformat.v4
    notebook = v4.new_notebook(cells=[v4.new_code_cell(source) for source in (*CELLS, *more)])
    notebook.metadata["kernelspec"] = {
        "name": "python3",
        "display_name": "py",
        "language": "python",
    }
    return notebook


def test_run_all(bare_kernel: Kernel) -> None:
    for _ in range(2):  # and Run All again
        sent = [bare_kernel.send(source) for source in CELLS]
        assert [bare_kernel.wait(cell).result for cell in sent] == RESULTS
        assert sent[3].stdout == "crunching\n"


def test_nbclient(tmp_path: pathlib.Path) -> None:
    nbclient = pytest.importorskip("nbclient")
    notebook = make_notebook()
    client = nbclient.NotebookClient(notebook, resources={"metadata": {"path": str(tmp_path)}})
    client.execute()
    assert results(notebook) == RESULTS


def test_nbclient_stops_at_the_failing_cell(tmp_path: pathlib.Path) -> None:
    nbclient = pytest.importorskip("nbclient")
    notebook = make_notebook("%%theus_process bad --outputs x\npass", "print('after')")
    client = nbclient.NotebookClient(notebook, resources={"metadata": {"path": str(tmp_path)}})
    with pytest.raises(nbclient.exceptions.CellExecutionError, match="MissingOutputError"):
        client.execute()
    assert results(notebook)[: len(RESULTS)] == RESULTS
    assert notebook.cells[-1].outputs == []


def test_papermill(tmp_path: pathlib.Path) -> None:
    papermill = pytest.importorskip("papermill")
    source, target = tmp_path / "in.ipynb", tmp_path / "out.ipynb"
    nbformat.write(make_notebook(), source)
    papermill.execute_notebook(source, target, cwd=tmp_path, progress_bar=False)
    assert results(nbformat.read(target, as_version=4)) == RESULTS


def test_papermill_stops_at_a_refused_line(tmp_path: pathlib.Path) -> None:
    papermill = pytest.importorskip("papermill")
    source, target = tmp_path / "in.ipynb", tmp_path / "out.ipynb"
    nbformat.write(make_notebook("%%theus_process bad --ouputs x\nx = 1", "print('after')"), source)
    with pytest.raises(papermill.PapermillExecutionError, match="--ouputs"):
        papermill.execute_notebook(source, target, cwd=tmp_path, progress_bar=False)


@pytest.mark.parametrize(
    ("cells", "name"),
    [
        (["%%theus_process bad --outputs x\nx = 1 / 0"], "ZeroDivisionError"),
        (
            ["%%theus_process bad --outputs x\nawait asyncio.sleep(0)\nx = 1 / 0"],
            "ZeroDivisionError",
        ),
        (["%%theus_process bad --outputs x -b\nx = 1 / 0", "%theus wait"], "ZeroDivisionError"),
        (
            [
                "%%theus_process bad --outputs x -b\nx = 1 / 0",
                "%%theus_process reader --inputs x --outputs y\ny = x",
            ],
            "UpstreamError",
        ),
    ],
    ids=["worker", "loop", "waited for", "read from"],
)
def test_papermill_stops_where_a_failure_matters(
    tmp_path: pathlib.Path, cells: list[str], name: str
) -> None:
    papermill = pytest.importorskip("papermill")
    source, target = tmp_path / "in.ipynb", tmp_path / "out.ipynb"
    nbformat.write(make_notebook(*cells, "print('after')"), source)
    with pytest.raises(papermill.PapermillExecutionError) as raised:
        papermill.execute_notebook(source, target, cwd=tmp_path, progress_bar=False)
    assert raised.value.ename == name
    assert "theus_nb/" not in "".join(raised.value.traceback)
    assert nbformat.read(target, as_version=4).cells[-1].outputs == []
