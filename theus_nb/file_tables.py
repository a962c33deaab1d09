"""Tables as files: what is given to pandas, and what is checked before anything is written."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Final

from theus_nb.errors import ContractError
from theus_nb.file_stream import Sink

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_COMPRESSIONS: Final = {
    ".tar": "tar",
    ".tar.gz": "tar",
    ".tar.bz2": "tar",
    ".tar.xz": "tar",
    ".gz": "gzip",
    ".bz2": "bz2",
    ".zip": "zip",
    ".xz": "xz",
    ".zst": "zstd",
}
"""What pandas makes of the end of a file's name; the longer ends come first."""


def writer_of(frame: object, method: str, kinds: str) -> Callable[..., object]:
    """Return a table's own method, or explain that this is no table.

    Args:
        frame: What was given.
        method: Name of the method: ``"to_csv"``.
        kinds: What has it, for the message.

    Raises:
        ContractError: It has no such method.
    """
    write = None if isinstance(frame, type) else getattr(frame, method, None)
    if not callable(write):
        msg = f"{method} is a method of {kinds}, and this is {type(frame).__name__}"
        raise ContractError(msg)
    found: Callable[..., object] = write
    return found


def csv_options(name: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """Return options for ``to_csv``: compressed as the file's name says, unless they say how.

    pandas itself sees a stream, and that has no name.

    Args:
        name: The file.
        options: What was given.

    Raises:
        ContractError: A mode: a file is always written whole.
    """
    if options.get("mode", "w") not in ("w", "wb"):
        msg = (
            f"write_csv writes a whole file: mode={options['mode']!r} is not possible; "
            "theus.files.open(path) writes piece by piece"
        )
        raise ContractError(msg)
    known = {key: value for key, value in options.items() if key != "mode"}
    given = known.get("compression", "infer")
    details = dict(given) if isinstance(given, dict) else {"method": given}
    leaf = os.path.basename(name)  # noqa: PTH119 - a str
    end = next((end for end in _COMPRESSIONS if leaf.lower().endswith(end)), "")
    if details.get("method", "infer") == "infer":
        details["method"] = _COMPRESSIONS.get(end)
        if details["method"] == "tar":
            details.setdefault("mode", f"w:{end.removeprefix('.tar').removeprefix('.')}")
    if details["method"] in ("zip", "tar"):
        details.setdefault("archive_name", leaf.removesuffix(leaf[len(leaf) - len(end) :]))
    return {**known, "compression": details if details["method"] is not None else None}


class TextSink(Sink):
    """The same for a layer of text, which writes its byte order mark where it can ask `tell`."""

    def seekable(self) -> bool:
        """Tell that there is a position; to change it is refused all the same."""
        return True
