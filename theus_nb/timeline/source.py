"""Where the timeline gets its facts from: the engine's feed, the audit log, the loop."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Protocol

from theus_nb._core import Feed
from theus_nb.errors import TheusError
from theus_nb.timeline.facts import (
    LONGEST,
    cells_of,
    contract_facts,
    entries_of,
    error_text,
    missing_arguments,
    record_facts,
)
from theus_nb.timeline.model import Packed, Table

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

    from theus_nb._core import Engine, Run
    from theus_nb.audit import Audit
    from theus_nb.registry import Registry
    from theus_nb.watch import LoopWatch

REASON: Final = "cancelled in the timeline"

GLANCE: Final = 0.1
"""Seconds to wait at most until the log's lines have caught up; on a disk that does not stall it
takes a fraction of a millisecond."""

CHANGES: Final = 1 << 18
"""Changes of runs that are kept, all of which a picture may show."""

CHANGES_EACH: Final = 8
"""Changes of a run, with what it reads, from its submission to its end; mostly fewer."""

LINES: Final = 20_000
"""Entries among which those of one run are looked for."""


class AuditTail(Protocol):
    """The newest entries of an audit log, still in memory."""

    def lines(self, after: int, limit: int) -> list[str]:
        """Return raw lines with a number greater than ``after``, oldest first."""

    def position(self) -> tuple[int, int, int]:
        """Return the next number, the last one on disk (-1: none), and how many were dropped."""

    def settle(self, timeout: float) -> bool:
        """Wait until what was recorded is among the lines, at most so many seconds."""


class Owner(Protocol):
    """The session, as far as the timeline acts on it."""

    @property
    def audit(self) -> Audit:
        """Its log."""

    @property
    def watch(self) -> LoopWatch:
        """Knows cells by the file names of their code."""

    def start(self, process: object, /) -> Run:
        """Submit a process."""


class Source:
    """One session, as the timeline sees it.

    Args:
        engine: Runs it.
        registry: The processes by name.
        audit: The log; None where there is none.
        loop: Returns the session's loop, or None while it has none.
        owner: Does what the user asks for in the timeline.
    """

    def __init__(
        self,
        engine: Engine,
        registry: Registry,
        audit: AuditTail | None,
        loop: Callable[[], asyncio.AbstractEventLoop | None],
        owner: Owner,
    ) -> None:
        self._engine = engine
        self._feed = Feed(engine)
        self._registry = registry
        self._owner = owner
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

    def table(self, newest: int | None = None) -> Table:
        """Return the runs that are still known.

        Args:
            newest: As many of the newest are enough; by default all of them. There may be more.
        """
        self.open()
        # Reading all takes half a second where many are kept; a run changes a few times.
        first = 0 if newest is None else self._feed.before(CHANGES_EACH * newest)
        table = Table()
        table.apply(self.read(first, 0, CHANGES))
        if newest is not None and len(table.rows) < newest and first > 0:
            return self.table()
        return table

    def newest(self, count: int) -> list[str] | None:
        """Return the newest entries of the log as lines; None where there is no log."""
        if self.audit is None:
            return None
        # What a run that has just ended recorded may not be a line yet.
        self.audit.settle(GLANCE)
        return self.audit.lines(self.audit.position()[0] - count - 1, count)

    def blocked(self) -> list[tuple[int, int, str]]:
        """Return from when to when the loop was held up (session's ns), and where it was."""
        return [
            (int(one.start * 1e9), int(one.start * 1e9 + one.ms * 1e6), one.where)
            for one in list(self._owner.watch.blocks)
        ]

    # -- what users ask for ------------------------------------------------------------------

    def cancel(self, number: int | None) -> int:
        """Ask for the end of one run, or of all; return how many were asked.

        From any thread: what executes in a worker is given up at once, even while the loop is
        held up; a coroutine ends when its loop comes to it.
        """
        runs = [r for r in self._engine.unfinished() if number is None or r.number == number]
        return sum(run.cancel(REASON) for run in runs)

    def again(self, process: str) -> str:
        """Start a process anew, as ``theus.start`` does; return what came of it, in words."""
        try:
            missing = missing_arguments(self._registry.get(process))
            if missing:
                listed = ", ".join(missing)
                return f"Not started: {process} takes arguments ({listed}). Run it from a cell."
            run = self._owner.start(process)
        except TheusError as error:
            return f"Not started: {error}"
        # Its end is seen here: nobody else waits for it, and nobody else need be told.
        run.add_done_callback(lambda ended: ended.cancelled() or ended.exception())
        return f"{process} was started again, as {run.id}."

    def verify(self) -> dict[str, Any]:
        """Prove the log on disk. Blocks for about a second per million entries.

        Returns:
            ``ok``, None where nothing can be said; few ``words``; the whole ``text``.
        """
        durable = self.audit.position()[1] if self.audit is not None else -1
        try:
            verdict = self._owner.audit.verify()
        except (TheusError, OSError) as error:
            return {"ok": None, "words": "cannot be verified", "text": str(error)}
        [head] = [-1 if log.head is None else log.head[0] for log in verdict.logs]
        if not verdict.ok:
            return {"ok": False, "words": "✕ NOT CONSISTENT", "text": verdict.text}
        if head < durable:
            # By itself the log cannot tell this from a power loss; we know that there was none.
            text = f"entries to #{durable} were durable, and those after #{head} no longer fit"
            return {"ok": False, "words": "✕ NOT CONSISTENT", "text": text}
        return {"ok": True, "words": f"✓ verified to #{head}", "text": verdict.text}

    def details(self, number: int, process: str) -> dict[str, Any]:
        """Return what else is known of a run.

        Returns:
            ``facts``: names with what is said under them; ``texts``: the same, longer ones;
            ``cells``: numbers of cells, with what the run has to do with them.
        """
        cell_of = self._owner.watch.cell_of
        known = self._registry.get(process) if process in self._registry else None
        entries = entries_of(number, self.newest(LINES) or ())
        facts: list[tuple[str, str]] = []
        for run in self._engine.unfinished():
            if run.number == number and not run.started_ns:
                facts += [("waits for", f"{b.name} ({b.id})") for b in self._engine.blockers(run)]
        if known is not None:
            facts += contract_facts(known)
        for run_number, *_, started, ended, cpu, waited in self._engine.spans():
            if run_number == number:
                facts += record_facts(ended - started if started else 0, cpu, waited, entries)
        error = error_text(entries, cell_of)
        texts = [] if error is None else [("error", error)]
        if known is not None and known.source:
            texts.append(("source", known.source[:LONGEST]))
        cells = cells_of(entries, known, cell_of)
        return {"run": number, "facts": facts, "texts": texts, "cells": list(cells.items())}
