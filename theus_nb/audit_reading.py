"""Reading a log that is being written: its files, and times as they stand in them."""

from __future__ import annotations

import datetime as dt
import json
from typing import TYPE_CHECKING, Any, Final

from theus_nb.contract import did_you_mean
from theus_nb.errors import AuditError

if TYPE_CHECKING:
    import pathlib
    from collections.abc import Iterable, Iterator

    import pandas as pd


KINDS: Final = (
    "session_started", "session_ended", "process_defined",
    "run_started", "run_finished", "run_failed", "run_cancelled", "run_abandoned", "run_retried",
    "contract_denied", "state_committed", "signal_published", "commit_intent", "file_written",
    "loop_blocked", "note", "dropped",
)  # fmt: skip
"""What entries can be of; ``docs/audit-format.md`` says what each of them holds."""


def as_utc(since: dt.datetime | dt.timedelta | str) -> str:
    """Return a time as the log writes it, so that texts can be compared.

    Raises:
        AuditError: This is no time.
    """
    try:
        if isinstance(since, dt.timedelta):
            since = dt.datetime.now(dt.UTC) - since
        elif isinstance(since, str):
            since = dt.datetime.fromisoformat(since)
        return f"{since.astimezone(dt.UTC):%Y-%m-%dT%H:%M:%S.%f}"
    except (AttributeError, ValueError, OverflowError) as error:
        msg = f"since is a datetime, a timedelta or an ISO text, not {since!r}"
        raise AuditError(msg) from error


def select(
    entries: Iterable[dict[str, Any]],
    process: str | None,
    kind: str | None,
    since: dt.datetime | dt.timedelta | str | None,
) -> list[dict[str, Any]]:
    """Return the entries that match everything that is not None.

    Raises:
        AuditError: No entry is ever of this kind, or this is no time.
    """
    if kind is not None and kind not in KINDS:
        meant = did_you_mean(str(kind), KINDS) or f"; there are {', '.join(KINDS)}"
        msg = f"no entry is of kind {kind!r}{meant}"
        raise AuditError(msg)
    earliest = None if since is None else as_utc(since)
    return [
        entry
        for entry in entries
        if (process is None or entry.get("process") == process)
        and (kind is None or entry["kind"] == kind)
        and (earliest is None or entry["ts"] >= earliest)
    ]


def read_files(directory: pathlib.Path) -> Iterator[dict[str, Any]]:
    """Yield the complete entries of a log's files; the last line may be on its way."""
    for path in sorted(directory.glob("*.jsonl")):
        with path.open("rb") as file:
            for line in file:
                if line.endswith(b"\n"):
                    yield json.loads(line)


def as_frame(entries: Iterable[dict[str, Any]]) -> pd.DataFrame:
    """Return entries as a pandas DataFrame, one row each, ``ts`` as times in UTC."""
    import pandas as pd  # noqa: PLC0415 - only whoever wants a frame pays for it

    columns = ["seq", "ts", "mono", "kind", "run", "process", "lane", "cell", "detail"]
    frame = pd.DataFrame(entries, columns=[*columns, "prev", "hash"])
    frame["ts"] = pd.to_datetime(frame["ts"], utc=True, format="ISO8601")
    frame["cell"] = frame["cell"].astype("Int64")
    return frame
