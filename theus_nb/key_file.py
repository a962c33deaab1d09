"""Reading the key of an audit chain: one rule for who writes a log and for who verifies it."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from theus_nb.errors import TheusError

KEY_VARIABLE: Final = "THEUS_AUDIT_KEY_FILE"
"""Names the file that holds the key. The key itself in the environment would reach every child."""

_LEAST: Final = 16
_MOST: Final = 4096


def key_of_environment(refusal: type[TheusError]) -> bytes | None:
    """Return the key from the file that the environment names; None if it names none.

    Args:
        refusal: What is raised.

    Raises:
        TheusError: As for `read_key_file`.
    """
    named = os.environ.get(KEY_VARIABLE)
    if not named:
        return None
    return read_key_file(named, f"the audit key file {named!r} ({KEY_VARIABLE})", refusal)


def read_key_file(path: str | os.PathLike[str], where: str, refusal: type[TheusError]) -> bytes:
    """Return all bytes of a file that only its owner may read, but line ends behind.

    Args:
        path: The file; its mode must be 0600 (or 0400).
        where: What the file is, for messages.
        refusal: What is raised.

    Raises:
        TheusError: It cannot be read, others may read it, or it has not 16 to 4096 bytes.
    """
    try:
        with open(path, "rb") as file:  # noqa: PTH123 - any path-like, read once
            mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
            key = file.read(_MOST + 1)
    except OSError as error:
        msg = f"{where} cannot be read: {error.strerror}"
        raise refusal(msg) from error
    if os.name == "posix" and mode & 0o077:
        msg = (
            f"{where} has mode {mode:04o}: others may read it, so it proves nothing. "
            f"chmod 600 {os.fspath(path)}, and take a new key if others have read it"
        )
        raise refusal(msg)
    key = key.rstrip(b"\r\n")
    if not _LEAST <= len(key) <= _MOST:
        msg = f"{where} holds {len(key)} bytes; a key has {_LEAST} to {_MOST}"
        raise refusal(msg)
    return key
