"""The exception tree: every class where a reader of the standard library would look for it."""

from __future__ import annotations

import asyncio
import inspect
import re

import pytest

from theus_nb import errors

CLASSES = [
    value
    for value in vars(errors).values()
    if inspect.isclass(value) and issubclass(value, BaseException)
]


@pytest.mark.parametrize("cls", CLASSES)
def test_every_error_has_one_base_and_a_sentence(cls: type[BaseException]) -> None:
    assert issubclass(cls, errors.TheusError)
    assert cls.__doc__
    assert cls.__doc__.splitlines()[0].endswith(".")
    assert cls.__module__ == "theus_nb.errors"


@pytest.mark.parametrize(
    ("cls", "base"),
    [
        (errors.ContractError, ValueError),
        (errors.PathShapeError, errors.ContractError),
        (errors.ContractViolationError, PermissionError),
        (errors.UndeclaredReadError, errors.ContractViolationError),
        (errors.UndeclaredWriteError, errors.ContractViolationError),
        (errors.OutputError, ValueError),
        (errors.MissingOutputError, errors.OutputError),
        (errors.MissingInputError, LookupError),
        (errors.UnknownProcessError, LookupError),
        (errors.NotebookConflictError, errors.ConflictError),
        (errors.UpstreamError, RuntimeError),
        (errors.DeadlockError, RuntimeError),
        (errors.RunCancelledError, RuntimeError),
        (errors.RunEndedError, RuntimeError),
        (errors.RunPendingError, asyncio.InvalidStateError),
        (errors.SessionClosedError, errors.SessionError),
        (errors.ForkedProcessError, errors.SessionError),
        (errors.SyncEntryError, errors.SessionError),
    ],
)
def test_builtin_bases_where_they_fit(cls: type[Exception], base: type[Exception]) -> None:
    assert issubclass(cls, base)


def test_a_cancelled_run_is_no_cancelled_task() -> None:
    assert not issubclass(errors.RunCancelledError, asyncio.CancelledError)


def test_the_picture_shows_every_class() -> None:
    drawn = set(re.findall(r"\b[A-Z]\w+Error\b", errors.__doc__ or ""))
    assert {cls.__name__ for cls in CLASSES} <= drawn


@pytest.mark.parametrize("cls", CLASSES)
def test_what_an_error_carries(cls: type[errors.TheusError]) -> None:
    error = cls("what happened", process="fetch", path="domain.raw", run_id="r7")
    assert str(error) == "what happened"
    assert (error.process, error.path, error.run_id) == ("fetch", "domain.raw", "r7")
    bare = cls("what happened")
    assert (bare.process, bare.path, bare.run_id) == (None, None, None)
