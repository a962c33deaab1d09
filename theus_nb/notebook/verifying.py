"""``%theus verify``: the verdict on an audit log, as text and as HTML."""

from __future__ import annotations

import html
from typing import TYPE_CHECKING

from theus_nb.errors import UnreadableLogError
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
        UnreadableLogError: There is no log, or nothing can be said about it.
    """
    if path is None:
        path = getattr(getattr(session, "audit", None), "path", None)
    if path is None:
        msg = (
            "this session keeps its audit log in memory: there is no file to verify. "
            "For another log: %theus verify PATH"
        )
        raise UnreadableLogError(msg)
    verdict = verify(path)
    text = terminal_safe(verdict.text)
    color = "inherit" if verdict.ok else "#b00020"
    return {
        "text/plain": text,
        "text/html": f'<pre style="color: {color}">{html.escape(text)}</pre>',
    }
