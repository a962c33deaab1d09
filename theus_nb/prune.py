"""Removing old logs, and leaving behind what they were."""

from __future__ import annotations

import dataclasses
import json
import os
import re
import shutil
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from theus_nb.errors import UnreadableLogError
from theus_nb.logs import entries, find_logs
from theus_nb.proof import checkpoint_lines, verify

if TYPE_CHECKING:
    from pathlib import Path

_UNITS: Final = {"h": "hours", "d": "days", "w": "weeks"}
PRUNED: Final = "pruned.jsonl"
_HIDDEN: Final = ".pruned-"
"""Logs are given this name before they are removed: half a log would look tampered with."""


@dataclasses.dataclass(frozen=True)
class Pruned:
    """What pruning did.

    Attributes:
        removed: Names of the logs that are gone.
        kept: Names of those that are old and stay, each with the reason.
    """

    removed: tuple[str, ...]
    kept: dict[str, str]


def parse_age(text: str) -> timedelta:
    """Read ``30d``, ``12h`` or ``4w``.

    Args:
        text: A whole number and a unit.

    Raises:
        ValueError: It is not written like that.
    """
    match = re.fullmatch(r"(\d{1,6})([hdw])", text)
    if match is None:
        msg = f"{text!r} is no age: write 12h, 30d or 4w"
        raise ValueError(msg)
    return timedelta(**{_UNITS[match[2]]: int(match[1])})


def prune(
    directory: Path, keep: timedelta, *, key: bytes | None = None, now: datetime | None = None
) -> Pruned:
    """Remove the logs of sessions that ended long ago, and record their last entries.

    Each is verified first, and its checkpoint appended to ``pruned.jsonl`` and synced before
    anything is removed. A log without a session end stays, for its session may still run; so does
    one that is not consistent, as it is evidence.

    Args:
        directory: A directory with logs.
        keep: Sessions that ended less than this ago are kept.
        key: What the logs were written with, if they were.
        now: The present, for tests.

    Returns:
        What is gone, and what is old and stays.

    Raises:
        UnreadableLogError: There are no logs, or it is a single one, or none can be judged.

    *Cancellation:* between two logs; one that was begun is hidden and removed by the next pruning.
    """
    now = now or datetime.now(UTC)
    logs = find_logs(directory)
    if any(files[0].parent.resolve() == directory.resolve() for files in logs.values()) or (
        not directory.is_dir()
    ):
        msg = f"'{directory}' is one log, and pruning takes the directory that the logs lie in"
        raise UnreadableLogError(msg)
    for leftover in directory.glob(f"{_HIDDEN}*"):
        shutil.rmtree(leftover)
    limit = _before(now, keep)
    removed, kept = [], {}
    for report in verify(directory, key=key).logs:
        if report.log not in logs:
            continue
        if report.unreadable is not None:
            kept[report.log] = report.unreadable
        elif report.head is None or not report.ended:
            if _changed(logs[report.log]) < limit:
                kept[report.log] = "no session end: it may still be written"
        elif _ended(logs[report.log]) >= limit:
            continue
        elif not report.ok:
            kept[report.log] = "not consistent: it is evidence, see theus-nb verify"
        else:
            line = json.loads(checkpoint_lines([report], now)) | {"pruned": now.isoformat()}
            _append(directory / PRUNED, json.dumps(line, separators=(",", ":")) + "\n")
            hidden = directory / f"{_HIDDEN}{report.log}"
            (directory / report.log).rename(hidden)
            shutil.rmtree(hidden)
            removed.append(report.log)
    return Pruned(tuple(removed), kept)


def _before(now: datetime, keep: timedelta) -> datetime:
    try:
        return now - keep
    except OverflowError:  # nothing is that old
        return datetime.min.replace(tzinfo=UTC)


def _ended(files: list[Path]) -> datetime:
    """Return when a verified log ended: the time of its last entry."""
    *_, last = entries(files[-1:])
    # Nanoseconds are more than datetime reads.
    return datetime.fromisoformat(last["ts"][:26] + "Z")


def _changed(files: list[Path]) -> datetime:
    return datetime.fromtimestamp(files[-1].stat().st_mtime, UTC)


def _append(path: Path, text: str) -> None:
    with path.open("a", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
