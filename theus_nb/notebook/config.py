"""``%config TheusNb``: what can be set from a notebook or a configuration file."""

# mypy: disable-error-code=misc
from __future__ import annotations

from typing import TYPE_CHECKING, Any

from traitlets import Int, TraitError, validate
from traitlets.config import Configurable

from theus_nb.lanes import default_workers

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

    from theus_nb.session import Session


class TheusNb(Configurable):
    """The settings of theus_nb."""

    workers = Int(
        default_workers(),
        help="Threads for sync processes. Default: the number of cores, at least 4 and at most "
        "32. Changes hold at once; a busy thread that is one too many ends after its run.",
    ).tag(config=True)

    def __init__(self, shell: InteractiveShell, session: Session) -> None:
        super().__init__(parent=shell)
        self._session = session
        if self.workers != default_workers():  # a configuration file has set it
            session.workers = self.workers
        self.workers = session.workers
        self.observe(self._resize, "workers")

    @validate("workers")
    def _check_workers(self, proposal: Any) -> int:  # noqa: ANN401 - untyped
        workers: int = proposal["value"]
        if workers < 1:
            msg = f"TheusNb.workers is a number of threads, at least 1, not {workers}"
            raise TraitError(msg)
        return workers

    def _resize(self, change: Any) -> None:  # noqa: ANN401 - untyped
        self._session.workers = change["new"]
