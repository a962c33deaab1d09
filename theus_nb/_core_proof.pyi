"""The proof of audit logs: a part of `_core`, which has it at run time."""

from typing import Any

from theus_nb._core import Run

def verify_logs(
    path: str, *, key: bytes | None, checkpoints: str | None, run: Run | None = None
) -> list[dict[str, Any]]:
    """Verify an audit log, one segment of it, or a directory of logs.

    Every line is hashed, on all processors and with the interpreter released, and every link is
    checked. Nothing is written; a log that is being written is read as far as it is at the call.

    Args:
        path: A segment, a directory with segments, or a directory with such directories.
        key: What the log was written with; None for a log without one.
        checkpoints: The text of a checkpoint file, one JSON object per line.
        run: In whose body this is called, if in any.

    Returns:
        One dictionary per log, by name, with the fields of ``theus_nb.verdict.LogReport``.

    Raises:
        UnreadableLogError: Nothing can be said: unreadable, foreign, another format version, keyed
            and no key given, or an unusable checkpoint. In a directory, only if that is so of all.
        RunCancelledError: The run is to stop.

    Cancellation: seen every few megabytes, and raised: an interrupt in the main thread, and the
        cancellation of the run in any.
    """
