"""What a cell may read without declaring it: everything but mutable data.

A contract is about data that changes. Modules, functions, classes and immutable plain values are
the vocabulary of a notebook, not its data; asking for them in every ``--inputs`` would make the
line unreadable and prove nothing.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import enum
import functools
import logging
import numbers
import operator
import pathlib
import re
import sys
import types
import uuid
from typing import Final

from theus_nb.process import Process
from theus_nb.session import Session

_OWN_NAMES: Final = frozenset(
    [
        *("In", "Out", "exit", "quit", "open", "get_ipython", "display"),
        *("_", "__", "___", "_i", "_ii", "_iii", "_ih", "_oh", "_dh"),
        *("__builtin__", "__builtins__", "__name__"),
    ]
)
_HISTORY: Final = re.compile(r"_i?\d+")

_IMMUTABLE: Final = (
    str,
    bytes,
    numbers.Number,  # also Decimal and Fraction
    dt.date,
    dt.time,
    dt.timedelta,
    dt.tzinfo,
    pathlib.PurePath,
    re.Pattern,
    uuid.UUID,
    enum.Enum,
    range,
    types.NoneType,
    types.EllipsisType,
    types.NotImplementedType,
)
"""Values that cannot change; subclasses too (a pandas Timestamp is a datetime)."""

_CODE: Final = (
    type,
    types.ModuleType,
    types.FunctionType,
    types.GenericAlias,
    types.UnionType,
    types.WrapperDescriptorType,
    types.MethodDescriptorType,
    types.MethodWrapperType,
    types.ClassMethodDescriptorType,
    types.GetSetDescriptorType,
    types.MemberDescriptorType,
    staticmethod,
    classmethod,
    property,
    functools.partialmethod,
    functools.cached_property,
    operator.itemgetter,
    operator.attrgetter,
    operator.methodcaller,
    logging.Logger,
    logging.LoggerAdapter,
    Process,
    Session,
)
"""Vocabulary: what computes or names, without being data. Loggers belong here as well."""

_PLAIN: Final = (*_IMMUTABLE, *_CODE)

# Exact types of which every instance is readable, or none is: most names take this way out.
_BY_TYPE: Final[dict[type, bool]] = {
    **dict.fromkeys((int, float, complex, bool, str, bytes, types.NoneType), True),
    **dict.fromkeys((type, types.ModuleType, types.FunctionType), True),
    **dict.fromkeys((list, dict, set, bytearray), False),
}


def is_own_name(name: str) -> bool:
    """Tell whether IPython itself keeps this name in the notebook (``In``, ``_``, ``_i3``)."""
    return name in _OWN_NAMES or _HISTORY.fullmatch(name) is not None


def is_readable(value: object) -> bool:
    """Tell whether a cell may read this value without declaring it.

    Containers that cannot change count when everything in them does. An object of a class
    unknown to us is data, unless it is callable and carries a function's name, as compiled
    functions, ufuncs and wrapped functions do.

    Example:
        >>> is_readable((1, "a")), is_readable((1, ["a"])), is_readable(len)
        (True, False, True)
    """
    waiting = [value]  # a stack, not recursion: tuples may be nested deeper than Python recurses
    while waiting:
        item = waiting.pop()
        known = _BY_TYPE.get(type(item))
        if known is False:
            return False
        if known or _is_plain(item):
            continue
        parts = _parts(item)
        if parts is None:
            return False
        waiting.extend(parts)
    return True


def _is_plain(value: object) -> bool:
    if isinstance(value, _PLAIN):
        return True
    return _is_typing_object(value) or _is_library_scalar(value) or _is_named_callable(value)


def _parts(value: object) -> list[object] | None:
    """Return what an unchangeable container holds, or None for anything else."""
    if isinstance(value, tuple | frozenset):
        return list(value)
    if isinstance(value, slice):
        return [value.start, value.stop, value.step]
    if isinstance(value, functools.partial):
        return [value.func, *value.args, *value.keywords.values()]
    if isinstance(value, types.MethodType | types.BuiltinMethodType):
        return [value.__self__]
    parameters = getattr(type(value), "__dataclass_params__", None)
    if parameters is not None and parameters.frozen and dataclasses.is_dataclass(value):
        return [getattr(value, field.name, None) for field in dataclasses.fields(value)]
    return None


def _is_typing_object(value: object) -> bool:
    return type(value).__module__ in {"typing", "typing_extensions"}


def _is_library_scalar(value: object) -> bool:
    """Recognise numpy's and pandas' unchangeable scalars, without importing either."""
    numpy = sys.modules.get("numpy")
    if numpy is not None and isinstance(value, numpy.generic | numpy.dtype):
        return not isinstance(value, numpy.void)  # a record can be written to
    cls = type(value)
    return cls.__module__.partition(".")[0] == "pandas" and cls.__name__ in {
        "NAType",
        "NaTType",
        "Interval",
        "Period",
    }


def _is_named_callable(value: object) -> bool:
    """Recognise compiled and wrapped functions, and a library's own bound functions.

    A bound method is judged by what it is bound to (`list.append` of some list is data), unless
    it is a library's module-level function: `random.choice` is bound to a hidden generator.
    """
    if not callable(value):
        return False
    if isinstance(value, types.MethodType | types.BuiltinMethodType):
        return _is_module_function(value)
    try:
        return isinstance(getattr(value, "__name__", None), str)
    except Exception:  # noqa: BLE001 - any code may run in an attribute lookup
        return False


def _is_module_function(method: types.MethodType | types.BuiltinMethodType) -> bool:
    owner = type(method.__self__)
    module = sys.modules.get(owner.__module__)
    if module is None or owner.__module__ == "__main__":
        return False
    return bool(getattr(module, method.__name__, None) == method)
