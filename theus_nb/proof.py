"""Proving what a log says: verification, checkpoints, keys."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from theus_nb import _core
from theus_nb.access import current
from theus_nb.errors import UnreadableLogError
from theus_nb.key_file import read_key_file
from theus_nb.verdict import LogReport, Verdict

if TYPE_CHECKING:
    from collections.abc import Iterable


def verify(
    path: str | os.PathLike[str],
    checkpoint: str | os.PathLike[str] | None = None,
    key: bytes | None = None,
) -> Verdict:
    """Verify an audit log, one segment of it, or a directory of logs.

    Reads everything once, checks every hash and every link, and compares with the checkpoint and,
    in a directory of logs, with what later logs have seen of earlier ones. Writes nothing. A log
    that is being written is read as far as it is now.

    Args:
        path: A segment, a directory with segments, or a directory with such directories.
        checkpoint: A file that `checkpoint` made, kept elsewhere since.
        key: What the log was written with. Given a key, a log written without one fails.

    Returns:
        The verdict. A log that was tampered with is a verdict, not an exception.

    Raises:
        UnreadableLogError: Nothing can be said: unreadable, foreign, another format version, keyed
            and no key given, or an unusable checkpoint. In a directory of logs one like that does
            not keep the others from being verified; its report says why.

    *Cancellation:* an interrupt ends it at once in the main thread, and in a process the end of the
    run, with a `RunCancelledError`. It blocks for about a second per million entries, without
    holding the interpreter.

    Example::

        verdict = verify(".theus/audit")
        print(verdict.ok, verdict.first_bad_seq)
    """
    text = None if checkpoint is None else _read_text(Path(checkpoint))
    access = current.get()
    run = None if access is None or access.ended else access.run
    reports = _core.verify_logs(os.fspath(path), key=key, checkpoints=text, run=run)
    return Verdict(tuple(LogReport.from_core(fields) for fields in reports))


def checkpoint_lines(logs: Iterable[LogReport], now: datetime | None = None) -> str:
    """Return the heads of logs as the text of a checkpoint file: one JSON object per line.

    Logs without an entry and pruned ones have no head and no line.

    Args:
        logs: Reports of logs with which nothing is wrong.
        now: When they were read; the present moment if not given.
    """
    time = (now or datetime.now(UTC)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    return "".join(
        json.dumps(
            {
                "format": 1,
                "log": log.log,
                "segment": segment,
                "seq": seq,
                "hash": hash_,
                "time": time,
            },
            separators=(",", ":"),
        )
        + "\n"
        for log in logs
        if log.head is not None
        for seq, hash_, segment in [log.head]
    )


def read_key(path: str | os.PathLike[str]) -> bytes:
    """Read an audit key: all bytes of a file that only its owner may read, but line ends behind.

    Args:
        path: The file; its mode must be 0600 (or 0400).

    Returns:
        16 to 4096 bytes.

    Raises:
        UnreadableLogError: It cannot be read, others may read it, or it is shorter or
            longer than that.
    """
    return read_key_file(path, f"the key file {os.fspath(path)!r}", UnreadableLogError)


def _read_text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        msg = f"the checkpoint cannot be read: {error}"
        raise UnreadableLogError(msg) from error
