"""Whatever runs concurrently, the state ends as if the runs had been executed in order."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, note, settings

from tests.property.harness import Harness
from tests.property.model import LEAVES, Outcome, Trace
from tests.property.programs import Program, programs
from theus_nb.decorator import process
from theus_nb.errors import UpstreamError
from theus_nb.session import Session

if TYPE_CHECKING:
    from theus_nb.context import Context
    from theus_nb.process import Process

EXAMPLES = int(os.environ.get("THEUS_NB_EXAMPLES", "0"))
"""Set it to search at random, for that many examples; the default is a fixed selection."""

WORKERS = 32
"""More than the bodies of any program: what waits, waits for another run and not for a thread."""


@settings(
    max_examples=EXAMPLES or 400,
    derandomize=not EXAMPLES,
    database=None,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@pytest.mark.timeout(max(400, EXAMPLES))  # a failure takes its time to be shrunk
@given(programs())
def test_every_schedule_ends_like_the_sequence(program: Program) -> None:
    asyncio.run(check(program))


async def check(program: Program) -> None:
    """Play a program and compare everything that can be seen with the model."""
    async with Session(workers=WORKERS) as session:
        for leaf, value in program.initial.items():
            session.state[leaf] = list(value)
        harness = Harness(session, program)
        try:
            await harness.play()
        finally:
            harness.release()
        for name, outcome in harness.trace.outcomes.items():
            note(f"{name}: {outcome}")
            check_run(name, outcome, harness)
        await check_state(session, harness.trace)
        check_versions(session, harness)
        assert not harness.problems, harness.problems


def check_run(name: str, outcome: Outcome, harness: Harness) -> None:
    """Compare what one run read and how it ended."""
    if outcome.started:
        assert harness.seen[name] == outcome.seen, f"{name} read something else"
        assert harness.seen_after[name] == outcome.seen_after, f"{name} read something else later"
    error = harness.errors[name]
    if not outcome.failures:
        assert error is None, f"{name} failed: {error!r}"
        return
    assert error is not None, f"{name} succeeded instead of {outcome.failures}"
    kind = type(error).__name__
    fitting = [failure for failure in outcome.failures if failure.kind == kind]
    assert fitting, f"{name} ended as {error!r} instead of {outcome.failures}"
    if fitting[0].paths:
        path = getattr(error, "path", None)
        assert path in fitting[0].paths, f"{name}: {error!r} names {path}"
        assert path in str(error)
    if isinstance(error, UpstreamError) and outcome.root != "?":
        check_root(error, outcome.root, harness.trace)


def check_root(error: BaseException, root: str, trace: Trace) -> None:
    """Follow the chain of causes to the run where it all began."""
    first = error
    while first.__cause__ is not None:
        first = first.__cause__
    kinds = {failure.kind for failure in trace.outcomes[root].failures}
    assert type(first).__name__ in kinds, f"{error!r} goes back to {first!r}, not to {root}"


def reader_of(leaf: str) -> Process:
    """Make a process that returns what it reads."""

    @process(inputs=[leaf + "?"])
    async def reader(ctx: Context) -> object:
        return ctx[leaf]

    return reader


async def check_state(session: Session, trace: Trace) -> None:
    """Compare the state, once as it is and once with every failure accepted."""
    for leaf in LEAVES:
        reader = reader_of(leaf)
        if trace.failed_by(leaf):
            with pytest.raises(UpstreamError):
                await session.run(reader)
            with pytest.raises(UpstreamError):
                session.state[leaf]
        else:
            assert await session.run(reader) == trace.value(leaf)
    while failed := session.state.failed():
        session.state.accept(next(iter(failed)))
    for leaf in LEAVES:
        value = trace.value(leaf)
        if value is None:
            assert leaf not in session.state
        else:
            assert session.state[leaf] == value


def check_versions(session: Session, harness: Harness) -> None:
    """The version of a path is the number of the run that wrote it last."""
    for leaf in LEAVES:
        writers = [e.writer for e in harness.trace.events if (e.kind, e.node) == ("write", leaf)]
        if writers and writers[-1] in harness.handles:
            assert session.state.version(leaf) == harness.handles[writers[-1]].number
