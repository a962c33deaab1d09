"""Where an audit log goes: settled once, when a session is made."""

from __future__ import annotations

import dataclasses
import errno
import os
import pathlib
import time
from typing import Final

from theus_nb.errors import AuditError

DIRECTORY_VARIABLE: Final = "THEUS_AUDIT_DIR"
"""Names the directory for logs of sessions that do not say."""

_DEFAULT: Final = pathlib.Path(".theus", "audit")


@dataclasses.dataclass(frozen=True)
class Place:
    """Where a session's log is, or will be.

    Attributes:
        session: Identifier of the session, unique in the world.
        base: Directory in which logs lie side by side; None for memory.
        name: Name of this log's own directory in it.
        is_default: Whether nobody asked for this place, by an argument or in the environment.
    """

    session: str
    base: pathlib.Path | None
    name: str
    is_default: bool

    @property
    def directory(self) -> pathlib.Path | None:
        """The log's own directory; None in memory."""
        return None if self.base is None else self.base / self.name


def find_place(
    directory: str | os.PathLike[str] | None, *, on_disk: bool, counted_on: bool = False
) -> Place:
    """Settle where a log goes.

    A place given by argument is made and tried, one that the environment names is only tried: it
    is made at the first entry, as the default is.

    Args:
        directory: What the session was told; None for the environment's, or the default.
        on_disk: Whether the log goes to disk at all.
        counted_on: Whether memory will not do: then the default is tried as well.

    Raises:
        AuditError: The place cannot be written to, and it was asked for or is counted on.
    """
    session = os.urandom(4).hex()
    name = f"{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}-{session}"
    if not on_disk:
        if directory is not None:
            msg = "audit=False keeps the log in memory, audit_dir puts it on disk: give one of them"
            raise AuditError(msg)
        return Place(session, None, name, is_default=False)
    named = os.environ.get(DIRECTORY_VARIABLE)
    is_default = directory is None and not named
    try:
        # Resolved now: a notebook may change its directory before the first entry.
        base = pathlib.Path(named or _DEFAULT if directory is None else directory).absolute()
    except TypeError as error:
        msg = f"audit_dir is the path of a directory, not {directory!r}"
        raise AuditError(msg) from error
    if directory is not None:
        _try_out("audit_dir", base, make=True)
    elif named or counted_on:
        _try_out(DIRECTORY_VARIABLE if named else "the default audit_dir", base, make=False)
    return Place(session, base, name, is_default=is_default)


def _try_out(what: str, base: pathlib.Path, *, make: bool) -> None:
    """Refuse a place that cannot be written to; make it, or look whether it could be made."""
    try:
        if make:
            base.mkdir(parents=True, exist_ok=True)
        there = base
        while not os.path.lexists(there):
            there = there.parent
        if not there.is_dir():
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(there))
        writable = os.access(there, os.W_OK | os.X_OK)
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        msg = f"{what} {str(base)!r} cannot be used for logs ({error}): give a directory"
        raise AuditError(msg) from error
    if not writable:
        msg = (
            f"{what} {str(base)!r} cannot be written to: give another directory, or keep the "
            "log in memory with audit=False"
        )
        raise AuditError(msg)
