"""Random programs for the order of runs: hypothesis strategies over `model.Spec`."""

from __future__ import annotations

import dataclasses
from typing import Final

from hypothesis import strategies as st

from tests.property.model import LEAVES, Ending, Spec, covers, plain

INPUTS: Final = (*LEAVES, "domain.all.c", "domain.all")
OUTPUTS: Final = (*LEAVES, "domain.all.c", "domain.all.c")  # the branch twice as often
STEPS: Final = 32
"""Choices drawn for a schedule; after them the first possible step is taken, which is in order."""
ENDINGS: Final[tuple[Ending, ...]] = (
    *("ok",) * 9,
    "raise early",
    "raise late",
    "forget",
    "violate",
)


@dataclasses.dataclass(frozen=True)
class Program:
    """What is submitted, in which order, and how its schedule is chosen.

    Attributes:
        initial: What is in the state before.
        runs: The top-level runs in the order of submission.
        choices: Picks the next step (submit, open a gate, cancel) among the possible ones.
        cancels: How many waiting runs may be cancelled.
    """

    initial: dict[str, list[str]]
    runs: tuple[Spec, ...]
    choices: tuple[int, ...]
    cancels: int


def overlap(first: str, second: str) -> bool:
    """Tell whether two paths are equal or one is an ancestor of the other."""
    return covers(first, second) or covers(second, first)


@st.composite
def declared(draw: st.DrawFn, universe: tuple[str, ...], most: int) -> tuple[str, ...]:
    """Draw some paths of a universe, each perhaps optional."""
    nodes = draw(st.lists(st.sampled_from(universe), unique=True, max_size=most))
    return tuple(node + draw(st.sampled_from(("", "", "?"))) for node in nodes)


@st.composite
def specs(
    draw: st.DrawFn, name: str, inputs: tuple[str, ...], outputs: tuple[str, ...], *, top: bool
) -> Spec:
    """Draw one run that declares nothing outside the given paths."""
    reads = draw(declared(inputs, 3)) if inputs else ()
    writes = draw(declared(outputs, 2)) if outputs else ()
    if any(overlap(plain(a), plain(b)) for a in writes for b in writes if a != b):
        writes = writes[:1]  # one run, two claims on the same path: not a case worth having
    if writes and draw(st.integers(0, 2)) == 2:  # an update, perhaps in place
        first = plain(writes[0])
        reads = (first + draw(st.sampled_from(("", "?"))), *(r for r in reads if plain(r) != first))
    children: tuple[Spec, ...] = ()
    if top and writes and draw(st.integers(0, 2)) == 2:
        if draw(st.booleans()):  # it watches what its children do
            reads = (plain(writes[0]) + "?", *(r for r in reads if plain(r) != plain(writes[0])))
        children = draw(families(name, reads, writes))
    ending = draw(st.sampled_from(ENDINGS))
    # An update that is not assigned counts as made in place, and what a child wrote as written.
    forgettable = [
        node
        for node in writes
        if not node.endswith("?") and not any(overlap(node, plain(read)) for read in reads)
    ]
    if ending == "forget" and (children or not forgettable):
        ending = "ok"
    done = [node for node in writes if not node.endswith("?") or draw(st.booleans())]
    if ending == "forget":
        done.remove(forgettable[0])
    return Spec(
        name,
        reads,
        writes,
        tuple(leaf for leaf in LEAVES if any(covers(plain(node), leaf) for node in done)),
        is_async=draw(st.booleans()),
        ending=ending,
        children=children,
        tolerant=draw(st.booleans()),
        by_handle=draw(st.booleans()),
    )


@st.composite
def families(
    draw: st.DrawFn, parent: str, reads: tuple[str, ...], writes: tuple[str, ...]
) -> tuple[Spec, ...]:
    """Draw the children of a run, within what it declares."""
    declared_paths = [plain(node) for node in (*reads, *writes)]
    inputs = tuple(n for n in INPUTS if any(covers(node, n) for node in declared_paths))
    outputs = tuple(n for n in OUTPUTS if any(covers(plain(node), n) for node in writes))
    if draw(st.booleans()):  # all about one path, and perhaps nobody asks for it first
        outputs = (plain(writes[0]),)
        inputs = inputs if draw(st.booleans()) else ()
    return tuple(
        draw(specs(f"{parent}_{number}", inputs, outputs, top=False))
        for number in range(draw(st.integers(1, 3)))
    )


@st.composite
def programs(draw: st.DrawFn, least: int = 3, most: int = 8) -> Program:
    """Draw a whole program with its schedule."""
    unwritten = draw(st.lists(st.sampled_from(LEAVES), unique=True, max_size=2))
    count = draw(st.integers(least, most))
    return Program(
        {leaf: ["first"] for leaf in LEAVES if leaf not in unwritten},
        tuple(draw(specs(f"p{number}", INPUTS, OUTPUTS, top=True)) for number in range(count)),
        tuple(draw(st.lists(st.integers(0, 255), min_size=STEPS, max_size=STEPS))),
        draw(st.integers(0, 2)),
    )
