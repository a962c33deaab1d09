"""Every output lands in the cell that caused it, and nowhere else."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.kernel.driver import Kernel

SPEAK = (
    "import logging, sys, warnings\n"
    "print('printed')\n"
    "print('complained', file=sys.stderr)\n"
    "logging.getLogger('speaking').error('logged')\n"
    "warnings.warn('warned')\n"
    "display('displayed')\n"
    "!echo shelled\n"
    "spoken = 1\n"
    "'valued'"
)


@pytest.mark.parametrize("first", ["await asyncio.sleep(0)", "pass"], ids=["loop", "worker"])
@pytest.mark.parametrize("options", ["--outputs spoken", ""], ids=["contract", "open"])
def test_everything_a_cell_says_belongs_to_it(kernel: Kernel, first: str, options: str) -> None:
    kernel.good(
        "import logging, sys\n"
        "class ToStderr(logging.Handler):\n"
        "    def emit(self, record): print(record.getMessage(), file=sys.stderr)\n"
        "logging.getLogger('speaking').handlers = [ToStderr()]\n"
        "logging.getLogger('speaking').propagate = False"
    )
    cell = kernel.good(f"%%theus_process speaking {options}\n{first}\n{SPEAK}")
    assert "printed\n" in cell.stdout
    assert "shelled" in cell.stdout
    assert "complained\n" in cell.stderr
    assert "logged\n" in cell.stderr
    assert "warned" in cell.stderr
    assert [d["text/plain"] for d in cell.displays] == ["'displayed'"]
    assert cell.result == "'valued'"


@pytest.mark.parametrize("kind", ["async def", "def"], ids=["loop", "worker"])
def test_output_of_a_run_that_outlives_its_cell(kernel: Kernel, kind: str) -> None:
    wait = "await asyncio.to_thread(gate.wait, 10)" if kind == "async def" else "gate.wait(10)"
    started = kernel.good(
        "from theus_nb import process\n"
        "gate = threading.Event()\n"
        f"@process\n{kind} background(ctx):\n"
        f"    {wait}\n    print('from the background')\n    display('shown')\n"
        "run = theus.start(background)"
    )
    assert started.stdout == ""
    other = kernel.good("print('foreground')\ngate.set()\nawait run")
    kernel.wait_until(lambda: "background" in started.stdout and bool(started.displays))
    assert other.stdout == "foreground\n"
    assert other.displays == []


def test_output_of_threads_that_the_body_starts(kernel: Kernel) -> None:
    # A thread knows its cell if it is given the context, as asyncio.to_thread does. Without it
    # the kernel falls back to the cell that runs now, which is this one while it lasts.
    cell = kernel.good(
        "%%theus_process threads --outputs done\n"
        "import contextvars\n"
        "plain = threading.Thread(target=print, args=('plain',))\n"
        "given = threading.Thread(target=contextvars.copy_context().run, args=(print, 'given'))\n"
        "for thread in (plain, given): thread.start(); thread.join()\n"
        "done = True"
    )
    if kernel.value("__import__('ipykernel').version_info[0] >= 7") == "True":
        assert cell.stdout == "plain\ngiven\n"
    assert "given\n" in cell.stdout


def test_tasks_that_the_body_creates_go_on_after_the_cell(kernel: Kernel) -> None:
    kernel.good("release, finished = asyncio.Event(), asyncio.Event()")
    started = kernel.good(
        "%%theus_process spawning --inputs release,finished --side-effects background_job\n"
        "async def job():\n"
        "    await release.wait()\n    print('from the task')\n    finished.set()\n"
        "task = asyncio.create_task(job())\n"
        "await asyncio.sleep(0)"
    )
    other = kernel.good("release.set()\nawait finished.wait()")
    kernel.wait_until(lambda: started.stdout == "from the task\n")
    assert other.stdout == ""


def test_context_variables_reach_the_worker(kernel: Kernel) -> None:
    kernel.good("import contextvars\nvariable = contextvars.ContextVar('variable')")
    cell = kernel.good(
        "from theus_nb import process\n"
        "@process\ndef look(ctx): return variable.get()\n"
        "variable.set('seen')\nawait theus.run(look)"
    )
    assert cell.result == "'seen'"


def test_figure_made_in_a_worker_is_shown_by_its_cell(kernel: Kernel) -> None:
    if kernel.run("import matplotlib").status == "error":
        pytest.skip("matplotlib is not installed")
    kernel.good("%matplotlib inline\nimport matplotlib.pyplot as plt", timeout=60)
    cell = kernel.good(
        "%%theus_process plot --outputs drawn\nplt.plot([1, 2])\nplt.show()\ndrawn = True",
        timeout=30,
    )
    assert "image/png" in cell.displays[0]
