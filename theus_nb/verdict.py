"""What a verification says: about each log, and altogether."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

_LISTED: Final = 5
"""How many of several alike are named; the attributes have them all."""


@dataclasses.dataclass(frozen=True, slots=True)
class Place:
    """A line of a log.

    Attributes:
        segment: The segment's file name; empty where there is none.
        line: Counted from 1; 0 where there is none.
        offset: Where the line begins in its segment, in bytes.
    """

    segment: str
    line: int
    offset: int

    def __str__(self) -> str:
        return f"{self.segment} line {self.line}, byte {self.offset}" if self.segment else "the end"


@dataclasses.dataclass(frozen=True, slots=True)
class Problem:
    """The first thing that is wrong with a log.

    Attributes:
        fault: One or two words: ``edited``, ``missing``, ``truncated``, ….
        seq: The first sequence number that cannot be trusted.
        place: Where it was noticed.
        text: A sentence with the particulars.
    """

    fault: str
    seq: int
    place: Place
    text: str


@dataclasses.dataclass(frozen=True, slots=True)
class Unfinished:
    """A run that announced writing files, and of which the log says no more.

    Attributes:
        seq: The entry that announces it.
        run: The run (``"r7"``), if it was one.
        files: The files it names.
    """

    seq: int
    run: str | None
    files: tuple[str, ...]


@dataclasses.dataclass(frozen=True, slots=True)
class LogReport:
    """What was found out about one log.

    Attributes:
        log: The name of the log's directory, or of the segment where only that was given.
        entries: How many entries fit, from the first.
        head: The last of them: ``(seq, hash, segment)``; None if there is none.
        segments: How many segments were read.
        keyed: Whether every hash was checked with a key.
        ended: Whether the log ends with ``session_ended``.
        synced: The newest sequence number that the log itself calls durable.
        problem: What is wrong; None if nothing is.
        torn: The first missing sequence number and the place of a torn end; that is no problem.
        unfinished: Runs that announced writing files, and of which nothing more is said.
        confirmed: The highest sequence number that a checkpoint or a later log confirms.
        pruned: Removed on purpose, with a record of it; nothing could be checked.
        unreadable: Why nothing can be said about it, while something can about other logs beside
            it; None if it was read.
    """

    log: str
    entries: int
    head: tuple[int, str, str] | None
    segments: int
    keyed: bool
    ended: bool
    synced: int | None
    problem: Problem | None
    torn: tuple[int, Place] | None
    unfinished: tuple[Unfinished, ...]
    confirmed: int | None
    pruned: bool
    unreadable: str | None

    @classmethod
    def from_core(cls, fields: dict[str, Any]) -> LogReport:
        """Build one from what ``_core.verify_logs`` returns."""
        problem, torn = fields["problem"], fields["torn"]
        if problem is not None:
            fault, seq, place, text = problem
            problem = Problem(fault, seq, Place(*place), text)
        unfinished = tuple(
            Unfinished(seq, None if run is None else f"r{run}", tuple(files))
            for seq, run, files in fields["unfinished"]
        )
        return cls(
            **{
                **fields,
                "problem": problem,
                "torn": None if torn is None else (torn[0], Place(*torn[1])),
                "unfinished": unfinished,
            }
        )

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong. A torn end is not wrong: nobody was told it was durable."""
        return self.problem is None and self.unreadable is None

    @property
    def complete_to(self) -> str:
        """How far the log is proven to be complete, in words."""
        if self.head is None or self.confirmed is None:
            return "completeness not proven (it takes a checkpoint kept elsewhere)"
        if self.confirmed == self.head[0]:
            return "complete: its last entry is confirmed from outside"
        return f"complete to seq {self.confirmed}, confirmed from outside; not proven beyond"

    @property
    def text(self) -> str:
        """The verdict in words, with what to know about the log; several lines."""
        if self.problem is not None:
            first, *rest = self._problem_lines(self.problem)
        elif self.unreadable is not None:
            first, rest = f"NOT READABLE: {self.unreadable}", []
        elif self.pruned:
            first, rest = "pruned: removed on purpose, nothing to check", []
        elif self.head is None:
            first, rest = f"empty: no entry; {self.complete_to}", []
        else:
            how = "with the key" if self.keyed else "without a key"
            first = f"consistent to seq {self.head[0]}, {how}; {self.complete_to}"
            rest = []
        return "\n".join(
            [f"{self.log}: {first}", *(f"  {line}" for line in [*rest, *self._notes()])]
        )

    def _problem_lines(self, problem: Problem) -> list[str]:
        good = (
            "nothing before it fits" if self.head is None else f"consistent to seq {self.head[0]}"
        )
        if self.head is not None and problem.seq <= self.head[0]:
            good = f"its own links fit to seq {self.head[0]}"
        return [
            f"NOT CONSISTENT: {problem.fault} at seq {problem.seq} ({problem.place})",
            problem.text,
            good,
        ]

    def _notes(self) -> list[str]:
        notes = []
        if self.torn is not None:
            seq, place = self.torn
            notes.append(
                f"torn tail from seq {seq} ({place}): it was being written when the process or the "
                "machine stopped, or is being written now; nothing of it was reported durable"
            )
        elif self.head is not None and not self.ended and self.problem is None:
            notes.append("no session end: the session still runs, or it was killed")
        for open_ in self.unfinished[:_LISTED]:
            who = f"run {open_.run}" if open_.run else "the session"
            notes.append(
                f"{who} announced at seq {open_.seq} that it writes {', '.join(open_.files)}, and "
                "nothing more is said: each file is old or new, look which"
            )
        if len(self.unfinished) > _LISTED:
            notes.append(f"and {len(self.unfinished) - _LISTED} more such announcements")
        return notes


@dataclasses.dataclass(frozen=True)
class Verdict:
    """What a verification says.

    Example::

        verdict = theus.audit.verify()
        assert verdict.ok, verdict.text

    Attributes:
        logs: One report per log, by name.
    """

    logs: tuple[LogReport, ...]

    @property
    def ok(self) -> bool:
        """Whether all logs were read, and nothing is wrong with any.

        Without a checkpoint a cut tail stays unseen.
        """
        return all(log.ok for log in self.logs)

    @property
    def bad(self) -> Sequence[LogReport]:
        """The logs with which something is wrong."""
        return [log for log in self.logs if log.problem is not None]

    @property
    def unreadable(self) -> Sequence[LogReport]:
        """The logs about which nothing can be said."""
        return [log for log in self.logs if log.unreadable is not None]

    @property
    def first_bad(self) -> LogReport | None:
        """The first log with which something is wrong."""
        return next(iter(self.bad), None)

    @property
    def problem(self) -> Problem | None:
        """The first thing that is wrong."""
        return None if self.first_bad is None else self.first_bad.problem

    @property
    def first_bad_seq(self) -> int | None:
        """The first sequence number that cannot be trusted, in the first bad log."""
        return None if self.problem is None else self.problem.seq

    @property
    def torn(self) -> bool:
        """Whether any log ends torn. That happens when a process is killed; it is no problem."""
        return any(log.torn is not None for log in self.logs)

    @property
    def entries(self) -> int:
        """How many entries fit, over all logs."""
        return sum(log.entries for log in self.logs)

    @property
    def text(self) -> str:
        """The verdict in words. It may contain names from the log: escape it where it is shown."""
        if not self.logs:
            return "no logs"
        parts = [log.text for log in self.logs]
        if len(self.logs) > 1:
            counts = {"NOT CONSISTENT": len(self.bad), "NOT READABLE": len(self.unreadable)}
            found = [f"{count} of them {what}" for what, count in counts.items() if count]
            state = ", ".join(found) or "all consistent"
            parts.append(f"{len(self.logs)} logs, {self.entries} entries: {state}")
        return "\n".join(parts)

    def __bool__(self) -> bool:
        return self.ok

    def __repr__(self) -> str:
        return f"<Verdict ok={self.ok}>\n{terminal_safe(self.text)}"


def terminal_safe(text: str) -> str:
    """Return a text with everything a terminal might obey written as an escape; lines stay.

    Args:
        text: Any text, for example from a log.
    """
    return "".join(
        char if char == "\n" or (char.isprintable() and char not in _BIDI) else _escaped(char)
        for char in text
    )


_BIDI: Final = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
"""They change the order in which the rest of the line is shown."""


def _escaped(char: str) -> str:
    return char.encode("unicode_escape").decode("ascii")
