"""Names of files: what a contract's pattern covers, and what to say when one cannot be written."""

from __future__ import annotations

import glob
import os
import pathlib
from fnmatch import fnmatchcase
from typing import Final

from theus_nb.errors import (
    ContractError,
    FileDeniedError,
    FileWriteError,
    NoDirectoryError,
    NotAFileError,
)


def file_name(path: object) -> str:
    """Return a path as text, or explain what is wrong with it.

    Raises:
        ContractError: Not a path.
        FileWriteError: A NUL or a lone surrogate in it, or no name at its end.
    """
    if not isinstance(path, str | bytes | os.PathLike):
        msg = f"a file is named by a str or a pathlib.Path, not {type(path).__name__}"
        raise ContractError(msg)
    name = os.fsdecode(path)
    if "\0" in name:
        msg = f"cannot write {name!r}: a file name cannot hold a NUL character"
        raise FileWriteError(msg, path=name)
    try:
        os.fsencode(name)
    except UnicodeEncodeError as error:
        bad = name[error.start]
        msg = (
            f"cannot write {name!r}: the system cannot encode {bad!r} in a file name; a name that "
            "came from it as bytes is taken as bytes"
        )
        raise FileWriteError(msg, path=name) from None
    if not name or name.endswith(("/", os.sep)):
        msg = f"cannot write {name!r}: that names a directory; add the name of a file"
        raise NotAFileError(msg, path=name)
    return name


def covers(pattern: str, place: str) -> bool:
    """Tell whether a declared pattern covers a file.

    Args:
        pattern: As declared after ``file:``; relative to the current directory. ``*`` stays
            within one directory, ``**`` stands for any number of them.
        place: The file, resolved.

    Example:
        >>> covers("/data/*.csv", "/data/a.csv"), covers("/data/*.csv", "/data/x/a.csv")
        (True, False)
    """
    whole = os.path.normpath(os.path.join(os.getcwd(), pattern))  # noqa: PTH109, PTH118 - text
    return _match(pathlib.PurePath(place).parts, pathlib.PurePath(whole).parts)


def _match(parts: tuple[str, ...], patterns: tuple[str, ...]) -> bool:
    if not patterns:
        return not parts
    if patterns[0] == "**":
        return any(_match(parts[at:], patterns[1:]) for at in range(len(parts) + 1))
    return bool(parts) and fnmatchcase(parts[0], patterns[0]) and _match(parts[1:], patterns[1:])


def declared_as(place: str) -> str:
    """Return what to declare for a resolved file: relative where it lies beneath this directory."""
    base = os.getcwd() + os.sep  # noqa: PTH109 - text
    return glob.escape(place.removeprefix(base))


_DURABILITY: Final = (
    "the new content is in place, but the disk did not confirm it: it may be gone after a loss of "
    "power. Look at the disk before anything else"
)

_ADVICE: Final = {
    "StorageFull": "the disk is full: make room and write it again",
    "QuotaExceeded": "your quota is used up: make room and write it again",
    "ReadOnlyFilesystem": "the file system is read-only: write somewhere else",
    "InvalidFilename": "the name is too long: shorten it",
}


def failure(path: str, step: str, kind: str, number: int | None, text: str) -> FileWriteError:
    """Say why a file could not be written, and what to do. Called by the Rust core.

    Args:
        path: The file.
        step: What was being done: ``"find"``, ``"create"``, ``"write"``, ``"sync"``,
            ``"rename"`` or ``"sync_directory"``.
        kind: Rust's name for the kind of error.
        number: The system's number for it, if it has one.
        text: The system's words.
    """
    path = os.fspath(path)
    place = os.path.dirname(path) or "."  # noqa: PTH120 - text
    cls: type[FileWriteError] = FileWriteError
    untouched = "the file is as it was"
    if step == "sync_directory":
        why, untouched = text, _DURABILITY
    elif (
        kind in ("NotFound", "NotADirectory")
        and step in ("find", "create")
        and not os.path.isdir(place)  # noqa: PTH112 - text; a system's own directory takes no file
    ):
        cls = NoDirectoryError
        why = f"there is no directory {place!r}: pathlib.Path({place!r}).mkdir(parents=True)"
    elif kind == "IsADirectory":
        cls, why = NotAFileError, "it is a directory: add the name of a file"
    elif kind == "InvalidInput" and step == "find":
        cls, why = NotAFileError, "it is no regular file (a device, a pipe or a socket)"
    elif kind in ("PermissionDenied", "ReadOnlyFilesystem"):
        cls = FileDeniedError
        what = "it is read-only" if step == "find" else f"no file can be made in {place!r}"
        why = _ADVICE.get(kind, f"{what}: change the permissions, or write somewhere else")
    else:
        why = _ADVICE.get(kind, f"{text} (while it was at {step!r})")
    error = cls(f"cannot write {path!r}: {why}; {untouched}", path=path)
    error.errno, error.filename = number, path
    return error
