"""Interrupt reaches a cell that awaits: at once, and as one line.

ipykernel turns SIGINT into a callback on its loop, but does not wake the loop, which may sleep in
its selector until something else happens. A wakeup descriptor wakes it: Python writes a byte to
it when a signal arrives, and the loop is watching it.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
import threading
from typing import TYPE_CHECKING

from theus_nb.notebook.origin import take_given_up
from theus_nb.stopper import threads_go_on

if TYPE_CHECKING:
    from collections.abc import Sequence

    from theus_nb._core import Run


class InterruptedProcess(KeyboardInterrupt):
    """The user interrupted the cell that awaited a process.

    Args:
        process: Its name; empty where the cell waited for something else of ours.
    """

    def __init__(self, process: str) -> None:
        runs = take_given_up()
        goes_on = f"{threads_go_on(runs, process)}; " if runs else ""
        what = f"process {process!r}" if process else "the wait"
        super().__init__(f"{what} was interrupted; {goes_on}the kernel is ready")

    def _render_traceback_(self) -> list[str]:
        """Return what IPython shows: this line, and no page of frames."""
        return [str(self)]


class InterruptedWait(InterruptedProcess):
    """The user interrupted ``%theus wait``; the runs that have not ended go on.

    Args:
        runs: What was waited for.
    """

    def __init__(self, runs: Sequence[Run]) -> None:
        unfinished = [run for run in runs if not run.has_ended]
        listed = ", ".join(f"{run.id} {run.name!r}" for run in unfinished)
        goes = "goes" if len(unfinished) == 1 else "go"
        going_on = f"{listed} {goes} on: %theus cancel all ends what runs"
        text = f"the wait was interrupted; {going_on if unfinished else 'all has ended'}"
        KeyboardInterrupt.__init__(self, text)


def was_interrupted() -> bool:
    """Tell whether a `CancelledError` came from outside, and not from the body itself."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


class SignalWakeup:
    """Wakes a loop when a signal arrives, for as long as it is open.

    Whoever set a wakeup descriptor before keeps it. The descriptor is taken back before the
    sockets are closed: a stale number would sooner or later name some file, and every signal
    would write a byte into it.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        """Watch for signals; do nothing where that is impossible or somebody else does."""
        self._loop = loop
        self._pair: tuple[socket.socket, socket.socket] | None = None
        if threading.current_thread() is not threading.main_thread():
            return
        reader, writer = socket.socketpair()
        reader.setblocking(False)  # noqa: FBT003 - its only parameter
        writer.setblocking(False)  # noqa: FBT003 - its only parameter
        before = signal.set_wakeup_fd(writer.fileno(), warn_on_full_buffer=False)
        try:
            if before == -1:
                loop.add_reader(reader, self._drain, reader)
                self._pair = reader, writer
        except NotImplementedError:
            pass  # a loop without add_reader
        if self._pair is None:
            signal.set_wakeup_fd(before, warn_on_full_buffer=False)
            reader.close()
            writer.close()

    def close(self) -> None:
        """Stop watching; leave a descriptor alone that somebody set after us."""
        if self._pair is None:
            return
        reader, writer = self._pair
        self._pair = None
        current = signal.set_wakeup_fd(-1)
        if current != writer.fileno():
            signal.set_wakeup_fd(current, warn_on_full_buffer=False)
        if not self._loop.is_closed():
            self._loop.remove_reader(reader)
        reader.close()
        writer.close()

    @staticmethod
    def _drain(reader: socket.socket) -> None:
        with contextlib.suppress(BlockingIOError):
            reader.recv(4096)
