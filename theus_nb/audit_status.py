"""How far an audit log has come."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pathlib


@dataclasses.dataclass(frozen=True, slots=True)
class AuditStatus:
    """How far a log has come.

    Attributes:
        directory: Where it lies; None in memory.
        entries: How many entries there are.
        written: Number of the last entry that the operating system has: it survives the death of
            this process. -1 for none.
        synced: Number of the last entry that the disk has confirmed: it survives the loss of
            power. -1 for none. In memory neither of the two means anything.
        dropped: Entries lost because the log could not keep up, or failed.
        trouble: Why nothing is written any more, or why the log is in memory; None if all is well.
        keyed: Whether the chain has a key.
    """

    directory: pathlib.Path | None
    entries: int
    written: int
    synced: int
    dropped: int
    trouble: str | None
    keyed: bool
