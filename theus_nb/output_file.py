"""Files that commands write: complete or not there, and never in the place of a log."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from theus_nb.errors import UnreadableLogError
from theus_nb.logs import BEGINNING, is_segment

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextlib.contextmanager
def replacing(out: Path) -> Iterator[Path]:
    """Give the path of a new file beside another one, and put it in its place in the end.

    Where that is left with an exception, the old file stays as it was. A symbolic link stays and
    what it points to is replaced; a pipe or a device is written to as it is.

    Args:
        out: Where the file is to be.

    Raises:
        UnreadableLogError: A segment of a log lies there, or would seem to.
        OSError: The file cannot be written there.
    """
    target = Path(os.path.realpath(out))
    _refuse_log(out, target)
    if target.exists() and not target.is_file():
        yield target
        return
    part = target.with_name(f".theus-nb-{secrets.token_hex(8)}.part")
    try:
        part.open("x").close()
        yield part
        if target.exists():
            shutil.copymode(target, part)
        part.replace(target)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def _refuse_log(out: Path, target: Path) -> None:
    """Refuse what has a segment's name, and what begins like one: logs are evidence."""
    if not is_segment(target) and target.is_file():
        with target.open("rb") as file:
            ours = file.read(len(BEGINNING)) == BEGINNING
    else:
        ours = is_segment(target)
    if ours:
        msg = f"'{out}' is the place of a file of an audit log: give another OUT"
        raise UnreadableLogError(msg)
