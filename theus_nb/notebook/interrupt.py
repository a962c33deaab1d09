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
import traceback
from typing import TYPE_CHECKING, cast

from theus_nb.dispatcher import Dispatcher
from theus_nb.endings import thread_goes_on

if TYPE_CHECKING:
    from collections.abc import Sequence

    from theus_nb._core import Run


class InterruptedProcess(KeyboardInterrupt):
    """The user interrupted the cell that awaited a process.

    Args:
        process: Its name.
        error: What the interrupt was seen as; it has passed the run that was awaited.
    """

    def __init__(self, process: str, error: BaseException) -> None:
        run = _awaited_run(error)
        goes_on = ""
        if run is not None and run.status == "abandoned":
            whose = "its thread" if run.name == process else f"the thread of {run.name!r}"
            goes_on = f"{thread_goes_on(run, whose)}; "
        super().__init__(f"process {process!r} was interrupted; {goes_on}the kernel is ready")

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


def _awaited_run(error: BaseException) -> Run | None:
    """Return the run of a worker thread whose await an exception has ended, or None.

    A `KeyboardInterrupt` may stand for a cancellation that a pumped loop has seen.
    """
    link: BaseException | None = error
    while link is not None:
        for frame, _line in reversed(list(traceback.walk_tb(link.__traceback__))):
            if frame.f_code is Dispatcher.run.__code__:
                return cast("Run | None", frame.f_locals.get("submitted"))
        link = link.__context__
    return None


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
