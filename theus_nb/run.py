"""Records of runs: what ``theus.runs`` shows, without values."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, overload

from theus_nb._core import Run

if TYPE_CHECKING:
    from theus_nb._core import Engine


@dataclasses.dataclass(frozen=True, slots=True)
class RunRecord:
    """What is remembered of a run. It holds no values.

    Attributes:
        id: Identifier (``"r7"``).
        name: Name of the process; ``"theus.state"`` for an assignment outside of runs.
        lane: ``"loop"``, ``"cell"``, ``"worker 2"``, or ``""`` if it never reached one.
        status: ``waiting``, ``queued``, ``running``, ``finished``, ``failed``, ``cancelled``,
            ``abandoned``, or ``retried`` for an attempt that was followed by another one.
        parent: Identifier of the run in whose body it was started, or None.
        submitted: Seconds since the session began.
        started: Likewise; None if its body never started.
        ended: Likewise; None while it is unfinished.
        cpu: Seconds its worker thread computed; None on the loop, which is shared, and where it
            was not measured: reading that clock would cost processes of a few microseconds more
            than it tells.
        gil_wait: Seconds its worker thread waited for the interpreter before the body began.
    """

    id: str
    name: str
    lane: str
    status: str
    parent: str | None
    submitted: float
    started: float | None
    ended: float | None
    cpu: float | None = None
    gil_wait: float | None = None

    @property
    def elapsed(self) -> float | None:
        """Seconds from start to end; None where either is missing."""
        if self.started is None or self.ended is None:
            return None
        return self.ended - self.started


class Runs(Sequence[RunRecord]):
    """The last 1,000 finished runs and every unfinished one, in the order of their numbers."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def unfinished(self) -> list[Run]:
        """Return the handles of the runs that have not ended."""
        return self._engine.unfinished()

    def _records(self) -> list[RunRecord]:
        found = [
            RunRecord(
                id=f"r{number}",
                name=process,
                lane=lane,
                status=status,
                parent=None if parent is None else f"r{parent}",
                submitted=submitted / 1e9,
                started=started / 1e9 if started else None,
                ended=end / 1e9,
                cpu=None if cpu is None else cpu / 1e9,
                gil_wait=None if waited is None else waited / 1e9,
            )
            for (
                number,
                parent,
                process,
                lane,
                status,
                submitted,
                started,
                end,
                cpu,
                waited,
            ) in self._engine.spans()
        ]
        ended = {record.id for record in found if record.status != "retried"}
        for run in self._engine.unfinished():
            if run.id in ended:
                continue
            started = run.started_ns
            found.append(
                RunRecord(
                    id=run.id,
                    name=run.name,
                    lane=run.lane,
                    status=run.status,
                    parent=None,
                    submitted=run.submitted_ns / 1e9,
                    started=None if started is None else started / 1e9,
                    ended=None,
                )
            )
        # Attempts of one run stay in the order in which they ended.
        return sorted(found, key=lambda record: int(record.id[1:]))

    def __len__(self) -> int:
        return len(self._records())

    def __iter__(self) -> Iterator[RunRecord]:
        return iter(self._records())

    @overload
    def __getitem__(self, index: int) -> RunRecord: ...

    @overload
    def __getitem__(self, index: slice) -> list[RunRecord]: ...

    def __getitem__(self, index: int | slice) -> RunRecord | list[RunRecord]:
        return self._records()[index]

    def __repr__(self) -> str:
        rows = [
            f"  {r.id:>5}  {r.name:<24} {r.lane or '-':<10} {r.status:<10}"
            + (f" {r.elapsed:.3f} s" if r.elapsed is not None else "")
            for r in self._records()
        ]
        return "<Runs" + ("".join("\n" + row.rstrip() for row in rows) or " none yet") + ">"


__all__ = ["Run", "RunRecord", "Runs"]
