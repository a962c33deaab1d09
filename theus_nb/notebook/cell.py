"""From the source of a cell to a function that runs it."""

# mypy: untyped-calls-exclude=IPython
from __future__ import annotations
import __future__

import ast
import dataclasses
import inspect
import itertools
import weakref
from typing import TYPE_CHECKING, Final

from IPython.core.displayhook import DisplayHook
from IPython.display import display

from theus_nb.access import current
from theus_nb.notebook.affinity import AffinityHint
from theus_nb.notebook.names import Names, find_names

if TYPE_CHECKING:
    import types
    from collections.abc import Callable

    from IPython.core.interactiveshell import InteractiveShell

    from theus_nb.context import Context
    from theus_nb.notebook.namespace import Scope, Vocabulary, Workspace

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
        parts: The statements, then the trailing expression; either may be missing. Where every
            expression is shown there are more of both, in their order.
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
            _show(value)
            value = eval(part, names)  # noqa: S307 - the user's code is what we are here for
        return value

    async def run_async(self, names: dict[str, object]) -> object:
        """Run a body with top-level ``await``; return the value to display."""
        value = None
        for part in self.parts:
            _show(value)
            value = eval(part, names)  # noqa: S307 - the user's code is what we are here for
            if part.co_flags & inspect.CO_COROUTINE:
                value = await value
        return value


def _show(value: object) -> None:
    """Display the value of an expression that is not the last one of its cell."""
    if value is not None:
        display(value)


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
    parts = _compile_parts(tree.body, filename, flags, _interactivity(shell, body))
    return CellCode(body, filename, parts, names)


def _lines_above(raw_cell: str, body: str) -> list[str]:
    """Return the lines of a cell that stand above its body; one, when that cannot be told."""
    cell, tail = raw_cell.rstrip(), body.rstrip()
    if tail and cell.endswith(tail):
        return cell[: -len(tail)].splitlines()
    return raw_cell.splitlines()[:1]


def _interactivity(shell: InteractiveShell, body: str) -> str:
    """Return which expressions are to be shown, as IPython's option says: none after ``;``."""
    if DisplayHook.semicolon_at_end_of_expression(body):
        return "none"
    return str(shell.ast_node_interactivity)


def _compile_parts(
    statements: list[ast.stmt], filename: str, flags: int, interactivity: str
) -> tuple[types.CodeType, ...]:
    """Compile statements and the expressions to be shown apart, so that those have values."""
    if interactivity == "last_expr_or_assign":
        statements = [*statements, *_assigned_name(statements)]
    parts: list[types.CodeType] = []
    for shown, group in itertools.groupby(
        statements, key=lambda statement: _is_shown(statement, statements[-1], interactivity)
    ):
        together = list(group)
        trees: list[ast.Module | ast.Expression] = [ast.Module(together, type_ignores=[])]
        if shown:
            trees = [ast.Expression(s.value) for s in together if isinstance(s, ast.Expr)]
        for tree in trees:
            mode = "eval" if shown else "exec"
            parts.append(compile(tree, filename, mode, flags, dont_inherit=True))
            flags |= parts[0].co_flags & _FUTURE
    return tuple(parts)


def _is_shown(statement: ast.stmt, last: ast.stmt, interactivity: str) -> bool:
    """Tell whether the value of a statement is to be shown."""
    if not isinstance(statement, ast.Expr) or interactivity == "none":
        return False
    return statement is last or interactivity == "all"


def _assigned_name(statements: list[ast.stmt]) -> list[ast.stmt]:
    """Return an expression for the name that the last statement assigns, if it assigns one."""
    last = statements[-1] if statements else None
    if isinstance(last, ast.Assign) and len(last.targets) == 1:
        target = last.targets[0]
    elif isinstance(last, ast.AugAssign | ast.AnnAssign):
        target = last.target
    else:
        return []
    if not isinstance(target, ast.Name):
        return []
    name = ast.Expr(ast.Name(target.id, ast.Load()))
    return [ast.fix_missing_locations(ast.copy_location(name, last))]


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
        with AffinityHint(scope.process), _open(scope, ctx, vocabulary) as names:
            return code.run(names)

    async def run_async(ctx: Context, vocabulary: Vocabulary | None = None) -> object:
        with _open(scope, ctx, vocabulary) as names:
            return await code.run_async(names)

    return _named(run_async if code.is_async else run, scope.process)


def _open(scope: Scope, ctx: Context, vocabulary: Vocabulary | None) -> Workspace:
    """Open the namespace of one run, in which ``ctx.commit()`` knows the names of outputs."""
    workspace = scope.open(ctx, vocabulary)
    access = current.get()
    if access is not None:
        # Weakly: the workspace holds the context, and with it the access; its values must go
        # when the body has ended, not when the collector comes by.
        write = weakref.WeakMethod(workspace.write_outputs)

        def hand_over() -> None:
            present = write()
            if present is not None:
                present()

        access.hand_over = hand_over
    return workspace


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
