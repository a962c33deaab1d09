"""The session of this notebook, if there is one."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from theus_nb.session import Session

_installed: list[Session] = []


def current() -> Session | None:
    """Return the session of this notebook, or None."""
    return _installed[-1] if _installed else None


def install(session: Session | None) -> None:
    """Make a session the one that `current` returns; None leaves none."""
    _installed[:] = [] if session is None else [session]
