"""Completion inside the magic lines: options, paths, notebook variables, process names."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from IPython.core.completer import SimpleCompletion, context_matcher

from theus_nb.notebook.commands import COMMANDS
from theus_nb.notebook.options import INPUTS, LANE, OPTIONS, OUTPUTS
from theus_nb.notebook.readable import is_own_name, is_readable
from theus_nb.notebook.transformer import PROCESS_MAGIC

if TYPE_CHECKING:
    from collections.abc import Iterable

    from IPython.core.completer import CompletionContext, MatcherAPIv2, SimpleMatcherResult
    from IPython.core.interactiveshell import InteractiveShell

    from theus_nb.session import Session

_PROCESS_LINE: Final = re.compile(rf"\s*%%{PROCESS_MAGIC}\s+(.*)")
_COMMAND_LINE: Final = re.compile(r"\s*%theus\s+(.*)")
_LAST_ENTRY: Final = re.compile(r"[^\s,=]*$")


def make_matcher(shell: InteractiveShell, session: Session) -> MatcherAPIv2:
    """Return a matcher for ``Completer.custom_matchers``.

    Args:
        shell: Whose variables are offered.
        session: Whose paths and processes are offered.
    """

    @context_matcher()  # type: ignore[untyped-decorator, unused-ignore]
    def theus_matcher(context: CompletionContext) -> SimpleMatcherResult:
        typed = context.text_until_cursor
        if found := _PROCESS_LINE.match(typed):
            words = _for_process(shell, session, found[1])
        elif found := _COMMAND_LINE.match(typed):
            words = _for_command(session, found[1])
        else:
            return {"completions": []}
        match = _LAST_ENTRY.search(typed)
        fragment = match[0] if match else ""
        return {
            "completions": [
                SimpleCompletion(word, type=kind)
                for word, kind in words
                if word.startswith(fragment)
            ],
            "matched_fragment": fragment,
            "suppress": True,
            "ordered": True,
        }

    return theus_matcher  # type: ignore[no-any-return, unused-ignore]


def _for_process(shell: InteractiveShell, session: Session, typed: str) -> list[tuple[str, str]]:
    """Return what may come next on a ``%%theus_process`` line."""
    words = re.sub(r",\s*", ",", typed).split(" ")
    before, current = words[:-1], words[-1]
    if current.startswith("-"):
        return [(option.flags[0], "option") for option in OPTIONS]
    flag = next((word for word in reversed(before) if word), "")
    if flag in INPUTS.flags:
        return _paths(session) + _variables(shell)
    if flag in OUTPUTS.flags:
        return _paths(session)
    if flag in LANE.flags:
        return [(lane, "lane") for lane in LANE.choices]
    if not any(before):
        return [(name, "process") for name in session.registry.names()]
    return []


def _for_command(session: Session, typed: str) -> list[tuple[str, str]]:
    """Return what may come next on a ``%theus`` line."""
    words = typed.split(" ")
    if len(words) == 1:
        return [(name, "command") for name in COMMANDS]
    if words[0] == "accept":
        return [(path, "path") for path in _short(session.state.failed())]
    if words[0] in ("wait", "cancel"):
        runs = session.runs.unfinished()
        names = sorted({run.name for run in runs})
        some = [(name, "process") for name in names] + [(run.id, "run") for run in runs]
        return [*some, ("all", "all")] if words[0] == "cancel" and runs else some
    return []


def _paths(session: Session) -> list[tuple[str, str]]:
    """Return the paths that exist or that some process declares, in alphabetical order."""
    declared = {
        access.path
        for process in session.registry
        for access in (*process.contract.inputs, *process.contract.outputs)
    }
    return [(path, "path") for path in _short(declared.union(session.state))]


def _short(paths: Iterable[str]) -> list[str]:
    """Return paths as one writes them: a notebook variable by its bare name."""
    return sorted({path.removeprefix("nb.") for path in paths})


def _variables(shell: InteractiveShell) -> list[tuple[str, str]]:
    """Return the notebook's variables that a cell would have to declare."""
    return [
        (name, "variable")
        for name, value in sorted(shell.user_ns.items())
        if not name.startswith("_") and not is_own_name(name) and not is_readable(value)
    ]
