"""The live view. The only module that imports anywidget."""

# mypy: untyped-calls-exclude=IPython
from __future__ import annotations

import base64
import contextlib
import threading
import time
from typing import TYPE_CHECKING, Any, Final

import anywidget
import traitlets
from IPython.display import display, update_display

from theus_nb.errors import ContractError
from theus_nb.timeline.assets import markup, offline, saved_styles, script, styles
from theus_nb.timeline.exporting import exported
from theus_nb.timeline.from_log import marks_of
from theus_nb.timeline.model import pack
from theus_nb.timeline.pump import HEARTBEAT, LATE
from theus_nb.timeline.raster import png
from theus_nb.timeline.static import bundle

if TYPE_CHECKING:
    from theus_nb.timeline.pump import Pump

KEPT: Final = 2_000
"""Rows and entries that a saved notebook shows without a kernel."""

PATIENCE: Final = 40.0
"""Seconds without a word from any page after which nobody is there; pages say so every ten."""

VIEW: Final = "application/vnd.jupyter.widget-view+json"

WITHOUT: Final = "The timeline is live where the kernel of its session runs."
"""Beside a picture, where widgets are not known."""


class Timeline(anywidget.AnyWidget):
    """A live view of a session; shown by the notebook when it is a cell's last value.

    Args:
        pump: Brings the frames.
        height: Height of the lanes in pixels, 120 to 2,000.

    Raises:
        ContractError: ``height`` is no whole number.
    """

    _esm = traitlets.Unicode(script()).tag(sync=True)
    _css = traitlets.Unicode(styles()).tag(sync=True)
    markup = traitlets.Unicode(markup()).tag(sync=True)
    height = traitlets.Int(280).tag(sync=True)
    saved = traitlets.Dict().tag(sync=True)
    """What is drawn where no kernel answers."""

    _clock = staticmethod(time.monotonic)

    def __init__(self, pump: Pump, *, height: int = 280) -> None:
        if type(height) is not int:
            msg = f"height is a number of pixels, not {height!r}"
            raise ContractError(msg)
        super().__init__(height=max(120, min(height, 2_000)))
        self._pump = pump
        # While a live view stands somewhere on a page, the picture of it stays away.
        self.markup += f"<style>.theus-{self.model_id} {{ display: none; }}</style>"
        self._pages: set[str] = set()
        self._silence = 0.0
        self._sent: float | None = None
        self._display_id: str | None = None
        self._shown: dict[str, Any] = {}
        self._png = ""
        self._renewing = threading.Lock()
        self._outdated = False
        self.on_msg(self._hear)
        pump.picture(self)
        # Kept private by ipykernel: without it the answer to a click waits for the blocked cell.
        if hasattr(self.comm, "_reply_subshell_for"):
            with contextlib.suppress(AttributeError):
                self.comm._reply_subshell_for = lambda _data, default: default  # noqa: SLF001

    # -- the view of a pump --------------------------------------------------------------------

    def deliver(self, header: dict[str, Any], buffers: list[bytes]) -> None:
        """Send one frame to the pages that show this widget. From the pump's thread.

        A page that was closed or has crashed does not say so; one that is there says it from time
        to time. So frames stop when nothing was heard for long while the kernel could hear.
        """
        now = self._clock()
        # Where the loop is held up, what pages say waits for it.
        if self._sent is not None and header["lag"] is not None and header["lag"] < LATE:
            self._silence += min(now - self._sent, HEARTBEAT)
        self._sent = now
        if self._silence > PATIENCE:
            self._pages.clear()
            self._pump.detach(self)
            return
        self.send(header, buffers)

    def rest(self) -> None:
        """Renew what is shown without a kernel. From the pump's thread."""
        self.refresh()

    def refresh(self) -> None:
        """Renew the picture in the notebook's file, and the state that the widget is saved with.

        Called at the end of a cell and from the pump's thread. Who finds the other at it asks for
        one more round and goes on: the picture shown last is never the older one.
        """
        self._outdated = True
        while self._outdated and self._renewing.acquire(blocking=False):
            try:
                self._outdated = False
                self._renew()
            finally:
                self._renewing.release()

    def _renew(self) -> None:
        if self._display_id is None:
            return
        data = self._picture()
        if data == self._shown:
            return
        with contextlib.suppress(Exception):  # a front end that went away is no failure of a run
            update_display(data, raw=True, display_id=self._display_id)
            self._shown = data

    # -- what pages say ------------------------------------------------------------------------

    def _hear(self, _widget: object, message: object, _buffers: object) -> None:
        if not isinstance(message, dict):
            return
        self._silence = 0.0
        handler = self._HANDLERS.get(str(message.get("op")))
        if handler is not None:
            handler(self, message)

    def _sync(self, message: dict[str, Any]) -> None:
        self._pages.add(str(message.get("page")))
        self._pump.attach(self)

    def _here(self, message: dict[str, Any]) -> None:
        if str(message.get("page")) not in self._pages:
            self._sync(message)  # it slept for long, and was forgotten

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
        "here": _here,
        "idle": _idle,
        "pace": _pace,
        "cancel": _cancel,
        "again": _again,
        "details": _details,
        "export": _export,
        "verify": _verify,
    }

    # -- without a kernel ----------------------------------------------------------------------

    def _picture(self) -> dict[str, Any]:
        """Return the picture and the text, and renew the state that the widget is saved with."""
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
        # Drawing takes longer than all the rest. Where a page shows the view, its pump has it
        # done once nothing happens any more, in a thread for which nobody waits.
        in_thread = threading.current_thread() is not threading.main_thread()
        if in_thread or not self._pages or not self._png:
            self._png = base64.b64encode(png(newest, now, marks)).decode()
        data = {**bundle(newest, now, lines, marks), "image/png": self._png}
        data["text/html"] = (
            f'<div class="theus-static theus-{self.model_id}">{data["text/html"]}</div>'
            f"<style>{saved_styles()}</style>{offline()}"
        )
        return data

    def _view(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """Return what live front ends show, with what others do."""
        shown = super()._repr_mimebundle_()
        widget, metadata = shown if isinstance(shown, tuple) else ({}, {})
        kept = {VIEW: widget[VIEW]} if VIEW in widget else {}
        return {**kept, "text/plain": WITHOUT}, metadata

    def _repr_mimebundle_(self, **_options: object) -> tuple[dict[str, Any], dict[str, Any]]:
        data, metadata = self._view()
        return {**data, **self._picture()}, metadata

    def _ipython_display_(self) -> None:
        """Show the picture under a display id, by which it is renewed later, and then itself.

        They are two outputs: where no kernel answers, JupyterLab shows an error for a widget and
        nothing that stands in the same output. And renewing the picture leaves the view alone.
        """
        self._shown = self._picture()
        shown = display(self._shown, raw=True, display_id=True)
        self._display_id = shown.display_id if shown is not None else None
        data, metadata = self._view()
        display(data, metadata=metadata, raw=True)

    def close(self) -> None:
        """Take the view away; the session goes on."""
        self._pump.detach(self)
        super().close()

    def __repr__(self) -> str:
        return f"<Timeline {len(self._pages)} pages open>"
