"""The front end's files, as the one module and the one style sheet that a widget may have.

The skeleton of a view lies beside them and reaches the page as part of the widget's state.

The modules in ``static/`` are plain ES modules, checked and tested as such. They keep to a
convention that lets them be laid one behind the other, with no bundler and nothing to fetch:
imports are single lines ``import { name } from "./file.js";``, exports stand in front of
declarations, and a name is declared in one module only. Comments stay here.
"""

from __future__ import annotations

import functools
import re
from pathlib import Path
from typing import Final

STATIC: Final = Path(__file__).parent / "static"

MODULES: Final = (
    "format.js",
    "store.js",
    "wire.js",
    "layout.js",
    "path.js",
    "shades.js",
    "draw.js",
    "details.js",
    "audit.js",
    "other.js",
    "input.js",
    "view.js",
    "main.js",
)
"""Every module after those that it imports from."""

_IMPORT: Final = re.compile(r'^import \{[^}]*\} from "\./[\w.]+";\n', re.MULTILINE)
_EXPORT: Final = re.compile(r"^export (?!default\b)", re.MULTILINE)
_COMMENT: Final = re.compile(r"/\*\*.*?\*/ ?|^ *//[^\n]*", re.MULTILINE | re.DOTALL)
_EMPTY: Final = re.compile(r"^ *\n", re.MULTILINE)


@functools.cache
def script() -> str:
    """Return the front end as one ES module."""
    parts = [(STATIC / name).read_text(encoding="utf-8") for name in MODULES]
    together = "\n".join(_EXPORT.sub("", _IMPORT.sub("", part)) for part in parts)
    return _EMPTY.sub("", _COMMENT.sub("", together))


@functools.cache
def markup() -> str:
    """Return the skeleton of a view, as HTML."""
    return (STATIC / "timeline.html").read_text(encoding="utf-8")


@functools.cache
def offline() -> str:
    """Return what has saved widget state draw itself in a page without a kernel, as HTML."""
    return (STATIC / "offline.html").read_text(encoding="utf-8")


@functools.cache
def saved_styles() -> str:
    """Return the style sheet of the picture in a notebook's file."""
    return (STATIC / "saved.css").read_text(encoding="utf-8")


@functools.cache
def styles() -> str:
    """Return its style sheet."""
    return (STATIC / "timeline.css").read_text(encoding="utf-8")
