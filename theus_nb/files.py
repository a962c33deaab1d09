"""``theus.files`` and ``ctx.files``: files that are complete, old or new, and durable."""

from __future__ import annotations

import asyncio
import io
import json
import os
from asyncio import _get_running_loop
from typing import TYPE_CHECKING, Any

from theus_nb._core import FileWriter
from theus_nb.access import current
from theus_nb.effects import require
from theus_nb.errors import ContractError
from theus_nb.file_paths import covers, declared_as, file_name
from theus_nb.file_stream import CHUNK, FileStream, Written, as_bytes
from theus_nb.file_tables import TextSink, csv_options, writer_of
from theus_nb.staging import Journal, Silent, Staging
from theus_nb.waiting import either, finished

if TYPE_CHECKING:
    from collections.abc import Callable

    import pandas as pd

    from theus_nb._core import Access, StagedFile

    Name = str | bytes | os.PathLike[str] | os.PathLike[bytes]


class Files:
    """Writes files so that each is complete, old or new, at any kill: ``theus.files``.

    The content goes to a temporary in the same directory, is synced, put in the file's place, and
    the directory is synced: when a method has returned, the file survives a loss of power.
    Permissions and extended attributes of a file that is replaced are kept, and symbolic links
    followed; hard links to the old content keep it. Temporaries left by a killed process are called
    ``.name.theus-<pid>-<n>.tmp``.

    Every method is awaited on an event loop, where it never blocks; in a thread without one (a
    sync process) the same call blocks, and lets the interpreter go.

    Inside a process, here as in ``ctx.files``, a file is *staged*: it is written and synced, and
    becomes visible when the run commits, before its state does. A run that fails or is cancelled
    leaves no trace. The process declares the file: ``side_effects=["file:out/*.csv"]``.

    Args:
        journal: Is told what becomes visible.
        access: The run that this belongs to; by default whichever calls.

    Example:
        >>> await theus.files.write_text("out/a.txt", "hello")     # doctest: +SKIP
    """

    def __init__(
        self,
        journal: Journal | None = None,
        access: Access | None = None,
        writer: FileWriter | None = None,
    ) -> None:
        self.journal = journal or Silent()
        self._own = access
        self._made = writer

    @property
    def _writer(self) -> FileWriter:
        if self._made is None:  # the disk's threads start with the first file
            self._made = FileWriter()
        return self._made

    def bound(self, access: Access) -> Files:
        """Return the same for one run, whatever context it is used in."""
        return Files(self.journal, access, self._writer)

    def write_bytes(self, path: Name, data: bytes | bytearray | memoryview) -> Any:  # noqa: ANN401
        """Write a file.

        Args:
            path: Where; relative to the current directory. Its directory must exist.
            data: The content. It must not change until this is done.

        Returns:
            A `Written`: path, length and SHA-256.

        Raises:
            UndeclaredSideEffectError: The running process does not declare the file.
            FileWriteError: It could not be written; it is as it was, unless this says otherwise.
            RunEndedError: The run has ended.

        Cancellation: the file is complete, old or new.

        Example:
            >>> await theus.files.write_bytes("out/a.bin", b"...")     # doctest: +SKIP
        """
        return either(self._write(path, data))

    def write_text(self, path: Name, text: str, *, encoding: str = "utf-8") -> Any:  # noqa: ANN401
        """Write a text file; line ends stay as they are. As `write_bytes`.

        Args:
            path: Where.
            text: The content.
            encoding: How it is encoded.

        Returns:
            A `Written`.

        Raises:
            UnicodeEncodeError: The encoding has no such character (a lone surrogate).
            FileWriteError: As for `write_bytes`.

        Cancellation: the file is complete, old or new.

        Example:
            >>> await theus.files.write_text("out/a.txt", "hello")     # doctest: +SKIP
        """
        if not isinstance(text, str):
            msg = f"write_text writes a str, not {type(text).__name__}: use write_bytes for bytes"
            raise ContractError(msg)
        return either(self._write(path, _encode(text, encoding, path)))

    def write_json(self, path: Name, data: object, *, indent: int | None = 2) -> Any:  # noqa: ANN401
        """Write an object as JSON in UTF-8, as it is at this call. As `write_bytes`.

        Args:
            path: Where.
            data: Anything that `json` takes.
            indent: Spaces per level; None for one line.

        Returns:
            A `Written`.

        Raises:
            TypeError: JSON has nothing for one of the objects.
            ValueError: NaN or infinity: JSON has neither.
            FileWriteError: As for `write_bytes`.

        Cancellation: the file is complete, old or new.

        Example:
            >>> await theus.files.write_json("out/a.json", {"n": 1})   # doctest: +SKIP
        """
        try:
            text = json.dumps(data, indent=indent, ensure_ascii=False, allow_nan=False)
        except (TypeError, ValueError, RecursionError) as error:
            error.add_note(f"{path!r} was not touched")
            raise
        return either(self._write(path, _encode(text + "\n", "utf-8", path)))

    def write_csv(self, path: Name, frame: pd.DataFrame, **options: Any) -> Any:  # noqa: ANN401
        """Write a DataFrame as CSV, through pandas in a worker thread, piece by piece.

        Args:
            path: Where.
            frame: A pandas DataFrame or Series. It must not change until this is done.
            **options: Passed to ``to_csv``. A name that ends in ``.gz``, ``.zip``, ``.bz2``,
                ``.xz``, ``.zst`` or ``.tar`` is compressed, as pandas does it.

        Returns:
            A `Written`.

        Raises:
            ContractError: No DataFrame or Series, or a ``mode``.
            FileWriteError: As for `write_bytes`.

        Cancellation: the file is complete, old or new; the worker thread ends by itself.

        Example:
            >>> await theus.files.write_csv("out/a.csv", frame)        # doctest: +SKIP
        """
        write = writer_of(frame, "to_csv", "a pandas DataFrame or Series")
        given = csv_options(file_name(path), options)
        return either(self._write_by(path, lambda sink: write(sink, **given)))

    def write_parquet(self, path: Name, frame: pd.DataFrame, **options: Any) -> Any:  # noqa: ANN401
        """Write a DataFrame as Parquet; as `write_csv`. pandas needs pyarrow for it."""
        write = writer_of(frame, "to_parquet", "a pandas DataFrame (a Series has .to_frame())")
        return either(self._write_by(path, lambda sink: write(sink, **options)))

    def open(self, path: Name) -> FileStream:
        """Begin a file that is written piece by piece; for data larger than memory.

        Use it with ``async with`` and ``await out.write(...)`` on an event loop, with ``with``
        and ``out.write(...)`` in a thread. The file appears when the block ends, or when the run
        commits; a block left by an exception leaves the old file.

        Args:
            path: Where.

        Returns:
            The stream; after the block ``.written`` tells what was written.

        Raises:
            UndeclaredSideEffectError: The running process does not declare the file.
            FileWriteError: On entering the block or in it, as for `write_bytes`.

        Cancellation: the file is complete, old or new.

        Example:
            >>> async with theus.files.open("out/big.bin") as out:     # doctest: +SKIP
            ...     async for chunk in chunks:
            ...         await out.write(chunk)
        """
        place, access = self._admit(path)
        return FileStream(self, self._writer, place, access)

    async def _write(self, path: Name, data: bytes | bytearray | memoryview) -> Written:
        content = as_bytes(data)
        place, access = self._admit(path)
        if access is None and content.nbytes <= CHUNK:
            ticket = self._writer.write(place, bytes(content))
            return self._visible(await finished(ticket))
        stream = FileStream(self, self._writer, place, access)
        async with stream:
            await stream.append(content)
        return stream.result()

    async def _write_by(self, path: Name, write: Callable[[Any], object]) -> Written:
        place, access = self._admit(path)
        stream = FileStream(self, self._writer, place, access)

        def in_thread() -> Written:
            with stream, io.BufferedWriter(TextSink(stream), CHUNK) as sink:
                write(sink)
            return stream.result()

        if _get_running_loop() is None:
            return in_thread()
        return await asyncio.to_thread(in_thread)

    def _admit(self, path: Name) -> tuple[str, Access | None]:
        """Return the full name of a file, and the run that stages it, if there is one."""
        name = file_name(path)
        access = self._own or current.get()
        if access is None or (access.ended and self._own is None):
            return os.path.abspath(name), None  # noqa: PTH100 - a str; pathlib drops nothing here
        # Behind every link and '..': what is declared is what is written to.
        place = os.path.realpath(name)
        require(access, "file", declared_as(place), lambda pattern: covers(pattern, place))
        return place, None if access.process.contract.is_open else access

    async def keep(self, staged: StagedFile, access: Access | None) -> None:
        """Stage a synced file with a run; without one put it in its place."""
        if access is None:
            self._visible(await finished(self._writer.publish([staged])))
            return
        Staging.of(access, self.publish).add(staged)

    async def publish(self, staged: list[StagedFile]) -> None:
        """Put what a run has staged in its place; the journal knows before and after."""
        await self.journal.intent([file.row for file in staged])
        self._visible(await finished(self._writer.publish(staged)))

    def _visible(self, outcome: tuple[list[tuple[str, int, str]], list[BaseException]]) -> Written:
        rows, errors = outcome
        for row in rows:
            self.journal.written(*row)
        if errors:
            done = ", ".join(repr(path) for path, *_ in rows)
            if done:
                errors[0].add_note(f"of the files of this run {done} have been replaced already")
            raise errors[0]
        return Written(*rows[-1])

    def __repr__(self) -> str:
        return "<Files: write_bytes, write_text, write_json, write_csv, write_parquet, open>"


def _encode(text: str, encoding: str, path: object) -> bytes:
    try:
        return text.encode(encoding)
    except UnicodeEncodeError as error:
        error.add_note(
            f"{path!r} was not touched; write_bytes(path, text.encode({encoding!r}, "
            "'surrogateescape')) writes text that came from undecodable bytes"
        )
        raise


__all__ = ["FileStream", "Files", "Journal", "Written"]
