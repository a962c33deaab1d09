"""A naive model of the order of runs: the plainest code that says what has to happen.

Two questions are answered, both without any concurrency:

* *What comes out?* `execute` runs a program one run after another in the order of submission,
  children inside their parent, and tells what each run read, how it ended and what is left in
  the state.
* *Who waits for whom?* `Trace.waits` derives from that sequence which runs have to be over
  before a run may start (`must`) and which ones it may wait for at all (`may`). Neither depends
  on the schedule, which is why the tests can check both at any moment of any schedule.
"""

from __future__ import annotations

import dataclasses
import math
from typing import TYPE_CHECKING, Final, Literal

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

LEAVES: Final = ("domain.all.a", "domain.all.b", "domain.all.c.x", "domain.all.c.y")
"""The paths that hold values."""
BRANCHES: Final = ("domain.all.c", "domain.all")
"""Their ancestors: declared as a whole, they stand for everything beneath."""

Ending = Literal["ok", "raise early", "raise late", "forget", "violate"]
Place = tuple[float, float]
"""Position in the serial order; a parent comes after its children (see `place_of`)."""


@dataclasses.dataclass(frozen=True)
class Spec:
    """One run of a program: what it declares and what its body does.

    The body reads all its inputs, waits at its gate, runs its children, reads again, writes
    ``writes`` and ends. A leaf that is both readable and written is changed in place.
    """

    name: str
    inputs: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ()
    writes: tuple[str, ...] = ()
    is_async: bool = False
    ending: Ending = "ok"
    children: tuple[Spec, ...] = ()
    tolerant: bool = True
    by_handle: bool = True

    def reads(self, leaf: str) -> bool:
        """Tell whether the contract lets the body read a leaf."""
        return any(covers(plain(node), leaf) for node in self.inputs)

    def may_write(self, leaf: str) -> bool:
        """Tell whether the contract lets the body write a leaf."""
        return any(covers(plain(node), leaf) for node in self.outputs)

    def required(self) -> list[str]:
        """Return the outputs that have to be written."""
        return [node for node in self.outputs if not node.endswith("?")]


def plain(node: str) -> str:
    """Return a declared path without its mark of being optional."""
    return node.removesuffix("?")


def covers(node: str, leaf: str) -> bool:
    """Tell whether a declared path is a leaf or one of its ancestors."""
    return leaf == node or leaf.startswith(node + ".")


def beneath(node: str) -> list[str]:
    """Return everything a declared path stands for: itself and what may be beneath.

    A branch may get children of any other name: nobody in these programs writes one, but nobody
    can know that beforehand.
    """
    names = [*LEAVES, *BRANCHES, *(f"{branch}.other" for branch in BRANCHES)]
    return [name for name in names if covers(node, name)]


@dataclasses.dataclass(frozen=True)
class Failure:
    """How a run may fail: the type's name and, where the model knows it, the paths it may name."""

    kind: str
    paths: frozenset[str] = frozenset()


@dataclasses.dataclass
class Outcome:
    """What one run did."""

    started: bool = False
    seen: dict[str, list[str] | None] = dataclasses.field(default_factory=dict)
    seen_after: dict[str, list[str] | None] = dataclasses.field(default_factory=dict)
    failures: tuple[Failure, ...] = ()
    root: str = ""


@dataclasses.dataclass(frozen=True)
class Event:
    """One change of the state: a leaf written, a declared path decided or failed."""

    kind: Literal["write", "decide", "fail"]
    node: str
    writer: str
    place: Place
    value: list[str] | None = None


def place_of(top: int, child: int | None = None) -> Place:
    """Return the position of a top-level run, or of one of its children, in the serial order."""
    return (top, math.inf if child is None else child)


class Trace:
    """The program executed in sequence, so far."""

    def __init__(self, initial: Mapping[str, list[str]], cancelled: frozenset[str]) -> None:
        self.events: list[Event] = []
        self.outcomes: dict[str, Outcome] = {}
        self.places: dict[str, Place] = {}
        self.specs: dict[str, Spec] = {}
        self.cancelled = cancelled
        for leaf, value in initial.items():
            self.events.append(Event("write", leaf, "", (-1, math.inf), list(value)))

    # What is in the state

    def value(self, leaf: str) -> list[str] | None:
        """Return the newest value of a leaf, failed or not."""
        found = (e.value for e in reversed(self.events) if e.kind == "write" and e.node == leaf)
        return next(found, None)

    def failed_by(self, leaf: str) -> Event | None:
        """Return the failure that hides a leaf, unless it was written since."""
        for event in reversed(self.events):
            if covers(event.node, leaf):
                return event if event.kind == "fail" else None
        return None

    def failures_at(self, node: str) -> list[Event]:
        """Return the failures that a reader of a path runs into."""
        found = (self.failed_by(name) for name in beneath(node))
        return [event for event in found if event is not None]

    def view(self, spec: Spec) -> dict[str, list[str] | None]:
        """Return what a run that starts now reads."""
        return {leaf: self.value(leaf) for leaf in LEAVES if spec.reads(leaf)}

    # Running

    def run(self, spec: Spec, place: Place) -> Outcome:
        """Execute one run and, inside it, its children."""
        outcome = self.outcomes[spec.name] = Outcome()
        self.specs[spec.name] = spec
        self.places[spec.name] = place
        failures = self._refusals(spec, outcome)
        if not failures:
            outcome.started = True
            failures = self._body(spec, place, outcome)
        outcome.failures = tuple(failures)
        if failures:
            outcome.root = outcome.root or spec.name
            for node in spec.required():
                self.events.append(Event("fail", node, outcome.root, place))
        return outcome

    def _refusals(self, spec: Spec, outcome: Outcome) -> list[Failure]:
        """Return why a run cannot start: the first failed input, or the first missing one."""
        if spec.name in self.cancelled:
            return [Failure("RunCancelledError")]
        found = []
        for node in map(plain, spec.inputs):
            hits = self.failures_at(node)
            if hits:
                # Either the path that failed or the declared one, if accepting that would help.
                names = {h.node for h in hits} | {node for h in hits if covers(node, h.node)}
                found.append(Failure("UpstreamError", frozenset(names)))
                outcome.root = hits[0].writer if len({h.writer for h in hits}) == 1 else "?"
                break
        for node in spec.inputs:
            if node.endswith("?") or self.failures_at(node):
                continue
            if all(self.value(leaf) is None for leaf in beneath(node)):
                found.append(Failure("MissingInputError", frozenset({node})))
                outcome.root = outcome.root if len(found) == 1 else "?"
                break
        return found

    def _body(self, spec: Spec, place: Place, outcome: Outcome) -> list[Failure]:
        view = self.view(spec)
        outcome.seen = copied(view)
        lost = self._children(spec, place, view)
        outcome.seen_after = copied(view)
        if lost is not None and not spec.tolerant:
            outcome.root = lost.root
            return list(lost.failures)
        if spec.ending == "raise early":
            return [Failure("Boom")]
        written = {leaf: changed(view.get(leaf), spec.name) for leaf in spec.writes}
        if spec.ending == "raise late":
            return [Failure("Boom")]
        if spec.ending == "violate":
            return [Failure("UndeclaredReadError", frozenset({"secret.path"}))]
        unwritten = [n for n in spec.required() if not any(covers(n, leaf) for leaf in written)]
        if unwritten:
            return [Failure("MissingOutputError", frozenset(unwritten[:1]))]
        self._commit(spec, place, written)
        return []

    def _children(
        self, spec: Spec, place: Place, view: dict[str, list[str] | None]
    ) -> Outcome | None:
        """Execute the children; what they commit shows in the parent's view.

        Returns:
            The first of them that failed.
        """
        lost = None
        for number, child in enumerate(spec.children):
            before = len(self.events)
            result = self.run(child, place_of(int(place[0]), number))
            for event in self.events[before:]:
                if event.kind == "write" and event.node in view:
                    view[event.node] = event.value
            if result.failures and lost is None:
                lost = result
        return lost

    def _commit(self, spec: Spec, place: Place, written: dict[str, list[str]]) -> None:
        for node in map(plain, spec.outputs):
            if any(covers(node, leaf) for leaf in written):
                self.events.append(Event("decide", node, spec.name, place))
        for leaf, value in written.items():
            self.events.append(Event("write", leaf, spec.name, place, value))

    # Waiting

    def waits(self, name: str) -> tuple[set[str], set[str]]:
        """Return whom a run has to wait for, and whom it may wait for."""
        spec, must, may = self.specs[name], set[str](), set[str]()
        for leaf in {leaf for node in spec.inputs for leaf in beneath(plain(node))}:
            sure = True
            for writer in self._before(name):
                if self.specs[writer].may_write(leaf):
                    may.add(writer)
                    must |= {writer} if sure else set()
                settled = self._settled(writer, leaf)
                if settled == "yes":
                    break
                sure = sure and settled == "no"
            if spec.may_write(leaf):
                readers = set(self._readers(name, leaf))
                must |= readers
                may |= readers
        # What never got as far as its body may be over long before anybody notices.
        return {other for other in must if self.outcomes[other].started}, may

    def _before(self, name: str) -> list[str]:
        """Return the runs at earlier places, latest first."""
        mine = self.reads_at(name)
        earlier = [other for other, place in self.places.items() if place < mine]
        return sorted(earlier, key=self.places.__getitem__, reverse=True)

    def reads_at(self, name: str) -> Place:
        """Return the position at which a run reads: its own, or before its first child."""
        top, child = self.places[name]
        return (top, child if child < math.inf else -1)

    def _settled(self, writer: str, leaf: str) -> Literal["yes", "no", "perhaps"]:
        """Tell whether nothing before this run can matter to a reader of the leaf."""
        own = [e for e in self.events if e.writer and e.place == self.places[writer]]
        if any(e.kind == "write" and e.node == leaf for e in own):
            return "yes"
        if any(e.kind == "fail" and covers(e.node, leaf) for e in own):
            # A later success of the same branch takes the failure back; whether one then looks
            # behind it is nobody's business.
            return "perhaps"
        return "no"

    def _readers(self, name: str, leaf: str) -> Iterator[str]:
        """Yield the earlier runs that read the very version that a run may change in place."""
        for other in self._before(name):
            if self._settled(other, leaf) == "yes":
                return
            if self.value_before(name, leaf) and self.specs[other].reads(leaf):
                yield other

    def value_before(self, name: str, leaf: str) -> bool:
        """Tell whether a leaf had a version when a run started."""
        return any(
            e.kind == "write" and e.node == leaf and e.place < self.reads_at(name)
            for e in self.events
        )


def changed(value: list[str] | None, name: str) -> list[str]:
    """Return the value a body writes: the one it read, changed in place, or a new one."""
    if value is None:
        return [name]
    value.append(name)
    return value


def copied(view: Mapping[str, list[str] | None]) -> dict[str, list[str] | None]:
    """Return the contents of a view as they are now."""
    return {leaf: None if value is None else list(value) for leaf, value in view.items()}


def execute(
    program: tuple[Spec, ...],
    initial: Mapping[str, list[str]],
    cancelled: frozenset[str] = frozenset(),
) -> Trace:
    """Execute the top-level runs of a program one after another."""
    trace = Trace(initial, cancelled)
    for number, spec in enumerate(program):
        trace.run(spec, place_of(number))
    return trace
