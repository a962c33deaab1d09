"""Which names a piece of code reads and binds in its global namespace."""

from __future__ import annotations

import symtable
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator


class Names(NamedTuple):
    """What a cell does with global names, found without running it.

    Attributes:
        read: Looked up by the cell, at any depth (nested functions, comprehensions, class
            bodies), and bound nowhere in it.
        bound: Bound somewhere in the cell, by whatever statement.
        defined: Bound by an import, a ``def`` or a ``class`` at the top of the cell.
        star_import: Whether ``from module import *`` brings names nobody can foresee.
    """

    read: frozenset[str]
    bound: frozenset[str]
    defined: frozenset[str]
    star_import: bool = False


def find_names(source: str, filename: str = "<cell>") -> Names:
    r"""Find the names with the compiler's own symbol tables.

    Annotations that are never evaluated, attributes and the local names of functions do not
    count. A class body that binds a name of its own is trusted to bind it before it reads it;
    where it does not, the lookup fails when the cell runs.

    Args:
        source: Python source; top-level ``await`` is allowed.
        filename: Named in a `SyntaxError`.

    Raises:
        SyntaxError: The source is not Python.

    Example:
        >>> find_names("import math\ny = math.floor(x)").read
        frozenset({'x'})
    """
    top = symtable.symtable(source, filename, "exec")
    read: set[str] = set()
    bound: set[str] = set()
    defined: set[str] = set()
    for symbol in top.get_symbols():
        name = symbol.get_name()
        if symbol.is_imported() or symbol.is_namespace():
            defined.add(name)
        if symbol.is_referenced():
            read.add(name)
    bound |= defined | {s.get_name() for s in top.get_symbols() if s.is_assigned()}
    for table in _nested(top):
        for symbol in table.get_symbols():
            if not symbol.is_global():
                continue
            if symbol.is_assigned() or symbol.is_imported() or symbol.is_namespace():
                bound.add(symbol.get_name())
            if symbol.is_referenced():
                read.add(symbol.get_name())
    return Names(
        read=frozenset(read - bound),
        bound=frozenset(bound),
        defined=frozenset(defined),
        star_import=_has_star_import(source),
    )


def _nested(table: symtable.SymbolTable) -> Iterator[symtable.SymbolTable]:
    """Yield every scope below one, at any depth."""
    for child in table.get_children():
        yield child
        yield from _nested(child)


def _has_star_import(source: str) -> bool:
    """Tell whether a line imports ``*``; the symbol tables do not mention it.

    A look-alike inside a string is harmless: the cell is then only checked as it runs.
    """
    return any(
        line.lstrip().startswith("from ") and line.split("#")[0].rstrip().endswith("import *")
        for line in source.splitlines()
    )
