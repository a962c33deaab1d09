"""Help and completion while a magic line is being typed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.kernel.driver import Kernel


@pytest.fixture(scope="module", autouse=True)
def _notebook(kernel: Kernel) -> None:
    kernel.good("table, tall, number, _hidden = [1], {}, 1, []\nimport textwrap")
    kernel.good("%%theus_process fetch --outputs domain.raw\nraw = [1]")
    kernel.good("%%theus_process crunch --inputs domain.raw --outputs domain.result\nresult = 1")


@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        (
            "%%theus_process crunch --",
            [
                "--inputs",
                "--outputs",
                "--side-effects",
                "--lane",
                "--background",
                "--timeout",
                "--retries",
                "--retry-on",
                "--backoff",
                "--limit",
                "--rate",
            ],
        ),
        ("%%theus_process crunch --o", ["--outputs"]),
        ("%%theus_process crunch --outputs table --in", ["--inputs"]),
        ("%%theus_process crunch --inputs ta", ["table", "tall"]),
        ("%%theus_process crunch --inputs table,ta", ["table", "tall"]),
        ("%%theus_process crunch -i table, dom", ["domain.raw", "domain.result"]),
        ("%%theus_process crunch -i mine=domain.ra", ["domain.raw"]),
        ("%%theus_process crunch --outputs domain.res", ["domain.result"]),
        ("%%theus_process crunch --lane l", ["loop"]),
        ("%%theus_process cr", ["crunch"]),
        ("%theus st", ["status"]),
        ("%theus ", ["status", "wait", "cancel", "audit", "accept", "verify", "timeline", "help"]),
    ],
)
def test_completion_in_the_magic_line(kernel: Kernel, typed: str, offered: list[str]) -> None:
    assert kernel.complete(typed) == offered


def test_only_mutable_data_is_offered_as_input(kernel: Kernel) -> None:
    offered = kernel.complete("%%theus_process crunch --inputs ")
    assert "table" in offered
    assert not {"number", "_hidden", "textwrap", "theus"} & set(offered)


def test_completion_in_the_body_is_that_of_any_cell(kernel: Kernel) -> None:
    assert "textwrap.dedent" in {
        word if "." in word else f"textwrap.{word}"
        for word in kernel.complete("%%theus_process crunch --outputs x\nx = textwrap.ded")
    }


def test_help_of_the_magic(kernel: Kernel) -> None:
    reply = kernel.request(
        "inspect_request", {"code": "%%theus_process", "cursor_pos": 15, "detail_level": 0}
    )
    shown = kernel.good("%%theus_process?").reply["payload"][0]["data"]["text/plain"]
    for text in (reply["data"]["text/plain"], shown):
        for word in ("--inputs", "--outputs", "--side-effects", "--lane", "named process"):
            assert word in text


def test_help_of_the_line_magic(kernel: Kernel) -> None:
    text = kernel.good("%theus help").stdout
    for word in ("%theus status", "%theus accept PATH", "%%theus_process?"):
        assert word in text


def test_unfinished_runs_are_offered_to_wait_for_and_to_cancel(kernel: Kernel) -> None:
    cell = kernel.good("%%theus_process offered -b\nimport asyncio; await asyncio.sleep(60)")
    run = kernel.value(f"Out[{cell.count}].id").strip("'")
    assert kernel.complete("%theus wait ") == ["offered", run]
    assert kernel.complete("%theus cancel ") == ["offered", run, "all"]
    kernel.good("%theus cancel all")
    assert "offered" not in kernel.complete("%theus cancel ")
