"""The magics: ``%%theus_process`` and ``%theus``."""

# mypy: disallow-untyped-decorators=False
from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

from IPython.core import magic, magic_arguments
from IPython.core.magic import Magics, magics_class, no_var_expand

from theus_nb.notebook import options as opt
from theus_nb.notebook.cell import compile_cell, make_function, make_open_function
from theus_nb.notebook.commands import run_command, wait
from theus_nb.notebook.figures import with_figures
from theus_nb.notebook.interrupt import InterruptedProcess, was_interrupted
from theus_nb.notebook.namespace import Scope
from theus_nb.notebook.traceback import user_part
from theus_nb.notebook.transformer import AWAIT_MAGIC, PROCESS_MAGIC, WAIT_MAGIC
from theus_nb.process import Process

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from IPython.core.interactiveshell import InteractiveShell

    from theus_nb.notebook.background import Background
    from theus_nb.notebook.host import CellRecord
    from theus_nb.notebook.namespace import Vocabulary
    from theus_nb.session import Session

# IPython's decorators have no types, or wrong ones.
_argument: Final[Any] = magic_arguments.argument
_arguments: Final[Any] = magic_arguments.magic_arguments
_cell_magic: Final[Any] = magic.cell_magic
_line_magic: Final[Any] = magic.line_magic


@magics_class
class TheusMagics(Magics):
    """Everything of theus_nb that begins with a percent sign."""

    def __init__(
        self,
        shell: InteractiveShell,
        session: Session,
        record: CellRecord,
        background: Background,
    ) -> None:
        super().__init__(shell)
        self._shell = shell
        self._session = session
        self._record = record
        self._background = background

    @no_var_expand
    @_arguments(f"%{PROCESS_MAGIC}")
    @_argument("name", nargs="?", help="name of the process; theus.run(name) runs it again")
    @_argument(*opt.INPUTS.flags, **opt.INPUTS.keywords)
    @_argument(*opt.OUTPUTS.flags, **opt.OUTPUTS.keywords)
    @_argument(*opt.SIDE_EFFECTS.flags, **opt.SIDE_EFFECTS.keywords)
    @_argument(*opt.LANE.flags, **opt.LANE.keywords)
    @_argument(*opt.TIMEOUT.flags, **opt.TIMEOUT.keywords)
    @_argument(*opt.RETRIES.flags, **opt.RETRIES.keywords)
    @_argument(*opt.RETRY_ON.flags, **opt.RETRY_ON.keywords)
    @_argument(*opt.BACKOFF.flags, **opt.BACKOFF.keywords)
    @_argument(*opt.LIMIT.flags, **opt.LIMIT.keywords)
    @_argument(*opt.RATE.flags, **opt.RATE.keywords)
    @_argument(*opt.BACKGROUND.flags, **opt.BACKGROUND.keywords)
    @_cell_magic(PROCESS_MAGIC)
    def theus_process(self, line: str, cell: str) -> object:
        """Run this cell as a named process with a contract.

        The inputs are there under their last segment (domain.raw as raw), the outputs are
        whatever their names are bound to at the end, everything else stays private to the cell.
        Imports, functions and classes become notebook names. With neither inputs nor outputs
        the cell runs in the notebook's namespace, like any other.

        A cell with top-level await runs on the kernel's event loop, any other in a worker thread,
        and the loop stays free meanwhile. With --background the kernel goes on at once and the
        cell's value is the run: await it, or %theus wait. Executed again, the cell takes the
        place of its unfinished run.

        Example:
            %%theus_process crunch --inputs domain.raw --outputs table
            table = summarise(raw)
        """
        # Reached where nobody could await: under %%time, in a nested run_cell, in the terminal.
        process, arguments, background = self._define(line, cell)
        if background:
            return self._background.start(process, arguments)
        earlier = self._background.take_unfinished(process.name)
        if earlier is not None:
            earlier.cancel("its cell was executed again")
        try:
            return self._session.run_sync(process, *arguments)
        except KeyboardInterrupt as error:
            if user_part(error.__traceback__) is None:  # nothing of the user's was running
                raise InterruptedProcess(process.name) from None
            raise

    @no_var_expand
    @_cell_magic(AWAIT_MAGIC)
    def theus_process_await(self, line: str, cell: str) -> Awaitable[object]:
        """What a %%theus_process cell is rewritten to; not for use by hand."""
        return self._run(line, cell)

    @_line_magic(WAIT_MAGIC)
    def theus_wait(self, line: str) -> Awaitable[None]:
        """What %theus wait is rewritten to; not for use by hand."""
        return self._wait(line.split()[1:])

    @_line_magic("theus")
    def theus(self, line: str) -> None:
        """Look at the session and steer it; ``%theus help`` lists the commands."""
        run_command(self._session, line)

    async def _run(self, line: str, cell: str) -> object:
        process, arguments, background = self._define(line, cell)
        if background:
            return self._background.start(process, arguments)
        earlier = self._background.take_unfinished(process.name)
        try:
            if earlier is not None:
                return await self._session.replace(earlier, process, *arguments)
            return await self._session.run(process, *arguments)
        except asyncio.CancelledError:
            if was_interrupted():
                raise InterruptedProcess(process.name) from None
            raise

    async def _wait(self, words: list[str]) -> None:
        await wait(self._session, words)  # from here, so that tracebacks show nothing above

    def _define(self, line: str, body: str) -> tuple[Process, tuple[Vocabulary, ...], bool]:
        """Turn a cell into a registered process; nothing is registered if anything is wrong.

        Returns:
            The process; the arguments of its first run: what the notebook offers now, so that a
            run which has to wait for its inputs does not see names that came later; and whether
            it is to run in the background.
        """
        options = opt.parse_options(self.theus_process.parser, line)
        if not body.strip():
            raise opt.empty_body(options)
        raw, number = self._record.source(f"%%{PROCESS_MAGIC} {line}", body)
        code = compile_cell(self._shell, raw, number, body)
        arguments: tuple[Vocabulary, ...] = ()
        if options.contract.is_open:
            function = make_open_function(code, options.name, self._shell.user_ns)
        else:
            scope = Scope(
                options.name, options.contract, code.names, self._shell.user_ns, options.line
            )
            arguments = (scope.vocabulary(),)
            function = make_function(code, scope)
        if options.background:
            function = with_figures(function)
        process = Process.from_cell(
            options.name,
            function,
            options.contract,
            source=body,
            lane=options.lane,
            policy=options.policy,
        )
        self._session.registry.add(process)
        return process, arguments, options.background
