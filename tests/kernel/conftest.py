"""Fixtures for tests against real kernels."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.kernel.driver import Kernel

if TYPE_CHECKING:
    import pathlib
    from collections.abc import Iterator


@pytest.fixture(scope="module")
def kernel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kernel]:
    """A kernel with the extension loaded, shared by the tests of a module."""
    with Kernel(tmp_path_factory.mktemp("kernel")) as kernel:
        loaded = kernel.good("%load_ext theus_nb")
        assert not loaded.messages[1:], "loading says nothing"  # the first echoes the input
        kernel.good("import asyncio, threading")
        yield kernel


@pytest.fixture
def bare_kernel(tmp_path: pathlib.Path) -> Iterator[Kernel]:
    """A kernel of this test's own, without the extension."""
    with Kernel(tmp_path) as kernel:
        yield kernel
