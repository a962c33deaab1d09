"""Reading a log that is being written: its files, and times as they stand in them."""

from __future__ import annotations

import datetime as dt
import json
from typing import TYPE_CHECKING, Any

from theus_nb.errors import AuditError

if TYPE_CHECKING:
    import pathlib
    from collections.abc import Iterable, Iterator

    import pandas as pd


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
