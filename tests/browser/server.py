"""A Jupyter server of the test's own, and notebooks to open in it."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from typing import TYPE_CHECKING, Final, Self

import nbformat
from nbformat.v4 import new_code_cell, new_notebook

if TYPE_CHECKING:
    import pathlib

PATIENCE: Final = 60.0
"""Seconds after which a server that has not answered never will."""

APPS: Final = {"lab": ("jupyterlab", "LabApp"), "notebook": ("notebook", "JupyterNotebookApp")}


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Server:
    """A server with its own configuration, so that nothing of the user's is seen or changed.

    Args:
        root: An empty directory.
        app: ``"lab"`` or ``"notebook"``.
    """

    def __init__(self, root: pathlib.Path, app: str) -> None:
        self.app = app
        self.notebooks = root / "notebooks"
        self.notebooks.mkdir()
        self._log = root / "server.log"
        self.url = f"http://127.0.0.1:{free_port()}"
        module, traits = APPS[app]
        environment = {**os.environ, "IPYTHONDIR": str(root / "ipython")}
        for name in ("CONFIG", "DATA", "RUNTIME"):
            environment[f"JUPYTER_{name}_DIR"] = str(root / name.lower())
        environment["JUPYTERLAB_SETTINGS_DIR"] = str(root / "settings")
        environment["JUPYTERLAB_WORKSPACES_DIR"] = str(root / "workspaces")
        config = root / "config" / "labconfig" / "page_config.json"
        config.parent.mkdir(parents=True)
        quiet = {"disabledExtensions": {"@jupyterlab/apputils-extension:announcements": True}}
        config.write_text(json.dumps(quiet), encoding="utf-8")
        options = [
            "--no-browser",
            "--allow-root",
            "--ServerApp.ip=127.0.0.1",
            f"--ServerApp.port={self.url.rpartition(':')[2]}",
            "--ServerApp.port_retries=0",
            "--IdentityProvider.token=",
            f"--ServerApp.root_dir={self.notebooks}",
            f"--{traits}.expose_app_in_browser=True",
        ]
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", module, *options],
                env=environment,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self._wait()

    def _wait(self) -> None:
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline and self._process.poll() is None:
            with contextlib.suppress(OSError, urllib.error.URLError):
                urllib.request.urlopen(f"{self.url}/api/status", timeout=2).close()  # noqa: S310
                return
            time.sleep(0.1)
        raise RuntimeError(self._log.read_text(encoding="utf-8", errors="replace"))

    def write(self, name: str, *cells: str) -> str:
        """Write a notebook and return its address."""
        kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3"}}
        notebook = new_notebook(cells=[new_code_cell(cell) for cell in cells], metadata=kernel)
        nbformat.write(notebook, self.notebooks / name)
        return self.url + (f"/lab/tree/{name}?reset" if self.app == "lab" else f"/notebooks/{name}")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exc_info: object) -> None:
        self._process.terminate()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
