"""A hint for code that minds the thread it runs in."""

from __future__ import annotations

import re
import threading
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import types

_COMPLAINT: Final = re.compile(
    r"no (running|current) event loop|(same|main|different|another) thread|signal only works",
    re.IGNORECASE,
)
"""How asyncio, sqlite3, signal and others complain about the thread they are called in."""


class AffinityHint:
    """Around the body of a sync cell: explains errors about threads.

    Args:
        process: Name of the process.
    """

    def __init__(self, process: str) -> None:
        self._process = process

    def __enter__(self) -> None:
        """Do nothing."""

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: types.TracebackType | None,
    ) -> None:
        if error is None or threading.current_thread() is threading.main_thread():
            return
        if _COMPLAINT.search(str(error)):
            error.add_note(
                f"process {self._process!r} ran in a worker thread; code that needs the main "
                "thread or its event loop runs there with --lane loop on the magic line"
            )
