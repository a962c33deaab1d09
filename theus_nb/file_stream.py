"""A file on its way to the disk, piece by piece."""

from __future__ import annotations

import dataclasses
import io
from asyncio import _get_running_loop
from typing import TYPE_CHECKING, Any, Final, Self

from theus_nb.errors import ContractError, FileWriteError
from theus_nb.waiting import either, finished

if TYPE_CHECKING:
    from theus_nb._core import Access, DraftFile, FileWriter
    from theus_nb.files import Files

CHUNK: Final = 4 << 20
"""Bytes handed to the disk's threads at once: so much is held twice."""


@dataclasses.dataclass(frozen=True, slots=True)
class Written:
    """A file that was written, or staged by a run that has not committed yet.

    Attributes:
        path: Where it is, symbolic links resolved.
        bytes: Its length.
        sha256: SHA-256 of its content, in hexadecimal.
    """

    path: str
    bytes: int
    sha256: str


class FileStream:
    """A file that is being written piece by piece; made by `Files.open`.

    Attributes:
        written: What was written, once the block has ended well.
    """

    def __init__(self, files: Files, writer: FileWriter, path: str, access: Access | None) -> None:
        self._files = files
        self._writer = writer
        self._path = path
        self._access = access
        self._draft: DraftFile | None = None
        self._busy = False
        self.written: Written | None = None

    def write(self, data: bytes | bytearray | memoryview) -> Any:  # noqa: ANN401 - None, awaited
        """Append bytes; ``await`` it on an event loop.

        Raises:
            FileWriteError: They could not be written, or the block is not entered.

        Cancellation: leave the block; the file stays as it was.
        """
        return either(self.append(as_bytes(data)))

    async def append(self, content: memoryview) -> None:
        """Append bytes, in pieces."""
        if self._draft is None or self._busy:
            why = "an earlier write has not ended" if self._busy else "use it inside its block"
            msg = f"cannot write to {self._path!r}: {why}; await each write in turn"
            raise FileWriteError(msg, path=self._path)
        self._busy = True
        try:
            for start in range(0, content.nbytes, CHUNK):
                await finished(self._draft.write(bytes(content[start : start + CHUNK])))
        finally:
            self._busy = False

    def result(self) -> Written:
        """Return what was written.

        Raises:
            FileWriteError: The block has not ended well.
        """
        if self.written is None:
            msg = f"{self._path!r} has not been written: its block has not ended well"
            raise FileWriteError(msg, path=self._path)
        return self.written

    async def __aenter__(self) -> Self:
        if self._draft is not None or self.written is not None:
            msg = f"{self._path!r} is written already: open it anew with theus.files.open(...)"
            raise FileWriteError(msg, path=self._path)
        self._draft = await finished(self._writer.open(self._path))
        return self

    async def __aexit__(self, kind: object, *exc_info: object) -> None:
        draft, self._draft = self._draft, None
        if draft is None:
            return
        if kind is not None:
            draft.discard()
            return
        staged = await finished(draft.seal())
        row = staged.row
        await self._files.keep(staged, self._access)
        self.written = Written(*row)

    def __enter__(self) -> Self:
        _refuse_on_loop()
        return either(self.__aenter__())  # type: ignore[no-any-return]

    def __exit__(self, kind: object, *exc_info: object) -> None:
        either(self.__aexit__(kind, *exc_info))


class Sink(io.RawIOBase):
    """A stream as the file object that pandas writes to, in a thread."""

    def __init__(self, stream: FileStream) -> None:
        self._stream = stream
        self._at = 0

    def writable(self) -> bool:
        """Tell that it is."""
        return True

    def tell(self) -> int:
        """Return how much has been written."""
        return self._at

    def write(self, data: Any, /) -> int:  # noqa: ANN401 - any buffer
        """Append bytes; return how many."""
        content = as_bytes(data)
        self._stream.write(content)
        self._at += content.nbytes
        return content.nbytes


def _refuse_on_loop() -> None:
    if _get_running_loop() is not None:
        msg = "'with' would block the event loop: write 'async with theus.files.open(...)'"
        raise ContractError(msg)


def as_bytes(data: object) -> memoryview:
    """Return a flat view of bytes, or explain that these are none."""
    try:
        view = memoryview(data)  # type: ignore[arg-type]
    except TypeError:
        msg = f"only bytes can be written, not {type(data).__name__}: use write_text for text"
        raise ContractError(msg) from None
    return view.cast("B") if view.contiguous else memoryview(view.tobytes())
