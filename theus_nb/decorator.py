"""``@process``: turning functions into registered processes."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any, Final, overload

from theus_nb.contract import Contract
from theus_nb.errors import ContractError
from theus_nb.policy import OPTIONS as POLICY_OPTIONS
from theus_nb.policy import Policy
from theus_nb.process import Lane, Process, refuse_unknown
from theus_nb.registry import Registry
from theus_nb.registry import default as default_registry

if TYPE_CHECKING:
    from collections.abc import Callable


_OPTIONS: Final = (
    "inputs",
    "outputs",
    "side_effects",
    "errors",
    "name",
    "lane",
    *POLICY_OPTIONS,
)


@overload
def process(inputs: Callable[..., Any], /) -> Process: ...


@overload
def process(
    inputs: object = None,
    outputs: object = None,
    side_effects: object = None,
    errors: object = None,
    *,
    name: str | None = None,
    lane: Lane = "auto",
    timeout: float | None = None,
    retries: int | None = None,
    retry_on: object = None,
    backoff: float | None = None,
    limit: int | None = None,
    rate: str | None = None,
    semantic: object = None,
    parallel: bool = False,
) -> Callable[[Callable[..., Any]], Process]: ...


def process(  # noqa: PLR0913 - the options of a definition
    inputs: object = None,
    outputs: object = None,
    side_effects: object = None,
    errors: object = None,
    *,
    name: str | None = None,
    lane: Lane = "auto",
    timeout: float | None = None,
    retries: int | None = None,
    retry_on: object = None,
    backoff: float | None = None,
    limit: int | None = None,
    rate: str | None = None,
    semantic: object = None,  # noqa: ARG001 - accepted for theus.contracts compatibility
    parallel: bool = False,  # noqa: ARG001 - likewise
    **unknown: object,
) -> Process | Callable[[Callable[..., Any]], Process]:
    """Turn a function into a process and register it under its name.

    ``async def`` runs on the event loop, ``def`` in a worker thread; there is nothing to
    configure. The function receives a context as its first argument. What it returns is laid
    over its outputs: one output takes the value; several take a tuple or list in order, or a
    dict by path or leaf name; ``None`` writes nothing. Defining a name again replaces the
    earlier process.

    Args:
        inputs: Paths it may read (or the function, when used without parentheses).
        outputs: Paths it writes; all without ``?`` must be written.
        side_effects: Words for what it does outside (``"net"``, ``"file:out/*.csv"``).
        errors: Exception types it may raise.
        name: Name of the process; the function's own by default.
        lane: ``"loop"`` runs a ``def`` on the event loop, knowingly blocking it.
        timeout: Seconds an attempt may take from the start of its body; then it is stopped and
            ends as `RunTimeoutError`.
        retries: How many further attempts there are after an error of `retry_on`. The run keeps
            its place in the order and its inputs; only the last attempt commits.
        retry_on: Exception types (or names) worth another attempt.
        backoff: Seconds before the second attempt, doubled before each further one.
        limit: How many runs of this process execute at a time.
        rate: How many start in a while, such as ``"10/s"``, ``"100/min"``.
        semantic: Accepted and ignored.
        parallel: Accepted and ignored.
        **unknown: Refused by name.

    Returns:
        The process, or a decorator that makes it.

    Raises:
        ContractError: An invalid name, path, lane or function.

    Cancellation: cancelling a run cancels the coroutine of an ``async def``, and raises
        ``CancelledError`` in the thread of a ``def``. A thread in C code notices late: after the
        session's grace it is given up, and its writes are dropped.

    Example:
        >>> @process(outputs=["domain.answer"])
        ... async def think(ctx):
        ...     return 42
        >>> think.contract.outputs[0].path
        'domain.answer'
    """
    refuse_unknown("@process", unknown, _OPTIONS)
    if callable(inputs) and not isinstance(inputs, list | tuple | set | frozenset):
        return default_registry.add(Process(inputs, Contract()))
    contract = Contract.of(inputs, outputs, side_effects, errors)
    policy = Policy.of(
        "@process",
        timeout=timeout,
        retries=retries,
        retry_on=retry_on,
        backoff=backoff,
        limit=limit,
        rate=rate,
    )

    def decorate(fn: Callable[..., Any]) -> Process:
        return default_registry.add(Process(fn, contract, name=name, lane=lane, policy=policy))

    return decorate


_ATTRIBUTE: Final = "_theus_nb_process"


def adopt(candidate: object) -> Process | None:
    """Return the process for an object that can be run as one, or None.

    Accepts a process, or a function decorated by the ``theus`` package, recognised by the
    contract it carries. Its process is kept on the function itself, and goes with it.
    """
    if isinstance(candidate, Process):
        return candidate
    foreign = getattr(candidate, "_pop_contract", None)
    if foreign is None or not callable(candidate):
        return None
    known = getattr(candidate, _ATTRIBUTE, None)
    if isinstance(known, Process) and known.fn is candidate:
        return known
    contract = Contract.of(
        foreign.inputs,
        foreign.outputs,
        getattr(foreign, "side_effects", None),
        getattr(foreign, "errors", None),
    )
    made = Process(candidate, contract)
    with contextlib.suppress(AttributeError):  # an object without attributes: made anew each time
        setattr(candidate, _ATTRIBUTE, made)
    return made


def find(registry: Registry, process: object) -> Process:
    """Return the process meant by a name, a process or a decorated function.

    Raises:
        UnknownProcessError: No process has this name.
        ContractError: This is nothing that could be run as a process.
    """
    if isinstance(process, str):
        return registry.get(process)
    found = adopt(process)
    if found is None:
        msg = (
            f"{process!r} is not a process: decorate the function with @process, or give the "
            "name of one"
        )
        raise ContractError(msg)
    return found
