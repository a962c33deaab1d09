"""From the source of a cell to a function that runs it."""

# mypy: untyped-calls-exclude=IPython
from __future__ import annotations
import __future__

import ast
import dataclasses
import inspect
from typing import TYPE_CHECKING, Final

from IPython.core.displayhook import DisplayHook

from theus_nb.notebook.affinity import AffinityHint
from theus_nb.notebook.names import Names, find_names

if TYPE_CHECKING:
    import types
    from collections.abc import Callable

    from IPython.core.interactiveshell import InteractiveShell

    from theus_nb.context import Context
    from theus_nb.notebook.namespace import Scope, Vocabulary

_FUTURE: Final = sum(
    getattr(__future__, name).compiler_flag for name in __future__.all_feature_names
)
"""Flags that ``from __future__`` leaves in a code object, for the code compiled after it."""


@dataclasses.dataclass(frozen=True, slots=True)
class CellCode:
    """A compiled cell body.

    Attributes:
        source: The body as the user wrote it.
        filename: Under which tracebacks, the debugger and `inspect.getsource` find it.
        parts: The statements, then the trailing expression; either may be missing.
        names: The global names that it reads and binds.
    """

    source: str
    filename: str
    parts: tuple[types.CodeType, ...]
    names: Names

    @property
    def is_async(self) -> bool:
        """Whether the body awaits at its top level."""
        return any(part.co_flags & inspect.CO_COROUTINE for part in self.parts)

    def run(self, names: dict[str, object]) -> object:
        """Run a body without top-level ``await``; return the value to display."""
        value = None
        for part in self.parts:
            value = eval(part, names)  # noqa: S307 - the user's code is what we are here for
        return value

    async def run_async(self, names: dict[str, object]) -> object:
        """Run a body with top-level ``await``; return the value to display."""
        value = None
        for part in self.parts:
            value = eval(part, names)  # noqa: S307 - the user's code is what we are here for
            if part.co_flags & inspect.CO_COROUTINE:
                value = await value
        return value


def compile_cell(shell: InteractiveShell, raw_cell: str, number: int, body: str) -> CellCode:
    """Compile a cell body so that its lines are those of the notebook cell.

    The lines above the body become comments and the blank lines which IPython drops come back,
    so line 4 of a traceback is line 4 of the cell. Named after the raw cell, the code has the
    file name that the debugger computes for that cell.

    Args:
        shell: Transforms magics and ``!commands``, keeps the source for tracebacks.
        raw_cell: The whole cell, magic line included.
        number: Its execution count.
        body: What stands below the magic line.

    Raises:
        SyntaxError: The body is not Python.
    """
    header = _lines_above(raw_cell, body)
    blank = 0
    for line in body.splitlines():
        if line.strip():
            break
        blank += 1
    source = "".join(f"# {line}\n" for line in header) + "\n" * blank + shell.transform_cell(body)
    filename = shell.compile.cache(source, number, raw_code=raw_cell)
    flags = shell.compile.flags | ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
    tree = compile(source, filename, "exec", flags | ast.PyCF_ONLY_AST, dont_inherit=True)
    tree = shell.transform_ast(tree)
    names = find_names(ast.unparse(tree) if shell.ast_transformers else source, filename)
    parts = _compile_parts(tree, filename, flags, shown=_shows_value(shell, body))
    return CellCode(body, filename, parts, names)


def _lines_above(raw_cell: str, body: str) -> list[str]:
    """Return the lines of a cell that stand above its body; one, when that cannot be told."""
    cell, tail = raw_cell.rstrip(), body.rstrip()
    if tail and cell.endswith(tail):
        return cell[: -len(tail)].splitlines()
    return raw_cell.splitlines()[:1]


def _shows_value(shell: InteractiveShell, body: str) -> bool:
    """Tell whether the trailing expression is to be displayed: not after a trailing ``;``."""
    if shell.ast_node_interactivity == "none":
        return False
    return not DisplayHook.semicolon_at_end_of_expression(body)


def _compile_parts(
    tree: ast.Module, filename: str, flags: int, *, shown: bool
) -> tuple[types.CodeType, ...]:
    """Compile statements and trailing expression apart, so that the latter has a value."""
    statements = tree.body
    last = None
    if shown and statements and isinstance(statements[-1], ast.Expr):
        last = ast.Expression(statements[-1].value)
        statements = statements[:-1]
    parts = []
    if statements:
        module = ast.Module(statements, type_ignores=[])
        parts.append(compile(module, filename, "exec", flags, dont_inherit=True))
        flags |= parts[0].co_flags & _FUTURE
    if last is not None:
        parts.append(compile(last, filename, "eval", flags, dont_inherit=True))
    return tuple(parts)


def make_function(code: CellCode, scope: Scope) -> Callable[..., object]:
    """Return the function of a cell under a contract: ``fn(ctx, vocabulary=None)``.

    It is a coroutine function if the body awaits at its top level. Each call runs the body in a
    namespace of its own and hands outputs and definitions to the context at the end; a body that
    fails hands over nothing.

    Args:
        code: The compiled body.
        scope: What the body may see.
    """

    def run(ctx: Context, vocabulary: Vocabulary | None = None) -> object:
        with AffinityHint(scope.process), scope.open(ctx, vocabulary) as names:
            return code.run(names)

    async def run_async(ctx: Context, vocabulary: Vocabulary | None = None) -> object:
        with scope.open(ctx, vocabulary) as names:
            return await code.run_async(names)

    return _named(run_async if code.is_async else run, scope.process)


def make_open_function(
    code: CellCode, process: str, notebook: dict[str, object]
) -> Callable[..., object]:
    """Return the function of a cell that declares nothing: it runs in the notebook's namespace.

    Args:
        code: The compiled body.
        process: Its name.
        notebook: The namespace to run in.
    """

    def run(_ctx: Context) -> object:
        with AffinityHint(process):
            return code.run(notebook)

    async def run_async(_ctx: Context) -> object:
        return await code.run_async(notebook)

    return _named(run_async if code.is_async else run, process)


def _named(function: Callable[..., object], name: str) -> Callable[..., object]:
    function.__name__ = function.__qualname__ = name
    return function
