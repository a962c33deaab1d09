"""What is paid once: importing the package, loading the extension; and what the scheduler costs."""

from __future__ import annotations

import ast
import os
import re
import shutil
import statistics
import subprocess
import sys
from pathlib import Path

from jupyter_client.manager import start_new_kernel

ROOT = Path(__file__).parent.parent
TIMED = "import time; began = time.perf_counter(); {}; print(time.perf_counter() - began)"
WITHOUT = TIMED.format("import asyncio")
WITH = TIMED.format("import asyncio; from theus_nb import Session, process")
LOAD = """
import time
began = time.perf_counter()
get_ipython().run_line_magic("load_ext", "theus_nb")
took = time.perf_counter() - began
"""


# Compiled modules are cached, as they are for everybody who does not forbid it.
ENVIRONMENT = {name: v for name, v in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}


def _fresh_interpreter(code: str) -> float:
    command = [sys.executable, "-c", code]
    done = subprocess.run(
        command, capture_output=True, text=True, check=True, cwd=ROOT, env=ENVIRONMENT
    )
    return float(done.stdout)


def import_ms(pairs: int) -> float:
    """Return how many milliseconds importing theus_nb takes beyond ``import asyncio``."""
    _fresh_interpreter(WITH)  # compiles what has to be compiled
    extra = []
    for number in range(pairs):
        order = (WITHOUT, WITH) if number % 2 else (WITH, WITHOUT)
        took = {code: _fresh_interpreter(code) for code in order}
        extra.append(took[WITH] - took[WITHOUT])
    return statistics.median(extra) * 1e3


def load_ext_ms(kernels: int) -> float:
    """Return how many milliseconds ``%load_ext theus_nb`` takes in a fresh kernel."""
    took = []
    for _ in range(kernels):
        manager, client = start_new_kernel(
            kernel_name="python3", extra_arguments=["--log-level=ERROR"], env=ENVIRONMENT
        )
        try:
            reply = client.execute(LOAD, user_expressions={"took": "took"}, reply=True, timeout=60)
            shown = reply["content"]["user_expressions"]["took"]["data"]["text/plain"]
            took.append(float(ast.literal_eval(shown)))
        finally:
            client.stop_channels()
            manager.shutdown_kernel(now=True)
    return statistics.median(took) * 1e3


def admit() -> tuple[str, dict[str, float]]:
    """Run the scheduler's own measurement.

    Returns:
        What it printed, and the worst microseconds with 4,000 runs pending, by the order in
        which runs end. Empty where it could not be run; the text then says why.
    """
    cargo = shutil.which("cargo")
    if cargo is None:
        return "cargo is not installed, so the scheduler was not measured by itself", {}
    command = [
        cargo,
        "run",
        "--release",
        "--quiet",
        "--package",
        "theus_core",
        "--example",
        "admit",
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    if done.returncode:
        return f"the scheduler was not measured: {done.stderr.strip()}", {}
    worst: dict[str, float] = {}
    for order, nanoseconds in re.findall(r"(\w+) ends +4000 unfinished +(\d+) ns", done.stdout):
        worst[order] = max(worst.get(order, 0), int(nanoseconds) / 1e3)
    return done.stdout.strip(), worst
