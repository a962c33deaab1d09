"""Where an audit log goes, and with which key: settled once, when a session is made."""

from __future__ import annotations

import dataclasses
import os
import pathlib
import time
from typing import Final

from theus_nb.errors import AuditError
from theus_nb.key_file import read_key_file

DIRECTORY_VARIABLE: Final = "THEUS_AUDIT_DIR"
"""Names the directory for logs of sessions that do not say."""

KEY_VARIABLE: Final = "THEUS_AUDIT_KEY_FILE"
"""Names the file that holds the key. The key itself in the environment would reach every child."""

_DEFAULT: Final = pathlib.Path(".theus", "audit")


@dataclasses.dataclass(frozen=True)
class Place:
    """Where a session's log is, or will be.

    Attributes:
        session: Identifier of the session, unique in the world.
        base: Directory in which logs lie side by side; None for memory.
        name: Name of this log's own directory in it.
        is_default: Whether nobody asked for this place by an argument.
    """

    session: str
    base: pathlib.Path | None
    name: str
    is_default: bool

    @property
    def directory(self) -> pathlib.Path | None:
        """The log's own directory; None in memory."""
        return None if self.base is None else self.base / self.name


def find_place(directory: str | os.PathLike[str] | None, *, on_disk: bool) -> Place:
    """Settle where a log goes. A place that was asked for is made and tried; the default is not.

    Args:
        directory: What the session was told; None for the default.
        on_disk: Whether the log goes to disk at all.

    Raises:
        AuditError: The place that was asked for cannot be written to.
    """
    session = os.urandom(4).hex()
    name = f"{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}-{session}"
    if not on_disk:
        if directory is not None:
            msg = "audit=False keeps the log in memory, audit_dir puts it on disk: give one of them"
            raise AuditError(msg)
        return Place(session, None, name, is_default=False)
    if directory is None:
        chosen = pathlib.Path(os.environ.get(DIRECTORY_VARIABLE) or _DEFAULT)
        # Resolved now: a notebook may change its directory before the first entry.
        return Place(session, chosen.absolute(), name, is_default=True)
    base = pathlib.Path(directory).absolute()
    _try_out(base)
    return Place(session, base, name, is_default=False)


def _try_out(base: pathlib.Path) -> None:
    try:
        base.mkdir(parents=True, exist_ok=True)
        writable = os.access(base, os.W_OK | os.X_OK)
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        msg = f"audit_dir {str(base)!r} cannot be used for logs ({error}): give a directory"
        raise AuditError(msg) from error
    if not writable:
        msg = (
            f"audit_dir {str(base)!r} cannot be written to: give another directory, or keep the "
            "log in memory with audit=False"
        )
        raise AuditError(msg)


def read_key() -> bytes | None:
    """Return the key for the chain, from the file named in the environment; None without one.

    Raises:
        AuditError: The file cannot be read, others could read it too, or it holds no key.
    """
    named = os.environ.get(KEY_VARIABLE)
    if not named:
        return None
    return read_key_file(named, f"the audit key file {named!r} ({KEY_VARIABLE})", AuditError)
