"""Drives a real kernel as a front end does, and sorts what it says by the cell that caused it."""

from __future__ import annotations

import dataclasses
import os
import queue
import re
import time
from typing import TYPE_CHECKING, Any, Self

from jupyter_client.manager import KernelManager

if TYPE_CHECKING:
    import pathlib
    from collections.abc import Callable, Mapping

Message = dict[str, Any]

_COLOUR = re.compile(r"\x1b\[[0-9;]*m")


class KernelSilentError(AssertionError):
    """The kernel did not say in time what a test waits for."""


@dataclasses.dataclass
class Cell:
    """What one execute request brought about.

    Attributes:
        message_id: Of the request; every output that belongs to the cell carries it as parent.
        messages: Everything published under that parent, so far.
        reply: Content of the execute reply.
    """

    message_id: str
    messages: list[Message] = dataclasses.field(default_factory=list)
    reply: dict[str, Any] = dataclasses.field(default_factory=dict)
    idle: bool = False

    def _contents(self, kind: str) -> list[dict[str, Any]]:
        return [m["content"] for m in self.messages if m["msg_type"] == kind]

    def _stream(self, name: str) -> str:
        return "".join(c["text"] for c in self._contents("stream") if c["name"] == name)

    @property
    def status(self) -> str:
        return str(self.reply["status"])

    @property
    def count(self) -> int:
        return int(self.reply["execution_count"])

    @property
    def stdout(self) -> str:
        return self._stream("stdout")

    @property
    def stderr(self) -> str:
        return self._stream("stderr")

    @property
    def result(self) -> str | None:
        """Text of what stands behind ``Out[n]:``, or None."""
        found = [str(c["data"]["text/plain"]) for c in self._contents("execute_result")]
        assert len(found) <= 1
        return found[0] if found else None

    @property
    def displays(self) -> list[dict[str, Any]]:
        """MIME bundles of what was displayed."""
        return [c["data"] for c in self._contents("display_data")]

    @property
    def error(self) -> str:
        """Name and message of the error, as in the last line of a traceback; empty if none."""
        found = self._contents("error")
        assert len(found) <= 1, "one error is shown once"
        return _COLOUR.sub("", f"{found[0]['ename']}: {found[0]['evalue']}") if found else ""

    @property
    def traceback(self) -> str:
        """What the user reads, without colours."""
        return _COLOUR.sub(
            "", "\n".join(line for c in self._contents("error") for line in c["traceback"])
        )


class Kernel:
    """One kernel process and a client to it.

    Args:
        folder: Its working directory.
        env: More environment variables.
    """

    def __init__(self, folder: pathlib.Path, env: Mapping[str, str] | None = None) -> None:
        self._manager = KernelManager(kernel_name="python3")
        self._manager.start_kernel(cwd=str(folder), env={**os.environ, **(env or {})})
        self._client = self._manager.blocking_client()
        self._client.start_channels()
        self._client.wait_for_ready(timeout=60)
        self._cells: dict[str, Cell] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.stop_channels()
        self._manager.shutdown_kernel(now=True)
        self._manager.cleanup_resources()

    def send(self, code: str, *, subshell: str | None = None, **options: bool) -> Cell:
        """Send an execute request, perhaps to a subshell, and do not wait for anything."""
        content = {
            "code": code,
            "silent": False,
            "store_history": True,
            "user_expressions": {},
            "allow_stdin": False,
            "stop_on_error": True,
            **options,
        }
        message = self._client.session.msg("execute_request", content)
        if subshell is not None:
            message["header"]["subshell_id"] = subshell
        cell = self._cells[message["header"]["msg_id"]] = Cell(message["header"]["msg_id"])
        self._client.shell_channel.send(message)
        return cell

    def open_subshell(self) -> str:
        """Have the kernel make a subshell; return its identifier."""
        message = self._client.session.msg("create_subshell_request", {})
        self._client.control_channel.send(message)
        while True:
            reply: Message = self._client.get_control_msg(timeout=20)
            if reply["parent_header"].get("msg_id") == message["header"]["msg_id"]:
                return str(reply["content"]["subshell_id"])

    def answer(self, text: str, timeout: float = 20) -> str:
        """Answer the next `input()` of the kernel; return its prompt."""
        request: Message = self._client.get_stdin_msg(timeout=timeout)
        self._client.input(text)
        return str(request["content"]["prompt"])

    def restart(self) -> None:
        """Restart the kernel, whatever it is doing."""
        self._manager.restart_kernel()
        self._client.wait_for_ready(timeout=60)

    def run(
        self, code: str, *, timeout: float = 20, subshell: str | None = None, **options: bool
    ) -> Cell:
        """Execute a cell and return it when it has ended."""
        return self.wait(self.send(code, subshell=subshell, **options), timeout)

    def good(self, code: str, *, timeout: float = 20) -> Cell:
        """Execute a cell that must succeed."""
        cell = self.run(code, timeout=timeout)
        assert cell.status == "ok", cell.traceback or cell.stderr
        return cell

    def bad(self, code: str, *, timeout: float = 20) -> Cell:
        """Execute a cell that must fail."""
        cell = self.run(code, timeout=timeout)
        assert cell.status == "error", cell.stdout
        return cell

    def value(self, expression: str) -> str:
        """Return the repr of an expression, evaluated in the notebook."""
        return str(self.good(expression).result)

    def wait(self, cell: Cell, timeout: float = 20) -> Cell:
        """Wait until a cell has ended: its reply is there, and its outputs are complete."""
        self.wait_until(lambda: cell.idle, timeout)
        while not cell.reply:
            reply = self._client.get_shell_msg(timeout=timeout)
            known = self._cells.get(reply["parent_header"].get("msg_id", ""))
            if known is not None:
                known.reply = reply["content"]
        return cell

    def wait_until(self, done: Callable[[], bool], timeout: float = 20) -> None:
        """Read what the kernel publishes until something is true."""
        deadline = time.monotonic() + timeout
        while not done():
            try:
                self._receive(max(0.0, deadline - time.monotonic()))
            except queue.Empty:
                said = {i: [m["content"] for m in c.messages] for i, c in self._cells.items()}
                msg = f"nothing after {timeout} s; last cell: {list(said.values())[-1:]}"
                raise KernelSilentError(msg) from None

    def request(self, kind: str, content: dict[str, Any], timeout: float = 20) -> dict[str, Any]:
        """Send another request on the shell channel; return the content of the reply."""
        message = self._client.session.msg(kind, content)
        self._client.shell_channel.send(message)
        while True:
            reply: Message = self._client.get_shell_msg(timeout=timeout)
            if reply["parent_header"].get("msg_id") == message["header"]["msg_id"]:
                return dict(reply["content"])

    def notify(self, kind: str, content: dict[str, Any]) -> None:
        """Send a message that has no reply on the shell channel."""
        self._client.shell_channel.send(self._client.session.msg(kind, content))

    def complete(self, code: str) -> list[str]:
        """Return the completions at the end of some code."""
        reply = self.request("complete_request", {"code": code, "cursor_pos": len(code)})
        return list(reply["matches"])

    def interrupt(self) -> None:
        """Press the stop button."""
        self._manager.interrupt_kernel()

    def shut_down(self) -> float:
        """Ask the kernel to exit, as a front end does; return the seconds it took."""
        begin = time.monotonic()
        self._manager.shutdown_kernel()
        return time.monotonic() - begin

    def _receive(self, timeout: float) -> None:
        message = self._client.get_iopub_msg(timeout=timeout)
        cell = self._cells.get(message["parent_header"].get("msg_id", ""))
        if cell is None:
            return
        if message["msg_type"] == "status":
            cell.idle = message["content"]["execution_state"] == "idle"
        else:
            cell.messages.append(message)
