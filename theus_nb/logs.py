"""Finding logs and reading what can be read of their entries; `proof` is what proves them."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from theus_nb.errors import UnreadableLogError

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterator

Entry = dict[str, Any]
"""An entry of a log, as parsed from its line: docs/audit-format.md names the keys."""

_VERSION: Final = 1
BEGINNING: Final = b'{"seq":'
"""Of every line of a log."""
_SEGMENT: Final = re.compile(r"\d{6}\.jsonl")


def segments(log: Path) -> list[Path]:
    """Return the segments of a log, in order.

    Args:
        log: Its directory.
    """
    return sorted(path for path in log.iterdir() if is_segment(path))


def is_segment(path: Path) -> bool:
    """Tell whether a file has the name of a segment."""
    return _SEGMENT.fullmatch(path.name) is not None


def find_logs(path: str | os.PathLike[str]) -> dict[str, list[Path]]:
    """Find the logs at a path.

    Args:
        path: A segment, a directory with segments, or a directory with such directories.

    Returns:
        The segments of each log, by name and in order. A segment alone is a log of one.

    Raises:
        UnreadableLogError: There is no log.
    """
    root = Path(path)
    try:
        if root.is_file():
            return {root.parent.resolve().name: [root]}
        if own := segments(root):
            return {root.resolve().name: own}
        inner = sorted(d for d in root.iterdir() if d.is_dir() and not d.name.startswith("."))
        logs = {directory.name: found for directory in inner if (found := segments(directory))}
    except OSError as error:
        msg = f"'{root}' cannot be read: {error}"
        raise UnreadableLogError(msg) from error
    if not logs:
        msg = (
            f"'{root}' is no audit log: give a segment (000001.jsonl), a directory with segments, "
            "or a directory of such directories"
        )
        raise UnreadableLogError(msg)
    return logs


def entries(files: list[Path]) -> Iterator[Entry]:
    """Yield the entries of a log, in the order of its lines; what is no entry is left out.

    Args:
        files: Its segments.

    Raises:
        UnreadableLogError: A segment cannot be read, is no file of a log, or is written in another
            version of the format.
    """
    for file in files:
        empty, ours = True, False
        try:
            with file.open("rb") as lines:
                for line in lines:
                    entry = read_entry(line)
                    empty, ours = False, ours or entry is not None or _is_begun(line)
                    if entry is not None:
                        check_version(file, entry)
                        yield entry
        except OSError as error:
            msg = f"'{file}' cannot be read: {error}"
            raise UnreadableLogError(msg) from error
        if not (empty or ours):
            msg = f"'{file}' is not a file of an audit log: none of its lines is an entry"
            raise UnreadableLogError(msg)


def _is_begun(line: bytes) -> bool:
    """Tell whether a line that is no entry may have been meant as one; a hole reads as zeros."""
    return line.startswith((BEGINNING, b"\0")) or BEGINNING.startswith(line)


def check_version(file: Path, entry: Entry) -> None:
    """Refuse a log whose first entry names another version of the format.

    Args:
        file: Its segment, for the message.
        entry: Any entry of it.

    Raises:
        UnreadableLogError: It is another version's.
    """
    version = entry.get("detail", {}).get("format", _VERSION)
    if entry["kind"] == "session_started" and version != _VERSION:
        msg = (
            f"'{file}' is written in format version {version}, and this theus_nb knows version "
            f"{_VERSION}: use the theus_nb that wrote it, or a newer one"
        )
        raise UnreadableLogError(msg)


def read_entry(line: bytes) -> Entry | None:
    """Return the entry of a line, None if it is not one (yet).

    Args:
        line: With its line end, if it has one.
    """
    try:
        entry = json.loads(line)
    except (ValueError, RecursionError):
        return None
    whole = isinstance(entry, dict) and isinstance(entry.get("seq"), int)
    readable = whole and isinstance(entry.get("kind"), str)
    timed = readable and isinstance(entry.get("mono"), int) and isinstance(entry.get("ts"), str)
    return entry if timed and isinstance(entry.get("detail", {}), dict) else None


def follow(log: Path, wait: Callable[[], object]) -> Iterator[Entry]:
    """Yield the entries of a log, then those that are still being written, to the session's end.

    Args:
        log: Its directory.
        wait: Called when there is nothing new; what it raises ends the following.
    """
    number, offset, rest = 0, 0, b""
    while True:
        files = segments(log)
        if number < len(files):
            with files[number].open("rb") as file:
                file.seek(offset)
                data = file.read(_PIECE)
            offset += len(data)
            *lines, rest = (rest + data).split(b"\n")
            for line in lines:
                if (entry := read_entry(line)) is not None:
                    check_version(files[number], entry)
                    yield entry
                    if entry["kind"] == "session_ended":
                        return
            if data:
                continue
            if number + 1 < len(files):
                number, offset, rest = number + 1, 0, b""
                continue
        wait()


_PIECE: Final = 1 << 20
"""How much of a segment is read at once while following it."""
