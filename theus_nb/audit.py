"""``theus.audit``: what happened in this session, as entries that nobody can change unseen."""

from __future__ import annotations

import asyncio
import json
import logging
import sys
from asyncio import _get_running_loop
from typing import TYPE_CHECKING, Any, Final

from theus_nb._core import AuditLog
from theus_nb.access import current
from theus_nb.audit_options import one_of
from theus_nb.audit_place import find_place
from theus_nb.audit_reading import as_frame, read_files, select
from theus_nb.audit_status import AuditStatus
from theus_nb.audit_sync import room, stop_with_run, wait_for_disk, wait_for_room
from theus_nb.errors import AuditError, AuditWriteError, UnreadableLogError
from theus_nb.key_file import key_of_environment
from theus_nb.waiting import finished

if TYPE_CHECKING:
    import datetime as dt
    import os
    import pathlib
    from collections.abc import Iterator

    import pandas as pd

    from theus_nb._core import Run
    from theus_nb.process import Process
    from theus_nb.verdict import Verdict
    from theus_nb.watch import LoopBlocked

Entry = dict[str, Any]

_GLANCE: Final = 0.25
"""Seconds that looking at the log waits for entries on their way into it."""

_log: Final = logging.getLogger("theus_nb.audit")


class Audit:
    """The audit log of one session.

    Entries are numbered and chained by their hashes, written at once and made durable in groups.
    Values are never recorded, only their types and shapes.

    Args:
        on_disk: Whether the log goes to disk; otherwise its newest entries are kept in memory.
        directory: Where logs lie; None for the default.
        errors: ``"type"`` or ``"message"``: whether the text of exceptions is recorded.
        policy: ``"warn"`` or ``"stop"``: what follows when the log cannot be written.
        full: ``"drop"`` or ``"wait"``: what follows when the disk cannot keep up.
        durable: Whether runs settle only when the disk has confirmed their ends.
        notebook: Path of the notebook, if there is one.

    Raises:
        AuditError: The directory or the key file cannot be used.

    Attributes:
        log: The Rust side.
        place: Where the log is, or will be at its first entry.
        waits: Whether runs wait for a log that is full.
    """

    def __init__(  # noqa: PLR0913 - each is an option of its own
        self,
        *,
        on_disk: bool,
        directory: str | os.PathLike[str] | None = None,
        errors: str = "type",
        policy: str = "warn",
        full: str = "drop",
        durable: bool = False,
        notebook: str | None = None,
    ) -> None:
        one_of("audit_errors", errors, ("type", "message"))
        one_of("audit_policy", policy, ("warn", "stop"))
        one_of("audit_full", full, ("drop", "wait"))
        counted_on = durable or policy == "stop"
        self.place = find_place(directory, on_disk=on_disk, counted_on=counted_on)
        self._key = key = key_of_environment(AuditError)
        opening = {
            "format": 1,
            "session": self.place.session,
            "keyed": key is not None,
            "python": ".".join(map(str, sys.version_info[:3])),
            **({} if notebook is None else {"notebook": notebook}),
        }
        base = self.place.base
        self.log = AuditLog(
            None if base is None else str(base),
            self.place.name,
            opening,
            _tell,
            key=key,
            default_place=self.place.is_default,
            messages=errors == "message",
            stop=policy == "stop",
            wait=full == "wait",
            durable=durable,
        )
        self.waits = full == "wait"

    # -- writing ------------------------------------------------------------------------------

    def note(self, text: str) -> int | None:
        """Record a remark. The entry is not written yet when this returns, and not synced.

        Returns at once, except in a thread without an event loop where ``audit_full="wait"``.

        Args:
            text: At most 1,048,576 characters. What is no text in it (a lone surrogate) becomes
                U+FFFD, and the entry says so.

        Returns:
            The number of the entry; None if there was no room for it, which the log will say.

        Raises:
            AuditError: No text, or too much of it.
            SessionClosedError: The session has ended.

        Example:
            >>> theus.audit.note("checked by hand")            # doctest: +SKIP
            17
        """
        if not self.waits:
            return self.log.note(text)  # a keyword costs as much as a tenth of the call
        return self.log.note(text, kept=self._has_waited())

    async def sync(self) -> None:
        """Wait until everything recorded so far has been confirmed by the disk.

        In a thread without an event loop this blocks instead of suspending. Many may wait at
        once: one confirmation serves them all. In memory this returns as soon as the entries are
        there.

        Raises:
            AuditWriteError: The log could not be written; the entries are not durable.

        Cancellation: stops the waiting, not the writing.

        Example:
            >>> await theus.audit.sync()                       # doctest: +SKIP
        """
        await finished(self.log.synced())
        self.log.tell()

    def wait(self, timeout: float | None = None) -> None:
        """Block until everything recorded so far has been confirmed by the disk.

        For synchronous code; on an event loop use ``await sync()``.

        Args:
            timeout: Seconds; None waits as long as it takes.

        Raises:
            AuditWriteError: The log could not be written, or the disk took too long.
        """
        wait_for_disk(self.log, timeout)
        self.log.tell()

    # -- reading ------------------------------------------------------------------------------

    @property
    def directory(self) -> pathlib.Path | None:
        """Where the log lies, or will from its first entry on; None in memory."""
        return None if self.log.fallback is not None else self.place.directory

    @property
    def position(self) -> tuple[int, int, int]:
        """The number of the next entry, of the last synced one (-1: none), and entries lost."""
        return self.log.position()

    @property
    def status(self) -> AuditStatus:
        """How far the log has come, and what is wrong with it."""
        entries, synced, dropped = self.log.position()
        return AuditStatus(
            directory=self.directory,
            entries=entries,
            written=self.log.written,
            synced=synced,
            dropped=dropped,
            trouble=self.log.trouble,
            keyed=self._key is not None,
        )

    def verify(self, *, checkpoint: str | os.PathLike[str] | None = None) -> Verdict:
        """Prove that nobody has changed this session's log on disk; see `theus_nb.proof.verify`.

        What was recorded so far is synced first. Blocks for about a second per million entries.

        Args:
            checkpoint: A checkpoint that was kept elsewhere: only with one is it proven that
                nothing was cut off.

        Raises:
            UnreadableLogError: The log is in memory.
            AuditWriteError: The log could not be written.

        Example:
            >>> theus.audit.verify().ok                        # doctest: +SKIP
            True
        """
        from theus_nb.proof import verify  # noqa: PLC0415 - only its users pay for it

        if begun := self.log.position()[0] > 0:
            self.wait()
        if self.directory is None or not begun:
            why = self.log.fallback or "audit=False"
            where = "empty so far" if self.directory else f"in memory ({why})"
            msg = (
                f"this session's audit log is {where}: there is no file to verify. For another "
                "log: %theus verify PATH, or theus-nb verify PATH"
            )
            raise UnreadableLogError(msg)
        return verify(self.directory, checkpoint, self._key)

    def tail(self, n: int = 20) -> list[Entry]:
        """Return the newest entries, oldest first.

        Args:
            n: How many; those that have left memory are not looked for.

        Returns:
            The entries as dicts, as they stand in the log.

        Raises:
            AuditError: ``n`` is no whole number.
        """
        if type(n) is not int:
            msg = f"tail takes a number of entries, not {n!r}"
            raise AuditError(msg)
        if n <= 0:
            return []
        self.log.settle(_GLANCE)
        after = self.log.position()[0] - n - 1
        return [json.loads(line) for line in self.log.lines(after, n)]

    def query(
        self,
        *,
        process: str | None = None,
        kind: str | None = None,
        since: dt.datetime | dt.timedelta | str | None = None,
    ) -> list[Entry]:
        """Return the entries that match, oldest first: from the files, and from memory.

        Reads the whole log, in the calling thread.

        Args:
            process: Name of a process.
            kind: A kind of entry, such as ``"run_failed"``.
            since: A time (without a zone: local), a time as ISO text, or how long ago.

        Raises:
            AuditError: ``since`` is none of these, or there are no entries of this kind.

        Example:
            >>> theus.audit.query(process="crunch", kind="run_failed")   # doctest: +SKIP
        """
        return select(self._entries(), process, kind, since)

    def to_dataframe(self) -> pd.DataFrame:
        """Return all entries as a pandas DataFrame, one row each, ``ts`` as times in UTC."""
        return as_frame(self._entries())

    def _entries(self) -> Iterator[Entry]:
        self.log.settle(_GLANCE)
        last = -1
        first = self.log.first_line
        if first is not None and first > 0 and self.directory is not None:
            for entry in read_files(self.directory):
                if entry["seq"] >= first:
                    break
                last = entry["seq"]
                yield entry
        while lines := self.log.lines(last, 1_000):
            for line in lines:
                entry = json.loads(line)
                last = entry["seq"]
                yield entry

    # -- files ----------------------------------------------------------------------------------

    async def intent(self, files: list[tuple[str, int, str]]) -> None:
        """Say durably which files a run is about to make visible.

        In a thread without an event loop this blocks instead of suspending.

        Args:
            files: Path, bytes and SHA-256 of each.

        Raises:
            AuditWriteError: That is not durable.
        """
        listed = [{"path": path, "bytes": size, "sha256": sha} for path, size, sha in files]
        self._record("commit_intent", {"files": listed})
        await self.sync()

    def written(self, path: str, size: int, sha256: str) -> None:
        """Record that a file is in its place and durable."""
        self._record("file_written", {"path": path, "bytes": size, "sha256": sha256})

    def published(self, topic: str) -> None:
        """Record that a signal was published; its value is not recorded.

        A body publishes as often as it likes, so this may be refused: see ``audit_full``.
        """
        self._record("signal_published", {"topic": topic}, kept=self.waits and self._has_waited())

    def _record(self, kind: str, detail: dict[str, Any], *, kept: bool = True) -> None:
        """Record an entry about the run in whose body we are, if we are in one."""
        access = current.get()
        self.log.record(kind, detail, run=None if access is None else access.run, kept=kept)

    # -- a log that is full -----------------------------------------------------------------------

    async def room(self) -> None:
        """Wait on the loop until a body may begin, if runs wait for a log that is full."""
        if self.waits:
            await room(self.log)

    def wait_for_room(self, run: Run) -> None:
        """Do the same in the thread that is to execute a run.

        Raises:
            CancelledError: Somebody asked for the end of the run.
        """

        def check() -> None:
            if run.cancel_requested or run.has_ended:
                raise asyncio.CancelledError

        if self.waits:
            wait_for_room(self.log, check)

    def _has_waited(self) -> bool:
        """Wait for room if this thread may block; tell whether it may."""
        if _get_running_loop() is not None:
            return False
        wait_for_room(self.log, stop_with_run)
        return True

    # -- the session's side ---------------------------------------------------------------------

    def define(self, process: Process) -> None:
        """Record what a process is. Called when it is run for the first time."""
        contract = process.contract
        declared = {
            "inputs": [str(access) for access in contract.inputs],
            "outputs": [str(access) for access in contract.outputs],
            "side_effects": list(contract.side_effects),
            "errors": [e if isinstance(e, str) else e.__name__ for e in contract.errors],
        }
        self.log.record(
            "process_defined",
            {
                "contract": {"open": True} if contract.is_open else declared,
                "source_sha256": process.source_hash,
                "kind": process.kind,
            },
            process=process.name,
            kept=True,
        )

    def blocked(self, block: LoopBlocked) -> None:
        """Record that somebody has held up the event loop while a run had to wait."""
        detail = {"ms": round(block.ms), "where": block.where, "hint": block.hint}
        self.log.record("loop_blocked", detail, process=block.process)

    def close(self, unfinished: list[str], patience: float) -> None:
        """Write the last entry and wait for the disk. Doing it again only waits.

        Args:
            unfinished: Identifiers of the runs that have not ended, for the last entry.
            patience: Seconds; what the disk has not confirmed then may still be.
        """
        try:
            self.log.close({"unfinished": unfinished} if unfinished else None, patience)
            self.log.tell()
        except AuditWriteError as error:
            # The end of a session is no place to raise; whoever asked for durability was told.
            _log.warning("%s", error)

    def __repr__(self) -> str:
        status = self.status
        where = "in memory" if status.directory is None else repr(str(status.directory))
        lost = f", {status.dropped} lost" if status.dropped else ""
        wrong = f", {status.trouble}" if status.trouble else ""
        return f"<Audit {where}, {status.entries} entries, synced to {status.synced}{lost}{wrong}>"


def _tell(what: str) -> None:
    """Say what happened to the log, in one line."""
    _log.warning("theus_nb: %s; see theus.audit.status", what)
