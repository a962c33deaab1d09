"""``%theus verify``: the verdict on an audit log, as text and as HTML."""

from __future__ import annotations

import html
from typing import TYPE_CHECKING

from theus_nb.proof import verify
from theus_nb.verdict import terminal_safe

if TYPE_CHECKING:
    from theus_nb.session import Session


def verdict_bundle(session: Session, path: str | None = None) -> dict[str, str]:
    """Return the verdict on a log as a MIME bundle.

    Args:
        session: Whose log it is, unless a path is given.
        path: Another log, a segment, or a directory of logs.

    Raises:
        UnreadableLogError: There is no log on disk, or nothing can be said about it.
    """
    verdict = session.audit.verify() if path is None else verify(path)
    text = terminal_safe(verdict.text)
    color = "inherit" if verdict.ok else "#b00020"
    return {
        "text/plain": text,
        "text/html": f'<pre style="color: {color}">{html.escape(text)}</pre>',
    }
