"""A hint for code that minds the thread it runs in."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from theus_nb.endings import minds_its_thread

if TYPE_CHECKING:
    import types


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
        if minds_its_thread(error):
            error.add_note(
                f"process {self._process!r} ran in a worker thread; code that needs the main "
                "thread or its event loop runs there with --lane loop on the magic line"
            )
