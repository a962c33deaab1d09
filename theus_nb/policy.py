"""How a process is run: time limit, attempts, how many at a time, how many in a while."""

from __future__ import annotations

import dataclasses
import math
import re
import sys
from typing import Final, NamedTuple, NoReturn, Self

from theus_nb.contract import declares, exception_types
from theus_nb.errors import ContractError

_LONGEST: Final = 60.0
"""Seconds after which the pause between attempts does not grow any more."""

_UNITS: Final = {
    "s": 1.0, "sec": 1.0, "secs": 1.0, "second": 1.0, "seconds": 1.0,
    "m": 60.0, "min": 60.0, "mins": 60.0, "minute": 60.0, "minutes": 60.0,
    "h": 3600.0, "hour": 3600.0, "hours": 3600.0,
    "d": 86400.0, "day": 86400.0, "days": 86400.0,
}  # fmt: skip
_RATE: Final = re.compile(r"\s*(\d+)\s*(?:/|per)\s*([a-z]+)\s*", re.IGNORECASE)


class Rate(NamedTuple):
    """At most `starts` in any window of `seconds`."""

    starts: int
    seconds: float


@dataclasses.dataclass(frozen=True, slots=True)
class Policy:
    """What holds while a process runs.

    Attributes:
        timeout: Seconds that one attempt may take, from the start of its body; None for any.
        retries: How many further attempts there are.
        retry_on: Exception types, or their names, after which there is another attempt.
        backoff: Seconds before the second attempt; doubled each time, up to a minute.
        limit: How many runs execute at a time; None for any number.
        rate: How many start in a while; None for any number.
    """

    timeout: float | None = None
    retries: int = 0
    retry_on: tuple[type[BaseException] | str, ...] = ()
    backoff: float = 0.0
    limit: int | None = None
    rate: Rate | None = None

    @classmethod
    def of(  # noqa: PLR0913 - the options of a definition
        cls,
        where: str,
        *,
        timeout: object = None,
        retries: object = None,
        retry_on: object = None,
        backoff: object = None,
        limit: object = None,
        rate: object = None,
    ) -> Self | None:
        """Check options and make a policy of them; None if none is given.

        Args:
            where: What the options belong to, for messages: ``"@process"``.
            timeout: Seconds, more than 0.
            retries: A number of further attempts, at least 1; needs `retry_on`.
            retry_on: An exception type, a name, or several.
            backoff: Seconds, at least 0; needs `retries`.
            limit: A number of runs, at least 1.
            rate: ``"10/s"``, ``"100/min"``, ``"5000/h"``, ``"20000/day"``.

        Raises:
            ContractError: A value that makes no sense; the message shows one that does.
        """
        given = (timeout, retries, retry_on, backoff, limit, rate)
        if all(value is None for value in given):
            return None
        types = () if retry_on is None else exception_types("retry_on", _listed(retry_on))
        if retries is not None and not types:
            _refuse(
                where,
                f"retries={retries!r} does not say after which errors to try again",
                "retries=3, retry_on=[ConnectionError, TimeoutError]",
            )
        if retries is None and (types or backoff is not None):
            _refuse(
                where,
                "retry_on and backoff need the number of retries",
                "retries=3, retry_on=[ConnectionError], backoff=0.5",
            )
        return cls(
            timeout=None if timeout is None else _seconds(where, "timeout", timeout, above=True),
            retries=0 if retries is None else _count(where, "retries", retries),
            retry_on=types,
            backoff=0.0 if backoff is None else _seconds(where, "backoff", backoff, above=False),
            limit=None if limit is None else _count(where, "limit", limit),
            rate=None if rate is None else _rate(where, rate),
        )

    @property
    def is_gated(self) -> bool:
        """Whether runs take turns."""
        return self.limit is not None or self.rate is not None

    @property
    def has_attempts(self) -> bool:
        """Whether an attempt can end before its body does, or be followed by another."""
        return self.timeout is not None or self.retries > 0

    def retries_after(self, attempt: int, error: BaseException) -> bool:
        """Tell whether the attempt of this number (from 1) is followed by another one."""
        return attempt <= self.retries and declares(self.retry_on, error)

    def pause(self, attempt: int) -> float:
        """Return the seconds between the attempt of this number (from 1) and the next."""
        return min(self.backoff * 2.0 ** (attempt - 1), max(_LONGEST, self.backoff))

    def options(self) -> dict[str, object]:
        """Return the options that make this policy, in the words of `of`."""
        found: dict[str, object] = {
            "timeout": self.timeout,
            "retries": self.retries or None,
            "retry_on": self.retry_on or None,
            "backoff": self.backoff or None,
            "limit": self.limit,
            "rate": None if self.rate is None else f"{self.rate.starts}/{_unit(self.rate.seconds)}",
        }
        return {name: value for name, value in found.items() if value is not None}


OPTIONS: Final = ("timeout", "retries", "retry_on", "backoff", "limit", "rate")


def _refuse(where: str, problem: str, correct: str) -> NoReturn:
    msg = f"{where}: {problem}. Write, for instance, {correct}"
    raise ContractError(msg)


def _seconds(where: str, name: str, value: object, *, above: bool) -> float:
    if isinstance(value, int | float) and not isinstance(value, bool):
        # An integer may be too large for a float, and too long for a message.
        seconds = float(value) if abs(value) < sys.float_info.max else math.inf
        if math.isfinite(seconds) and (seconds > 0 or (seconds == 0 and not above)):
            return seconds
    least = "more than 0" if above else "0 or more"
    _refuse(where, f"{name} is a number of seconds, {least}, not {value!r}", f"{name}=2.5")


def _count(where: str, name: str, value: object) -> int:
    if isinstance(value, int) and not isinstance(value, bool) and value >= 1:
        return value
    _refuse(where, f"{name} is a whole number, at least 1, not {value!r}", f"{name}=3")


def _listed(value: object) -> object:
    return [value] if isinstance(value, type) else value


def _rate(where: str, value: object) -> Rate:
    match = _RATE.fullmatch(value) if isinstance(value, str) else None
    unit = match and _UNITS.get(match[2].lower())
    if match is None or unit is None or int(match[1]) < 1:
        _refuse(
            where,
            f"rate is a number of starts per s, min, h or day, not {value!r}",
            'rate="10/s" or rate="100/min"',
        )
    return Rate(int(match[1]), unit)


def _unit(seconds: float) -> str:
    return next(name for name, length in _UNITS.items() if length == seconds)
