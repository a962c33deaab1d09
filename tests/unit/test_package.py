"""What the package itself offers."""

from __future__ import annotations

import importlib.metadata

import pytest

import theus_nb


def test_the_version_is_that_of_the_installation() -> None:
    assert theus_nb.__version__ == importlib.metadata.version("theus_nb")


def test_other_names_are_not_made_up() -> None:
    with pytest.raises(AttributeError, match="module 'theus_nb' has no attribute 'versoin'"):
        _ = theus_nb.versoin


def test_everything_public_is_there() -> None:
    assert all(hasattr(theus_nb, name) for name in theus_nb.__all__)
