"""What every test gets."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="session", autouse=True)
def _audit_logs_elsewhere(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Sessions that do not say otherwise write their logs here and not into the checkout.

    Through the environment, so that it holds for the kernels and interpreters of tests too.
    """
    directory = tmp_path_factory.mktemp("audit")
    before = os.environ.get("THEUS_AUDIT_DIR")
    os.environ["THEUS_AUDIT_DIR"] = str(directory)
    yield
    if before is None:
        del os.environ["THEUS_AUDIT_DIR"]
    else:
        os.environ["THEUS_AUDIT_DIR"] = before
