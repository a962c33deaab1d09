"""``%theus verify``: the verdict on an audit log, as text and as HTML."""

from __future__ import annotations

import html
import os
from typing import TYPE_CHECKING

from theus_nb.errors import UnreadableLogError
from theus_nb.key_file import key_of_environment
from theus_nb.proof import verify
from theus_nb.verdict import terminal_safe

if TYPE_CHECKING:
    from theus_nb.session import Session
    from theus_nb.verdict import Verdict


def verdict_bundle(session: Session, path: str | None = None) -> dict[str, str]:
    """Return the verdict on a log as a MIME bundle.

    Args:
        session: Whose log it is, unless a path is given.
        path: Another log, a segment, or a directory of logs. The key is that of the environment.

    Raises:
        UnreadableLogError: There is no log on disk, or nothing can be said about it.
    """
    verdict = session.audit.verify() if path is None else _verify(path)
    text = terminal_safe(verdict.text)
    color = "inherit" if verdict.ok else "#b00020"
    return {
        "text/plain": text,
        "text/html": f'<pre style="color: {color}">{html.escape(text)}</pre>',
    }


def _verify(path: str) -> Verdict:
    return verify(os.path.expanduser(path), key=key_of_environment(UnreadableLogError))  # noqa: PTH111 - text
