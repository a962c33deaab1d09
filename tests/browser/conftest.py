"""Chromium and Jupyter servers for the tests of the timeline."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NoReturn

import pytest

from tests.browser.notebook import Notebook
from tests.browser.server import Server

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser

FLAGS: Final = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
CHROMIUM: Final = shutil.which("chromium") or shutil.which("chromium-browser")
SHOTS: Final = Path(__file__).resolve().parents[2] / "out" / "shots"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let the pictures of the README be written."""
    parser.addoption(
        "--write-pictures", action="store_true", help="write docs/images from the quickstart"
    )


def absent(what: str) -> NoReturn:
    """Say what is missing: a failure in CI, a skipped test elsewhere."""
    if os.environ.get("CI"):
        pytest.fail(what)
    pytest.skip(what)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """The system's Chromium. Where there is none, CI fails and everybody else is told."""
    if CHROMIUM is None:
        absent("no Chromium on this machine: install the package `chromium` to test the timeline")
    from playwright.sync_api import sync_playwright  # noqa: PLC0415 - only where it is used

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """JupyterLab, one for all tests."""
    with Server(tmp_path_factory.mktemp("lab"), "lab") as server:
        yield server


@pytest.fixture(scope="session")
def notebook7(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Notebook 7, one for all tests."""
    with Server(tmp_path_factory.mktemp("notebook"), "notebook") as server:
        yield server


@pytest.fixture
def open_notebook(browser: Browser, request: pytest.FixtureRequest) -> Iterator[Any]:
    """Open a notebook with cells in a page of its own; a picture of it is left in out/shots."""
    context = browser.new_context(viewport={"width": 1280, "height": 1100})
    page = context.new_page()
    name = re.sub(r"\W+", "_", request.node.name)

    def start(server: Server, *cells: str) -> Notebook:
        return Notebook(page, server.write(f"{name}.ipynb", *cells))

    yield start
    SHOTS.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=SHOTS / f"{name}.png")
    context.close()
