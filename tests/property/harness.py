"""Executes a random program on a real session, one step at a time, under the model's eyes.

No time passes here: a body waits at its gate until the schedule opens it, and after every step
the harness waits until nothing can move any more. What "can move" is the model's word.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from typing import TYPE_CHECKING, Any, Final

from tests.property.model import LEAVES, Spec, Trace, changed, execute
from theus_nb.decorator import process
from theus_nb.errors import MissingInputError, UndeclaredReadError

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.property.programs import Program
    from theus_nb.context import Context
    from theus_nb.process import Process
    from theus_nb.run import Run
    from theus_nb.session import Session

DEADLINE: Final = 10.0
"""Seconds after which something that should happen counts as never happening."""

View = dict[str, list[str] | None]


class Boom(Exception):  # noqa: N818 - it is what it does
    """What a failing body raises."""


class Gate:
    """Holds one body, on a thread or on the loop, until the schedule opens it."""

    def __init__(self) -> None:
        self.is_open = False
        self._thread = threading.Event()
        self._loop = asyncio.Event()

    def open(self) -> None:
        """Let the body go on; called on the loop."""
        self.is_open = True
        self._thread.set()
        self._loop.set()

    def block(self) -> None:
        """Wait in a worker thread."""
        if not self._thread.wait(2 * DEADLINE):
            msg = "the schedule never opened this gate"
            raise TimeoutError(msg)

    async def wait(self) -> None:
        """Wait on the loop."""
        await self._loop.wait()


class Harness:
    """One program on one session.

    Attributes:
        trace: What the model says, given the cancellations so far.
        problems: What went wrong inside bodies, where raising would only change the program.
    """

    def __init__(self, session: Session, program: Program) -> None:
        self.session = session
        self.program = program
        self.trace: Trace = execute(program.runs, program.initial)
        family = [spec for top in program.runs for spec in (top, *top.children)]
        self.specs = {spec.name: spec for spec in family}
        self.gates = {name: Gate() for name in self.specs}
        self.handles: dict[str, Run] = {}
        self.tasks: dict[str, asyncio.Task[object]] = {}
        self.errors: dict[str, BaseException | None] = {}
        self.seen: dict[str, View] = {}
        self.seen_after: dict[str, View] = {}
        self.problems: list[str] = []
        self.cancelled: set[str] = set()
        self._submitted: set[str] = set()
        self._started: set[str] = set()
        self._left: set[str] = set()
        self._loop = asyncio.get_running_loop()
        self._pulse = asyncio.Event()
        self._loop.set_exception_handler(self._loop_problem)

    def _loop_problem(self, _loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        self.problems.append(f"loop exception handler: {context}")

    # Told from anywhere

    def _tell(self) -> None:
        self._loop.call_soon_threadsafe(self._pulse.set)

    def enter(self, name: str) -> None:
        """Note that a body has started; nothing that it had to wait for may still be going on."""
        trace = self.trace
        if name not in trace.outcomes or not trace.outcomes[name].started:
            self.problems.append(f"{name} started, but should not: {trace.outcomes.get(name)}")
        elif early := trace.waits(name)[0] - self._left:
            self.problems.append(f"{name} started before {sorted(early)} had ended")
        self._started.add(name)
        self._tell()

    def submitted(self, name: str) -> None:
        """Note that a run has been, or is about to be, submitted."""
        self._submitted.add(name)
        self._tell()

    def leave(self, name: str) -> None:
        """Note that a body is about to end."""
        self._left.add(name)

    def over(self, name: str, error: BaseException | None) -> None:
        """Note that a run has ended."""
        self.errors[name] = error
        self._tell()

    # Bodies

    def process_for(self, spec: Spec) -> Process:
        """Make the process that does what a spec says."""

        def body(ctx: Context) -> None:
            self.enter(spec.name)
            try:
                self.seen[spec.name] = look(ctx, spec)
                self.gates[spec.name].block()
                lost = self._children_in_thread(spec)
                self._act(ctx, spec, lost)
            finally:
                self.leave(spec.name)

        async def body_async(ctx: Context) -> None:
            self.enter(spec.name)
            try:
                self.seen[spec.name] = look(ctx, spec)
                await self.gates[spec.name].wait()
                lost = await self._children_on_loop(spec)
                self._act(ctx, spec, lost)
            finally:
                self.leave(spec.name)

        function: Callable[..., object] = body_async if spec.is_async else body
        function.__name__ = function.__qualname__ = spec.name
        return process(inputs=list(spec.inputs), outputs=list(spec.outputs))(function)

    def _children_in_thread(self, spec: Spec) -> BaseException | None:
        lost = None
        for child in spec.children:
            self.submitted(child.name)
            error: BaseException | None = None
            try:
                self.session.run_sync(self.process_for(child))
            except Exception as caught:  # noqa: BLE001 - whatever it is, the model knows it
                error = caught
            self.over(child.name, error)
            lost = lost or error
        return lost

    async def _children_on_loop(self, spec: Spec) -> BaseException | None:
        lost = None
        for child in spec.children:
            self.start(child)
        for child in spec.children:
            try:
                await self.handles[child.name]
            except Exception as caught:  # noqa: BLE001 - whatever it is, the model knows it
                lost = lost or caught
        return lost

    def _act(self, ctx: Context, spec: Spec, lost: BaseException | None) -> None:
        self.seen_after[spec.name] = view = look(ctx, spec)
        if lost is not None and not spec.tolerant:
            raise lost
        if spec.ending == "raise early":
            raise Boom(spec.name)
        for leaf in spec.writes:
            value = ctx[leaf] if view.get(leaf) is not None else None
            ctx[leaf] = changed(value, spec.name)
        if spec.ending == "raise late":
            raise Boom(spec.name)
        if spec.ending == "violate":
            with contextlib.suppress(UndeclaredReadError):  # which does not help
                ctx["secret.path"]

    # Steps

    def start(self, spec: Spec) -> None:
        """Submit a run by `Session.start`."""
        run = self.handles[spec.name] = self.session.start(self.process_for(spec))
        self.submitted(spec.name)
        run.add_done_callback(lambda done: self.over(spec.name, done.exception()))

    async def submit(self, spec: Spec) -> None:
        """Submit a top-level run, either way there is."""
        if spec.by_handle:
            self.start(spec)
            return
        task = asyncio.create_task(self.session.run(self.process_for(spec)))
        self.tasks[spec.name] = task
        task.add_done_callback(lambda done: self.over(spec.name, done.exception()))
        await asyncio.sleep(0)  # its first step, which submits, comes before ours
        self.submitted(spec.name)

    def cancel(self, name: str) -> None:
        """Cancel a waiting run; the model changes its mind first, bodies may start at once."""
        self.cancelled.add(name)
        self.trace = execute(self.program.runs, self.program.initial, frozenset(self.cancelled))
        self.handles[name].cancel("not needed any more")

    def openable(self) -> list[str]:
        """Return the bodies that wait at their gate."""
        return sorted(name for name in self._started if not self.gates[name].is_open)

    def cancellable(self) -> list[str]:
        """Return the runs with a handle that have not started and will not before the next step."""
        if len(self.cancelled) >= self.program.cancels:
            return []
        return sorted(
            name
            for name in self.handles
            if name not in self.errors
            and name not in self._started
            and self.trace.outcomes[name].started
        )

    # Waiting for the dust to settle

    async def settle(self) -> None:
        """Wait until no run can move; a run that could and does not is the failure we look for."""
        try:
            async with asyncio.timeout(DEADLINE):
                while self.movable():
                    self._pulse.clear()
                    if self.movable():
                        await self._pulse.wait()
        except TimeoutError:
            msg = f"nothing holds these runs, yet they do not move: {self.movable()}"
            raise AssertionError(msg) from None
        assert not self.problems, self.problems

    def movable(self) -> list[str]:
        """Return what has to happen without any further step, as far as it has not happened."""
        found = []
        for name in sorted(self._submitted - self.errors.keys()):
            spec = self.specs[name]
            if name not in self._started:
                if self.trace.waits(name)[1] <= self.errors.keys():
                    found.append(f"{name} should start, or end with an error")
            elif self.gates[name].is_open:
                going = [c.name for c in spec.children if c.name not in self.errors]
                first = going if spec.is_async else going[:1]
                if not going:
                    found.append(f"{name} should end")
                elif not self._submitted.issuperset(first):
                    found.append(f"{name} should submit {first}")
        return found

    async def play(self) -> None:
        """Play the program: one step after another, as its choices say, until all is over."""
        waiting = list(self.program.runs)
        choices = iter(self.program.choices)
        while True:
            await self.settle()
            steps: list[tuple[str, str]] = [("submit", "")] if waiting else []
            steps += [("open", name) for name in self.openable()]
            steps += [("cancel", name) for name in self.cancellable()]
            if not steps:
                break
            kind, name = steps[next(choices, 0) % len(steps)]
            if kind == "submit":
                await self.submit(waiting.pop(0))
            elif kind == "open":
                self.gates[name].open()
            else:
                self.cancel(name)
        left = self.gates.keys() & self._submitted - self.errors.keys()
        assert not left, f"these runs never ended: {sorted(left)}"

    def release(self) -> None:
        """Open everything, so that a failed test does not leave threads behind."""
        for gate in self.gates.values():
            gate.open()


def look(ctx: Context, spec: Spec) -> View:
    """Return copies of all that a body may read."""
    found: View = {}
    for leaf in LEAVES:
        if spec.reads(leaf):
            try:
                value = ctx[leaf]
            except MissingInputError:
                value = None  # beneath a declared branch, not every leaf needs to exist
            found[leaf] = None if value is None else list(value)
    return found
