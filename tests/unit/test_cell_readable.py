"""What counts as vocabulary, and what as data that must be declared."""

from __future__ import annotations

import collections
import dataclasses
import datetime as dt
import decimal
import enum
import fractions
import functools
import logging
import math
import operator
import pathlib
import random
import re
import typing
import uuid

import numpy as np
import pandas as pd
import pytest

from theus_nb.decorator import process
from theus_nb.notebook.readable import is_own_name, is_readable


class Colour(enum.Enum):
    RED = "red"


@dataclasses.dataclass(frozen=True)
class Frozen:
    value: object


@dataclasses.dataclass
class Thawed:
    value: object


class Model:
    def __call__(self) -> None:
        """Be callable, and data all the same."""

    def predict(self) -> None:
        """Be bound to data."""

    @classmethod
    def make(cls) -> None:
        """Be bound to a class."""


Pair = collections.namedtuple("Pair", "a b")  # noqa: PYI024 - as users write it


@process
def registered(_ctx: object) -> None:
    """Do nothing."""


def deep_tuple(depth: int) -> tuple[object, ...]:
    found: tuple[object, ...] = ()
    for _ in range(depth):
        found = (found,)
    return found


VOCABULARY: list[object] = [
    1, 1.5, 2j, True, None, "a", b"a", ..., NotImplemented, range(3), slice(1, 2),
    decimal.Decimal(1), fractions.Fraction(1, 2), pathlib.Path(), re.compile("a"), uuid.uuid4(),
    dt.date(2024, 1, 1), dt.datetime(2024, 1, 1, tzinfo=dt.UTC), dt.time(1), dt.timedelta(1),
    dt.UTC, Colour.RED, (1, ("a", None)), frozenset({1}), Pair(1, 2), Frozen(1),
    deep_tuple(5000),
    math, math.sin, len, int, dict, Model, Model.make, str.upper, "a".upper, list[int], int | None,
    typing.Any, typing.Literal[1], typing.TypeVar("T"), typing.NewType("N", int),
    is_readable, lambda: 1, functools.partial(int, "1"), functools.lru_cache(deep_tuple),
    functools.wraps(len)(lambda: 1), staticmethod(len), classmethod(type), property(len),
    functools.singledispatch(deep_tuple), operator.itemgetter(1), operator.attrgetter("a"),
    random.choice, random.random, logging.getLogger("x"), registered,
    np, np.float64(1), np.int8(1), np.bool_(1), np.datetime64("2024-01-01"), np.dtype("f8"),
    np.sin, np.sum, np.random.rand, np.pi,
    pd.Timestamp("2024-01-01"), pd.Timedelta(1), pd.NaT, pd.NA, pd.Interval(0, 1), pd.DataFrame,
]  # fmt: skip

DATA: list[object] = [
    [], {}, set(), bytearray(), [].append, {}.get, collections.deque(), collections.Counter(),
    (1, []), frozenset({(1, Model())}), Pair(1, []), Frozen([]), Thawed(1), object(), Model(),
    Model().predict, functools.partial(sorted, []), functools.partial(sorted, key={}.get),
    iter([]), (i for i in [1]), np.zeros(2), np.zeros(1, "i4,i4")[0], np.zeros(1).sum,
    np.random.default_rng(1), random.Random(1), random.Random(1).random,  # noqa: S311
    pd.DataFrame(), pd.Series(dtype=float), pd.DataFrame().head, memoryview(b""), slice([], 1),
]  # fmt: skip


@pytest.mark.parametrize("value", VOCABULARY, ids=lambda value: repr(type(value)))
def test_vocabulary(value: object) -> None:
    assert is_readable(value)


@pytest.mark.parametrize("value", DATA, ids=lambda value: repr(type(value)))
def test_data(value: object) -> None:
    assert not is_readable(value)


def test_object_whose_attributes_raise_is_data() -> None:
    class Hostile:
        def __call__(self) -> None:
            """Be callable."""

        def __getattr__(self, name: str) -> object:
            raise ValueError(name)

    assert not is_readable(Hostile())


@pytest.mark.parametrize(
    "name", ["In", "Out", "_", "___", "_i", "_12", "_i3", "_oh", "get_ipython"]
)
def test_own_names_of_ipython(name: str) -> None:
    assert is_own_name(name)


@pytest.mark.parametrize("name", ["table", "_cache", "_x1", "in", "Inn"])
def test_names_of_the_user(name: str) -> None:
    assert not is_own_name(name)
