"""Logs in other people's formats: Perfetto traces, CSV, Parquet."""

from __future__ import annotations

import csv
import dataclasses
import importlib
import json
from typing import TYPE_CHECKING, Any, Final

from theus_nb.errors import UnreadableLogError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from theus_nb.logs import Entry

COLUMNS: Final = (
    *("log", "seq", "ts", "mono", "kind", "run", "process", "lane", "cell", "detail", "synced"),
    *("prev", "hash"),
)
_ENDS: Final = {"run_finished", "run_failed", "run_cancelled", "run_abandoned"}
_MARKS: Final = {
    "note",
    "contract_denied",
    "loop_blocked",
    "signal_published",
    "file_written",
    "dropped",
}


def write_csv(logs: Mapping[str, Iterable[Entry]], out: Path) -> int:
    """Write logs as one CSV table, a row per entry, `detail` as JSON.

    Args:
        logs: The entries of each log, by its name.
        out: Where to; overwritten.

    Returns:
        How many rows were written.
    """
    count = 0
    with out.open("w", encoding="utf-8", errors="backslashreplace", newline="") as file:
        table = csv.DictWriter(file, COLUMNS)
        table.writeheader()
        for entry in _rows(logs):
            table.writerow(entry)
            count += 1
    return count


def write_parquet(logs: Mapping[str, Iterable[Entry]], out: Path) -> int:
    """Write logs as one Parquet table, a row per entry; it is in memory first.

    Args:
        logs: The entries of each log, by its name.
        out: Where to; overwritten.

    Returns:
        How many rows were written.

    Raises:
        UnreadableLogError: pandas, or what it writes Parquet with, is not installed.
    """
    try:
        import pandas as pd  # noqa: PLC0415 - only who exports Parquet needs it

        importlib.import_module("pyarrow")  # else pandas lists whatever it has tried
        frame = pd.DataFrame(list(_rows(logs)), columns=list(COLUMNS))
        frame = frame.astype({"cell": "Int64", "synced": "Int64"})
        frame.to_parquet(out, index=False)
    except ImportError as error:
        msg = (
            f"Parquet takes pandas and pyarrow, and {error.name} is missing: "
            "pip install pandas pyarrow, or export with --csv"
        )
        raise UnreadableLogError(msg) from error
    return len(frame)


def _rows(logs: Mapping[str, Iterable[Entry]]) -> Iterator[dict[str, Any]]:
    for log, entries in logs.items():
        for entry in entries:
            known: dict[str, Any] = {key: entry[key] for key in COLUMNS if key in entry}
            detail = json.dumps(entry["detail"], ensure_ascii=False) if "detail" in entry else None
            yield {**known, "log": log, "detail": detail}


@dataclasses.dataclass
class _Slice:
    """One run on its way into the trace; times are nanoseconds since the session began."""

    run: str
    name: str
    lane: str
    begin: int
    end: int | None = None
    track: int = 0
    notes: dict[str, Any] = dataclasses.field(default_factory=dict)


def write_perfetto(logs: Mapping[str, Iterable[Entry]], out: Path) -> int:
    """Write logs as a trace that ui.perfetto.dev and chrome://tracing open.

    A log is a process there, a lane a thread, a run a slice; runs that overlap on one lane get a
    track each. An arrow leads from the run that committed a version to each run that read it.

    Args:
        logs: The entries of each log, by its name.
        out: Where to; overwritten.

    Returns:
        How many runs were written.
    """
    events: list[dict[str, Any]] = []
    count = 0
    for number, (log, entries) in enumerate(logs.items(), start=1):
        trace = _Trace(number)
        for entry in entries:
            trace.take(entry)
        events += trace.events(log)
        count += len(trace.runs)
    document = {"traceEvents": events, "displayTimeUnit": "ms"}
    with out.open("w", encoding="utf-8", errors="backslashreplace") as file:
        json.dump(document, file, ensure_ascii=False)
    return count


class _Trace:
    """One log as trace events."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.runs: dict[str, _Slice] = {}
        self.last = 0
        self.written: dict[tuple[str, int], tuple[str, int]] = {}
        """Which run committed a version of a path, and when."""
        self.reads: list[tuple[str, str, int]] = []
        """Which run read which version of which path."""
        self.marks: list[Entry] = []

    def take(self, entry: Entry) -> None:
        """Take the next entry."""
        self.last = max(self.last, entry["mono"])
        kind, detail, run = entry["kind"], entry.get("detail", {}), entry.get("run")
        if kind in _MARKS:
            self.marks.append(entry)
        if not isinstance(run, str):
            return
        if kind == "run_started":
            self._slice(run, entry)
            reads = [read for read in _list(detail.get("reads")) if _is_read(read)]
            self.reads += [(run, path, version) for path, version in reads]
        elif kind in _ENDS:
            slice_ = self._slice(run, entry)
            slice_.begin = _int(detail.get("started"), slice_.begin)
            slice_.end = max(entry["mono"], slice_.begin)
            slice_.notes = {"status": kind.removeprefix("run_"), "error": detail.get("error")}
            slice_.notes["cell"] = entry.get("cell")
        elif kind == "state_committed":
            for written in _list(detail.get("paths")):
                if isinstance(written, dict) and isinstance(written.get("path"), str):
                    key = (written["path"], _int(detail.get("version"), -1))
                    self.written[key] = (run, entry["mono"])

    def _slice(self, run: str, entry: Entry) -> _Slice:
        name, lane = str(entry.get("process", run)), str(entry.get("lane", "?"))
        return self.runs.setdefault(run, _Slice(run, name, lane, entry["mono"]))

    def events(self, log: str) -> Iterator[dict[str, Any]]:
        """Yield everything, in the Chrome trace event format."""
        yield {"ph": "M", "pid": self.number, "name": "process_name", "args": {"name": log}}
        yield from self._tracks()
        for slice_ in self.runs.values():
            begin, end = slice_.begin, self._end(slice_)
            notes = {key: value for key, value in slice_.notes.items() if value is not None}
            yield {
                **self._at(slice_.track, begin),
                "ph": "X",
                "name": slice_.name,
                "cat": "run",
                "dur": (end - begin) / 1e3,
                "args": {"run": slice_.run, "status": "?", **notes},
            }
        yield from self._arrows()
        for mark in self.marks:
            run = self.runs.get(str(mark.get("run")))
            where = {"s": "t"} if run else {"s": "p"}
            at = self._at(run.track if run else 0, mark["mono"])
            yield {**at, **where, "ph": "i", "name": mark["kind"], "args": mark.get("detail", {})}

    def _at(self, track: int, time: int) -> dict[str, Any]:
        return {"pid": self.number, "tid": track, "ts": time / 1e3}

    def _end(self, slice_: _Slice) -> int:
        return max(self.last, slice_.begin) if slice_.end is None else slice_.end

    def _tracks(self) -> Iterator[dict[str, Any]]:
        """Give each run a track: the first of its lane that is free then."""
        free: dict[str, list[tuple[int, int]]] = {}
        number = 0
        for slice_ in sorted(self.runs.values(), key=lambda one: (one.begin, self._end(one))):
            tracks = free.setdefault(slice_.lane, [])
            place = next((i for i, (_, end) in enumerate(tracks) if end <= slice_.begin), None)
            if place is None:
                number += 1
                place = len(tracks)
                tracks.append((number, 0))
                label = slice_.lane if not place else f"{slice_.lane} ({place + 1})"
                name = {"ph": "M", "pid": self.number, "tid": number, "args": {"name": label}}
                yield {**name, "name": "thread_name"}
            slice_.track = tracks[place][0]
            tracks[place] = (slice_.track, self._end(slice_))

    def _arrows(self) -> Iterator[dict[str, Any]]:
        for count, (run, path, version) in enumerate(self.reads):
            writer, when = self.written.get((path, version), (None, 0))
            if writer not in self.runs or writer == run:
                continue
            source, target = self.runs[writer], self.runs[run]
            same = {"cat": "data", "name": f"{path} v{version}", "id": self.number << 32 | count}
            # An arrow is attached to the slice that covers its time.
            leave = min(max(when, source.begin), self._end(source))
            yield {**self._at(source.track, leave), **same, "ph": "s"}
            yield {**self._at(target.track, target.begin), **same, "ph": "f", "bp": "e"}


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _int(value: object, otherwise: int) -> int:
    return value if isinstance(value, int) else otherwise


def _is_read(value: object) -> bool:
    match value:
        case [str(), int()]:
            return True
        case _:
            return False
