"""Where the timeline gets its facts from: the engine's feed, the audit log, the loop."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Protocol

from theus_nb._core import Feed
from theus_nb.timeline.model import Packed

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

    from theus_nb._core import Engine
    from theus_nb.registry import Registry

REASON: Final = "cancelled in the timeline"


class AuditTail(Protocol):
    """The newest entries of an audit log, still in memory."""

    def lines(self, after: int, limit: int) -> list[str]:
        """Return raw lines with a number greater than ``after``, oldest first."""

    def position(self) -> tuple[int, int, int]:
        """Return the next number, the last one on disk (-1: none), and how many were dropped."""


class Source:
    """One session, as the timeline sees it.

    Args:
        engine: Runs it.
        registry: The processes by name.
        audit: The log; None where there is none.
        loop: Returns the session's loop, or None while it has none.
    """

    def __init__(
        self,
        engine: Engine,
        registry: Registry,
        audit: AuditTail | None,
        loop: Callable[[], asyncio.AbstractEventLoop | None],
    ) -> None:
        self._engine = engine
        self._feed = Feed(engine)
        self._registry = registry
        self.audit = audit
        self.loop = loop

    def open(self) -> None:
        """Have changes kept from now on."""
        self._feed.open()

    def close(self) -> None:
        """Have them kept no longer."""
        self._feed.close()

    def read(self, cursor: int, names: int, limit: int) -> Packed:
        """Read what has changed."""
        return Packed(*self._feed.read(cursor, names, limit))

    def now(self) -> int:
        """Nanoseconds since the session began."""
        return self._engine.now()

    def cancel(self, number: int | None) -> int:
        """Ask for the end of one run, or of all; return how many were asked.

        From any thread: what executes in a worker is given up at once, even while the loop is
        held up; a coroutine ends when its loop comes to it.
        """
        runs = [r for r in self._engine.unfinished() if number is None or r.number == number]
        return sum(run.cancel(REASON) for run in runs)

    def details(self, number: int, process: str) -> dict[str, Any]:
        """Return what else is known of a run: its contract, its source, what it waits for."""
        found: dict[str, Any] = {"run": number}
        for run in self._engine.unfinished():
            if run.number == number and not run.started_ns:
                found["waits_for"] = [f"{b.name} ({b.id})" for b in self._engine.blockers(run)]
        if process in self._registry:
            known = self._registry.get(process)
            contract = known.contract
            found["inputs"] = [access.path for access in contract.inputs]
            found["outputs"] = [access.path for access in contract.outputs]
            found["side_effects"] = [*contract.side_effects]
            found["source"] = known.source[:20_000]
        return found
