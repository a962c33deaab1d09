"""Options of how a process is run: what they take, and what they say about anything else."""

from __future__ import annotations

from typing import Any

import pytest

from theus_nb.decorator import process
from theus_nb.errors import ContractError
from theus_nb.policy import Policy, Rate

REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"timeout": -1}, r"timeout is a number of seconds.*not -1.*timeout=2.5"),
    ({"timeout": 0}, "more than 0"),
    ({"timeout": "3"}, "not '3'"),
    ({"timeout": True}, "not True"),
    ({"timeout": float("nan")}, "not nan"),
    ({"timeout": float("inf")}, "not inf"),
    ({"timeout": 10**400}, "timeout is a number of seconds"),
    ({"retries": 3}, r"does not say after which errors.*retry_on=\[ConnectionError"),
    ({"retries": 3, "retry_on": []}, "after which errors"),
    ({"retries": 0, "retry_on": [ValueError]}, r"retries is a whole number, at least 1, not 0"),
    ({"retries": 1.5, "retry_on": [ValueError]}, "not 1.5"),
    ({"retries": 3, "retry_on": [3]}, "retry_on takes exception types.*not 3"),
    ({"retries": 3, "retry_on": ["int"]}, "retry_on takes exception types.*not 'int'"),
    ({"retries": 3, "retry_on": ["print"]}, "not 'print'"),
    ({"retries": 3, "retry_on": ["no name"]}, "not 'no name'"),
    ({"retries": 3, "retry_on": [""]}, "not ''"),
    ({"retries": 3, "retry_on": "ValueError"}, r"retry_on takes a list"),
    ({"retry_on": [ValueError]}, "need the number of retries"),
    ({"backoff": 1.0}, "need the number of retries"),
    ({"retries": 1, "retry_on": [ValueError], "backoff": -0.1}, "0 or more, not -0.1"),
    ({"limit": 0}, "limit is a whole number, at least 1, not 0.*limit=3"),
    ({"limit": True}, "not True"),
    ({"limit": "2"}, "not '2'"),
    ({"rate": 10}, "rate is a number of starts per s, min, h or day, not 10"),
    ({"rate": "10/fortnight"}, r"not '10/fortnight'.*10/s"),
    ({"rate": "10/ms"}, "not '10/ms'"),
    ({"rate": "10/hs"}, "not '10/hs'"),
    ({"rate": "0/s"}, "not '0/s'"),
    ({"rate": "fast"}, "not 'fast'"),
    ({"rate": "-3/s"}, "not '-3/s'"),
    ({"rate": "1.5/s"}, "not '1.5/s'"),
]


@pytest.mark.parametrize(("options", "message"), REFUSED, ids=repr)
def test_what_makes_no_sense_is_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ContractError, match=message):
        process(**options)


@pytest.mark.parametrize(
    ("text", "rate"),
    [
        ("10/s", Rate(10, 1.0)),
        ("10 / sec", Rate(10, 1.0)),
        ("100 per minute", Rate(100, 60.0)),
        ("5000/H", Rate(5000, 3600.0)),
        ("7/days", Rate(7, 86400.0)),
    ],
)
def test_ways_to_write_a_rate(text: str, rate: Rate) -> None:
    policy = Policy.of("here", rate=text)
    assert policy is not None
    assert policy.rate == rate


def test_nothing_asked_for_is_no_policy() -> None:
    assert Policy.of("here") is None


def test_pauses_double_up_to_a_minute() -> None:
    policy = Policy(retries=20, retry_on=(OSError,), backoff=0.5)
    assert [policy.pause(attempt) for attempt in (1, 2, 3, 4)] == [0.5, 1.0, 2.0, 4.0]
    assert policy.pause(20) == 60.0
    assert Policy(backoff=90.0).pause(3) == 90.0


def test_options_make_a_variant() -> None:
    @process(timeout=1, retries=2, retry_on=[OSError, "Weird"], backoff=1, limit=3, rate="4/min")
    async def fetch(_ctx: object) -> None: ...

    faster = fetch.options(timeout=0.5, rate=None)
    assert faster.policy == Policy(0.5, 2, (OSError, "Weird"), 1.0, 3, None)
    assert fetch.policy == Policy(1.0, 2, (OSError, "Weird"), 1.0, 3, Rate(4, 60.0))
    assert fetch.options().policy == fetch.policy
    with pytest.raises(ContractError, match=r"options\(\) has no option 'timeuot'.*'timeout'"):
        fetch.options(timeuot=3)
    with pytest.raises(ContractError, match=r"options\(\): limit is a whole number"):
        fetch.options(limit=-1)


def test_a_def_on_the_loop_cannot_be_timed() -> None:
    with pytest.raises(ContractError, match="a timeout cannot end a 'def' on the event loop"):

        @process(lane="loop", timeout=1)
        def blocks(_ctx: object) -> None: ...
