"""``%config TheusNb``: what can be set from a notebook or a configuration file."""

# mypy: disable-error-code=misc
from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from traitlets import Bool, Enum, Int, TraitError, Unicode, validate
from traitlets.config import Configurable

from theus_nb.lanes import default_workers

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell
    from traitlets.config import Config

    from theus_nb.session import Session

_OF_THE_SESSION: Final = (
    "audit",
    "audit_dir",
    "audit_errors",
    "audit_policy",
    "audit_full",
    "durability",
)
"""Settled when a session is made; named as its arguments."""

_NEXT: Final = " Holds from the next %load_ext or %reload_ext theus_nb on."


class TheusNb(Configurable):
    """The settings of theus_nb."""

    workers = Int(
        default_workers(),
        help="Threads for sync processes. Default: the number of cores, at least 4 and at most "
        "32. Changes hold at once; a busy thread that is one too many ends after its run.",
    ).tag(config=True)
    audit = Bool(
        default_value=True,
        help="Whether the audit log goes to disk; otherwise it is kept in memory." + _NEXT,
    ).tag(config=True)
    audit_dir = Unicode(
        None,
        allow_none=True,
        help="Where audit logs lie. Default: the environment's THEUS_AUDIT_DIR, or .theus/audit."
        + _NEXT,
    ).tag(config=True)
    audit_errors = Enum(
        ("type", "message"),
        "type",
        help="What the log says of exceptions: their type, or their text, too." + _NEXT,
    ).tag(config=True)
    audit_policy = Enum(
        (None, "warn", "stop"),
        None,
        help="When the log cannot be written: warn once, or start no more runs. Default: warn; "
        "with durability stop." + _NEXT,
    ).tag(config=True)
    audit_full = Enum(
        (None, "drop", "wait"),
        None,
        help="When the disk cannot keep up: count what is lost, or have runs wait. Default: drop; "
        "with durability wait." + _NEXT,
    ).tag(config=True)
    durability = Enum(
        (None, "run"),
        None,
        help="'run': runs end when the disk has confirmed what they recorded." + _NEXT,
    ).tag(config=True)

    def __init__(self, shell: InteractiveShell) -> None:
        super().__init__(parent=shell)
        self._shell = shell

    def session_options(self) -> dict[str, Any]:
        """Return what a new session is to be made with."""
        return {name: getattr(self, name) for name in _OF_THE_SESSION}

    def attach(self, session: Session) -> None:
        """Have a session follow the settings that can change while it is there.

        Args:
            session: The session of the notebook.
        """
        self._session = session
        if self.workers != default_workers():  # a configuration file has set it
            session.workers = self.workers
        self.workers = session.workers
        self.observe(self._resize, "workers")
        self.observe(self._tell, list(_OF_THE_SESSION))

    @validate("workers")
    def _check_workers(self, proposal: Any) -> int:  # noqa: ANN401 - untyped
        workers: int = proposal["value"]
        if workers < 1:
            msg = f"TheusNb.workers is a number of threads, at least 1, not {workers}"
            raise TraitError(msg)
        return workers

    def _resize(self, change: Any) -> None:  # noqa: ANN401 - untyped
        self._session.workers = change["new"]

    def update_config(self, config: Config) -> None:
        """Take what ``%config`` sets; IPython keeps it for the next time the extension loads.

        Args:
            config: The new values.

        Raises:
            TraitError: One of them is refused.
        """
        try:
            super().update_config(config)
        except TraitError:
            # The shell keeps it even then, and it would keep the extension from loading. The shell
            # is asked before or after this, by the name of its class.
            for name in config.TheusNb:
                for kept in (config, self._shell.config):
                    kept.TheusNb[name] = getattr(self, name)
            raise

    def _tell(self, change: Any) -> None:  # noqa: ANN401 - untyped
        """Say that the session there is has begun its log."""
        name = change["name"]
        print(f"TheusNb.{name} holds for the next session: %reload_ext theus_nb")  # noqa: T201
