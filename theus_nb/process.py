"""Processes: a function (or a cell's body) with a name and a contract."""

from __future__ import annotations

import asyncio
import dataclasses
import functools
import hashlib
import inspect
import re
from typing import TYPE_CHECKING, Any, Final, Literal, Self

from theus_nb.contract import NOTEBOOK_ZONE, Contract, check_length, did_you_mean, grants
from theus_nb.errors import ContractError
from theus_nb.policy import OPTIONS as POLICY_OPTIONS
from theus_nb.policy import Policy

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

Lane = Literal["auto", "loop", "cell"]

_NAME: Final = re.compile(r"[^\W\d]\w*(?:[.-]\w+)*")
_LANES: Final = ("auto", "loop", "cell")


@dataclasses.dataclass(frozen=True, slots=True)
class Layout:
    """A contract in the form in which a running context needs it: sets instead of lists.

    Attributes:
        inputs: Input paths.
        optional_inputs: Those that may be unwritten.
        outputs: Output paths in declared order.
        required_outputs: Those that must be written.
        in_place: Input paths that overlap an output, so that the value may be changed in place.
        branches: Every proper prefix of a declared path: ``domain`` for ``domain.raw``.
        notebook_names: Notebook variables among inputs and outputs.
        commits_on_loop: Whether an output is a notebook variable: those are bound on the main
            thread only.
    """

    inputs: frozenset[str]
    optional_inputs: frozenset[str]
    outputs: tuple[str, ...]
    required_outputs: tuple[str, ...]
    in_place: frozenset[str]
    branches: frozenset[str]
    notebook_names: tuple[str, ...]
    commits_on_loop: bool

    @classmethod
    def of(cls, contract: Contract) -> Self:
        """Compute the layout of a contract."""
        inputs = [access.path for access in contract.inputs]
        outputs = [access.path for access in contract.outputs]
        prefix = f"{NOTEBOOK_ZONE}."
        every = dict.fromkeys([*inputs, *outputs])
        return cls(
            inputs=frozenset(inputs),
            optional_inputs=frozenset(a.path for a in contract.inputs if a.optional),
            outputs=tuple(outputs),
            required_outputs=tuple(a.path for a in contract.outputs if not a.optional),
            in_place=frozenset(
                i for i in inputs if any(grants(i, o) or grants(o, i) for o in outputs)
            ),
            branches=frozenset(branch for path in every for branch in _branches(path)),
            notebook_names=tuple(p.removeprefix(prefix) for p in every if p.startswith(prefix)),
            commits_on_loop=any(path.startswith(prefix) for path in outputs),
        )


def _branches(path: str) -> list[str]:
    segments = path.split(".")
    return [".".join(segments[:n]) for n in range(1, len(segments))]


class Process:
    """A named, contracted unit of work: what ``@process`` and ``%%theus_process`` make.

    Calling the object calls the function itself, without contract, order or records; that is
    for tests. To run it as a process use ``theus.run``, ``theus.start`` or ``theus.run_sync``.

    Attributes:
        name: Name under which it is registered.
        fn: The function; its first parameter is the context.
        contract: What it may read and write.
        is_async: Whether it is awaited on the event loop.
        lane: ``"auto"`` (async on the loop, sync in a worker), ``"loop"`` or ``"cell"``.
        kind: ``"function"`` or ``"cell"``.
        policy: Time limit, attempts, limit and rate; None for none of them.
        source: Source text, where it is known.
        source_hash: SHA-256 of the source, in hexadecimal; empty where it is unknown.
    """

    __slots__ = (
        "__dict__",
        "__weakref__",
        "contract",
        "defined",
        "fn",
        "has_attempts",
        "is_async",
        "kind",
        "lane",
        "layout",
        "name",
        "on_loop",
        "policy",
        "source",
        "source_hash",
    )

    def __init__(  # noqa: PLR0913 - the fields of a definition
        self,
        fn: Callable[..., Any],
        contract: Contract,
        *,
        name: str | None = None,
        lane: Lane = "auto",
        kind: Literal["function", "cell"] = "function",
        source: str | None = None,
        policy: Policy | None = None,
    ) -> None:
        """Define a process; see `process` for the meaning of the arguments."""
        self.name = check_name(name if name is not None else _name_of(fn))
        self.fn = fn
        self.contract = contract
        self.layout = Layout.of(contract)
        # (engine, definition): what the process is to the engine that ran it last.
        self.defined: tuple[object, Any] = (None, None)
        self.is_async = _is_async(fn)
        if lane not in _LANES:
            msg = f"process {self.name!r}: lane is one of {', '.join(_LANES)}, not {lane!r}"
            raise ContractError(msg, process=self.name)
        self.lane: Lane = lane
        self.on_loop = self.is_async or lane == "loop"
        self.policy = policy
        self.has_attempts = policy is not None and policy.has_attempts
        if self.on_loop and not self.is_async and policy is not None and policy.timeout:
            msg = (
                f"process {self.name!r}: a timeout cannot end a 'def' on the event loop, which it "
                "blocks; leave lane=\"loop\" away, or make it 'async def'"
            )
            raise ContractError(msg, process=self.name)
        self.kind = kind
        self.source = source if source is not None else _source_of(fn)
        self.source_hash = hashlib.sha256(self.source.encode("utf-8", "replace")).hexdigest()
        _check_callable(self.name, fn, kind)
        if kind == "function":
            functools.update_wrapper(self, fn, updated=())

    @classmethod
    def from_cell(  # noqa: PLR0913 - the fields of a definition
        cls,
        name: str,
        fn: Callable[..., Any],
        contract: Contract,
        *,
        source: str,
        lane: Lane = "cell",
        policy: Policy | None = None,
    ) -> Self:
        """Define a process from a cell's body.

        Args:
            name: Name of the process.
            fn: ``fn(ctx)`` runs the body, writes its outputs through ``ctx`` and returns the
                value to display. Its return value is not laid over the outputs.
            contract: What the cell declares.
            source: Text of the cell.
            lane: ``"cell"`` for the lane that all foreground sync cells share.
            policy: How it is run.
        """
        return cls(fn, contract, name=name, lane=lane, kind="cell", source=source, policy=policy)

    def options(
        self, *, name: str | None = None, lane: Lane | None = None, **policy: object
    ) -> Process:
        """Return a variant of this process; the original stays as it is.

        Args:
            name: Another name (the variant is not registered).
            lane: Another lane.
            **policy: ``timeout``, ``retries``, ``retry_on``, ``backoff``, ``limit``, ``rate``, in
                place of the present ones; None takes one away. See `process`.

        Raises:
            ContractError: An invalid value, or an option that does not exist.
        """
        where = f"process {self.name!r}: options()"
        unknown = {key: value for key, value in policy.items() if key not in POLICY_OPTIONS}
        refuse_unknown(where, unknown, ("name", "lane", *POLICY_OPTIONS))
        present = {} if self.policy is None else self.policy.options()
        return Process(
            self.fn,
            self.contract,
            name=self.name if name is None else name,
            lane=self.lane if lane is None else lane,
            kind="cell" if self.kind == "cell" else "function",
            source=self.source,
            policy=Policy.of(where, **{**present, **policy}),
        )

    def declaration(self, contract: Contract | None = None) -> str:
        """Return the line that declares a contract for this process, ready to be pasted."""
        wanted = self.contract if contract is None else contract
        if self.kind == "cell":
            return wanted.magic_line(self.name)
        return wanted.decorator_line()

    def __call__(self, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - the function's own
        """Call the function itself: no contract, no order, no record."""
        return self.fn(*args, **kwargs)

    def __repr__(self) -> str:
        where = "loop" if self.on_loop else "worker"
        return f"<Process {self.name!r} on the {where} {self.contract.decorator_line()}>"


def check_name(name: object) -> str:
    """Return a process name, or explain what is wrong with it.

    Raises:
        ContractError: Not a string, too long, or not made of letters, digits, ``_``, ``-`` and
            ``.``.
    """
    if isinstance(name, str):
        check_length("a process name", name)
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        msg = (
            f"invalid process name {name!r}: use letters, digits and '_', beginning with a "
            "letter, such as fetch_prices"
        )
        raise ContractError(msg)
    return name


def refuse_unknown(where: str, given: Mapping[str, object], known: tuple[str, ...]) -> None:
    """Refuse options that do not exist.

    Raises:
        ContractError: There is one; the message suggests the closest that exists.
    """
    for option in given:
        hint = did_you_mean(option, known) or f"; there are {', '.join(known)}"
        msg = f"{where} has no option {option!r}{hint}"
        raise ContractError(msg)


def _unwrap(fn: Any) -> Any:  # noqa: ANN401 - any callable
    """Look through partials and wrappers at the function that will run."""
    while True:
        if isinstance(fn, functools.partial | functools.partialmethod):
            fn = fn.func
        elif hasattr(fn, "__wrapped__"):
            fn = fn.__wrapped__
        else:
            return fn


def _target(fn: Any) -> Any:  # noqa: ANN401 - any callable
    """Return the function to be inspected: ``__call__`` of a callable object."""
    inner = _unwrap(fn)
    if inspect.isroutine(inner) or inspect.isclass(inner):
        return inner
    return _unwrap(getattr(type(inner), "__call__", inner))  # noqa: B004 - its function is wanted


def _is_async(fn: Any) -> bool:  # noqa: ANN401 - any callable
    # A wrapper may be sync around an async function or the other way round: the outermost
    # callable decides where it says so, the wrapped function otherwise.
    if asyncio.iscoroutinefunction(fn):
        return True
    if inspect.isfunction(fn) and not hasattr(fn, "__wrapped__"):
        return False
    return inspect.iscoroutinefunction(_target(fn))


def _name_of(fn: Any) -> str:  # noqa: ANN401 - any callable
    inner = _unwrap(fn)
    return str(getattr(inner, "__name__", type(inner).__name__))


def _source_of(fn: Any) -> str:  # noqa: ANN401 - any callable
    try:
        return inspect.getsource(_target(fn))
    except (OSError, TypeError):
        return ""  # built-in, or defined where no source was kept


def _check_callable(name: str, fn: Any, kind: str) -> None:  # noqa: ANN401 - checked here
    if not callable(fn):
        msg = f"process {name!r}: {fn!r} is not a function"
        raise ContractError(msg, process=name)
    target = _target(fn)
    if inspect.isgeneratorfunction(target) or inspect.isasyncgenfunction(target):
        msg = (
            f"process {name!r} is a generator function: its body would run later, outside of the "
            "process. Return a list, or publish values with ctx.commit() or theus.signals"
        )
        raise ContractError(msg, process=name)
    if kind == "cell":
        return
    try:
        parameters = inspect.signature(fn).parameters.values()
    except (TypeError, ValueError):
        return  # a built-in without signature: the call itself will tell
    positional = (
        inspect.Parameter.POSITIONAL_ONLY,
        inspect.Parameter.POSITIONAL_OR_KEYWORD,
        inspect.Parameter.VAR_POSITIONAL,
    )
    if not any(parameter.kind in positional for parameter in parameters):
        keyword = "async def" if inspect.iscoroutinefunction(target) else "def"
        msg = (
            f"process {name!r} takes no context: write '{keyword} {name}(ctx):', the context is "
            "its first argument"
        )
        raise ContractError(msg, process=name)
