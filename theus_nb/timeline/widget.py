"""The live view. The only module that imports anywidget."""

# mypy: untyped-calls-exclude=IPython
from __future__ import annotations

import base64
import contextlib
import threading
from typing import TYPE_CHECKING, Any, Final

import anywidget
import traitlets
from IPython.display import display, update_display

from theus_nb.timeline.assets import markup, offline, script, styles
from theus_nb.timeline.exporting import exported
from theus_nb.timeline.from_log import marks_of
from theus_nb.timeline.model import pack
from theus_nb.timeline.static import bundle

if TYPE_CHECKING:
    from theus_nb.timeline.pump import Pump

KEPT: Final = 2_000
"""Rows and entries that a saved notebook shows without a kernel."""


class Timeline(anywidget.AnyWidget):
    """A live view of a session; shown by the notebook when it is a cell's last value.

    Args:
        pump: Brings the frames.
        height: Height of the lanes in pixels.
    """

    _esm = traitlets.Unicode(script()).tag(sync=True)
    _css = traitlets.Unicode(styles()).tag(sync=True)
    markup = traitlets.Unicode(markup()).tag(sync=True)
    height = traitlets.Int(280).tag(sync=True)
    saved = traitlets.Dict().tag(sync=True)
    """What is drawn where no kernel answers."""

    def __init__(self, pump: Pump, *, height: int = 280) -> None:
        super().__init__(height=max(120, min(int(height), 2_000)))
        self._pump = pump
        self._pages: set[str] = set()
        self._display_id: str | None = None
        self._shown: dict[str, Any] = {}
        self.on_msg(self._hear)
        pump.picture(self)
        # Kept private by ipykernel: without it the answer to a click waits for the blocked cell.
        if hasattr(self.comm, "_reply_subshell_for"):
            with contextlib.suppress(AttributeError):
                self.comm._reply_subshell_for = lambda _data, default: default  # noqa: SLF001

    # -- the view of a pump --------------------------------------------------------------------

    def deliver(self, header: dict[str, Any], buffers: list[bytes]) -> None:
        """Send one frame to the pages that show this widget. From the pump's thread."""
        self.send(header, buffers)

    def rest(self) -> None:
        """Renew what is shown without a kernel. From the pump's thread."""
        self.refresh()

    def refresh(self) -> None:
        """Renew the picture in the notebook's file, and the state that the widget is saved with."""
        if self._display_id is None:
            return
        data, metadata = self._bundle()
        if data == self._shown:
            return
        self._shown = data
        with contextlib.suppress(Exception):  # a front end that went away is no failure of a run
            update_display(data, metadata=metadata, raw=True, display_id=self._display_id)

    # -- what pages say ------------------------------------------------------------------------

    def _hear(self, _widget: object, message: object, _buffers: object) -> None:
        if not isinstance(message, dict):
            return
        handler = self._HANDLERS.get(str(message.get("op")))
        if handler is not None:
            handler(self, message)

    def _sync(self, message: dict[str, Any]) -> None:
        self._pages.add(str(message.get("page")))
        self._pump.attach(self)

    def _idle(self, message: dict[str, Any]) -> None:
        self._pages.discard(str(message.get("page")))
        if not self._pages:
            self._pump.detach(self)

    def _pace(self, message: dict[str, Any]) -> None:
        with contextlib.suppress(TypeError, ValueError):
            self._pump.pace(self, float(message.get("interval", 0)))

    def _answer(self, message: dict[str, Any], **found: object) -> None:
        self.send({"op": "answer", "to": message.get("id"), **found})

    def _cancel(self, message: dict[str, Any]) -> None:
        number = message.get("run")
        asked = self._pump.source.cancel(number if isinstance(number, int) else None)
        self._answer(message, asked=asked)

    def _again(self, message: dict[str, Any]) -> None:
        self._answer(message, text=self._pump.source.again(str(message.get("process"))))

    def _details(self, message: dict[str, Any]) -> None:
        number, process = message.get("run"), str(message.get("process"))
        if isinstance(number, int):
            self._answer(message, details=self._pump.source.details(number, process))

    def _export(self, message: dict[str, Any]) -> None:
        self._answer(message, text=exported(self._pump.source, str(message.get("as"))))

    def _verify(self, message: dict[str, Any]) -> None:
        # Not on the kernel's own thread, which it would hold up. And not a daemon: the
        # interpreter must not exit while the core reads files for this thread.
        def prove() -> None:
            self._answer(message, **self._pump.source.verify())

        threading.Thread(target=prove, name="theus verify").start()

    _HANDLERS: Final = {
        "sync": _sync,
        "idle": _idle,
        "pace": _pace,
        "cancel": _cancel,
        "again": _again,
        "details": _details,
        "export": _export,
        "verify": _verify,
    }

    # -- without a kernel ----------------------------------------------------------------------

    def _bundle(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """Return the widget with a picture and a text beside it."""
        source = self._pump.source
        table, now, lines = source.table(KEPT), source.now(), source.newest(KEPT)
        newest = sorted(table.rows.values(), key=lambda row: row.run)[-KEPT:]
        marks = marks_of(lines or (), table.reads, source.blocked())
        first = newest[0].run if newest else 0
        packed = pack(newest, [read for read in table.reads if min(read[:2]) >= first][-KEPT:])
        self.saved = {
            "now": now,
            "rows": packed.rows,
            "reads": packed.reads,
            "names": packed.names,
            "data": base64.b64encode(packed.data).decode(),
            "lines": lines or [],
            "blocked": source.blocked(),
        }
        data: dict[str, Any] = dict(bundle(newest, now, lines, marks))
        shown = super()._repr_mimebundle_()
        widget, metadata = shown if isinstance(shown, tuple) else ({}, {})
        view = "application/vnd.jupyter.widget-view+json"
        if view in widget:
            data[view] = widget[view]
        return data, metadata

    def _repr_mimebundle_(self, **_options: object) -> tuple[dict[str, Any], dict[str, Any]]:
        return self._bundle()

    def _ipython_display_(self) -> None:
        """Show itself under a display id, so that the picture can be renewed later."""
        # Pages made of the notebook prefer the widget to the picture where its state was saved, and
        # would stay blank without a network. In a live notebook this shows and does nothing.
        display({"text/html": offline()}, raw=True)
        data, metadata = self._bundle()
        self._shown = data
        shown = display(data, metadata=metadata, raw=True, display_id=True)
        self._display_id = shown.display_id if shown is not None else None

    def close(self) -> None:
        """Take the view away; the session goes on."""
        self._pump.detach(self)
        super().close()

    def __repr__(self) -> str:
        return f"<Timeline {len(self._pages)} pages open>"
