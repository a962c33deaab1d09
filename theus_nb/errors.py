"""Every exception of theus_nb, under one base.

The tree::

    TheusError
    ├── ContractError (ValueError)              a definition that cannot stand
    │   └── PathShapeError                      a path would hold a value and children
    ├── ContractViolationError (PermissionError) a run broke its contract
    │   ├── UndeclaredReadError
    │   ├── UndeclaredWriteError
    │   └── UndeclaredSideEffectError
    ├── OutputError (ValueError)                what a process returned does not fit its outputs
    │   └── MissingOutputError
    ├── MissingInputError (LookupError)         an input was never written
    ├── UnknownProcessError (LookupError)
    ├── ConflictError (RuntimeError)
    │   └── NotebookConflictError               a plain cell rebound an output meanwhile
    ├── UpstreamError (RuntimeError)            an input's producer failed
    ├── DeadlockError (RuntimeError)            awaiting would never end
    ├── RunCancelledError (RuntimeError)        the run was cancelled, not the task that awaits it
    ├── RunTimeoutError (TimeoutError)          the body took longer than its process allows
    ├── RunEndedError (RuntimeError)            a context used after its run has ended
    ├── LaggedError (RuntimeError)              a subscriber was too slow and lost values
    ├── FileWriteError (OSError)                a file could not be written
    │   ├── NoDirectoryError (FileNotFoundError)
    │   ├── NotAFileError (IsADirectoryError)
    │   └── FileDeniedError (PermissionError)
    ├── RunPendingError (asyncio.InvalidStateError)  a result asked for too early
    ├── UnreadableLogError (ValueError)         nothing can be said about an audit log
    ├── AuditError (RuntimeError)               the audit log cannot be had, or cannot hold this
    │   └── AuditWriteError                     what was to be made durable is not
    └── SessionError (RuntimeError)
        ├── SessionClosedError
        ├── SignalClosedError
        ├── ForkedProcessError
        ├── AbandonedThreadsError               too many threads that cannot be stopped
        └── SyncEntryError                      run_sync where only await can work

Each message says what happened, where (process, path, cell, line) and what to do.
"""

from __future__ import annotations

import asyncio


def text_of(error: BaseException) -> str:
    """Return the text of an exception, whatever its ``__str__`` does.

    Args:
        error: Any exception, a user's among them.
    """
    try:
        return str(error)
    except KeyboardInterrupt:
        raise
    except BaseException as failed:  # noqa: BLE001 - SystemExit, too: an error is being told of
        return f"<its text cannot be made: {type(failed).__name__}>"


class TheusError(Exception):
    """Base of everything theus_nb raises on purpose.

    Attributes:
        process: Name of the process concerned, if there is one.
        path: The state path concerned, if there is one.
        run_id: Identifier of the run concerned (``"r7"``), if there is one.
    """

    def __init__(
        self,
        message: str,
        *,
        process: str | None = None,
        path: str | None = None,
        run_id: str | None = None,
    ) -> None:
        super().__init__(message)
        self.process = process
        self.path = path
        self.run_id = run_id


class ContractError(TheusError, ValueError):
    """A process definition, a contract or an option that cannot stand."""


class PathShapeError(ContractError):
    """A path would hold a value and have children at the same time."""


class ContractViolationError(TheusError, PermissionError):
    """A run touched something its contract does not declare."""


class UndeclaredReadError(ContractViolationError):
    """A run read a path (or a notebook variable) that is not among its inputs."""


class UndeclaredWriteError(ContractViolationError):
    """A run wrote a path that is not among its outputs."""


class UndeclaredSideEffectError(ContractViolationError):
    """A run published a signal or wrote a file that is not among its side effects."""


class OutputError(TheusError, ValueError):
    """What a process returned cannot be laid over its declared outputs."""


class MissingOutputError(OutputError):
    """A required output was never written by the run that declares it."""


class MissingInputError(TheusError, LookupError):
    """An input path has never been written."""


class UnknownProcessError(TheusError, LookupError):
    """No process has this name."""


class ConflictError(TheusError, RuntimeError):
    """A commit met a value it did not expect."""


class NotebookConflictError(ConflictError):
    """A plain cell rebound a notebook variable that a run was about to write."""


class UpstreamError(TheusError, RuntimeError):
    """An input is failed: the run that should have produced it did not succeed."""


class DeadlockError(TheusError, RuntimeError):
    """Awaiting this run could never end, because it waits for the awaiter."""


class RunCancelledError(TheusError, RuntimeError):
    """The awaited run was cancelled (the awaiting task was not)."""


class RunTimeoutError(TheusError, TimeoutError):
    """The body of a run took longer than the timeout of its process."""


class RunEndedError(TheusError, RuntimeError):
    """A context was used after the run it belongs to had ended."""


class LaggedError(TheusError, RuntimeError):
    """Values came faster than a subscriber took them, and the oldest were lost.

    Attributes:
        missed: How many were lost before the next value.
    """

    def __init__(self, message: str, *, missed: int = 0, **about: str | None) -> None:
        super().__init__(message, **about)
        self.missed = missed


class FileWriteError(TheusError, OSError):
    """A file could not be written; it is as it was unless the message says otherwise."""

    def __str__(self) -> str:
        """Return the message; a plain OSError with a number shows the system's words instead."""
        return str(self.args[0])


class NoDirectoryError(FileWriteError, FileNotFoundError):
    """The directory in which a file was to be written does not exist."""


class NotAFileError(FileWriteError, IsADirectoryError):
    """The path is a directory, a device or something else that is no regular file."""


class FileDeniedError(FileWriteError, PermissionError):
    """The file, its directory or the file system is read-only."""


class RunPendingError(TheusError, asyncio.InvalidStateError):
    """The result of a run was asked for before there was one."""


class UnreadableLogError(TheusError, ValueError):
    """Nothing can be said about an audit log: unreadable, foreign, keyed, of another version."""


class AuditError(TheusError, RuntimeError):
    """The audit log cannot be opened or read, or an entry cannot be recorded."""


class AuditWriteError(AuditError):
    """The disk refused the audit log; nothing is written to that log any more."""


class SessionError(TheusError, RuntimeError):
    """The session cannot do this in its present state."""


class SessionClosedError(SessionError):
    """The session was used after ``Session.close()``."""


class SignalClosedError(SessionError):
    """Nothing is published, or will come, any more."""


class ForkedProcessError(SessionError):
    """The session was used in a forked child; it belongs to the process that made it."""


class AbandonedThreadsError(SessionError):
    """Too many threads could not be stopped; new sync runs are refused until some have ended."""


class SyncEntryError(SessionError):
    """``run_sync`` was called where only ``await`` can work."""
