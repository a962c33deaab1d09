"""The house rules: who may import whom, how long a file may be, what no file may mention.

The rules are the tables below; docs/architecture.md gives their reasons. Imports are read from the
source, nothing is executed. Imports inside ``if TYPE_CHECKING:`` do not count: they vanish when the
program runs.
"""

from __future__ import annotations

import ast
import dataclasses
import re
import subprocess
import sys
from fnmatch import fnmatch
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT: Final = Path(__file__).parents[1]
PACKAGE: Final = "theus_nb"

# --- Tables: amend these when the house changes, together with docs/architecture.md. --------------

ONLY_FROM: Final[dict[str, tuple[str, ...]]] = {
    # imported module, with everything below it ->
    # the modules that may import it, as patterns without "theus_nb."
    # The widget shows itself under a display id, which only IPython gives.
    "IPython": ("notebook.*", "timeline.widget"),
    "ipykernel": ("notebook.*",),
    "anywidget": ("timeline.widget",),
    "PIL": ("timeline.raster",),
    "theus_nb._core": (
        "run",
        "lanes",
        "dispatcher",
        "access",
        "admitted",
        "context",
        "audit",
        "signals",
        "files",
        "proof",
        "timeline.source",
    ),
    "theus_nb.session": ("notebook.*", "cli", "__init__"),
    "theus_nb.notebook": ("notebook.*", "__init__"),
    "theus_nb.timeline": ("timeline.*", "session", "cli"),
    "theus_nb.cli": (),
    # A name comes from the module that defines it, or imports go round in circles.
    "theus_nb.__init__": (),
}

MAY_IMPORT: Final[dict[str, tuple[str, ...]]] = {
    # module -> the only modules of the package that it may import
    "errors": (),
    "events": ("errors", "contract"),
    "contract": ("errors",),
    "installed": (),
    "policy": ("errors", "contract"),
    "process": ("errors", "contract", "policy"),
    "registry": ("errors", "contract", "process"),
    "decorator": ("errors", "contract", "policy", "process", "registry"),
    "contracts": ("errors", "contract", "decorator"),
    "guard": (),
    "context": ("_core",),
    "access": ("errors", "contract", "_core", "guard"),
    "admitted": ("_core", "guard"),
    "outputs": ("errors", "contract", "guard"),
    "key_file": (),
    "audit_options": ("errors",),
    "audit_place": ("errors",),
    "audit_sync": ("access", "errors", "waiting"),
    "audit_status": (),
    "audit_reading": ("contract", "errors"),
    "audit": (
        "_core",
        "access",
        "errors",
        "audit_options",
        "audit_place",
        "audit_reading",
        "audit_status",
        "audit_sync",
        "key_file",
        "proof",
        "waiting",
    ),
    "whereabouts": (),
    "watch": ("whereabouts",),
    "effects": ("errors", "access"),
    "waiting": ("lanes", "access"),
    "file_paths": ("errors",),
    "staging": ("access",),
    "file_stream": ("errors", "waiting"),
    "file_tables": ("errors", "file_stream"),
    "files": ("_core", "errors", "access", "effects", "file_*", "staging", "waiting"),
    "signals": ("_core", "errors", "contract", "access", "effects", "waiting"),
    "notebook_zone": ("errors", "contract"),
    "publishing": ("lanes",),
    "replacing": ("attempts",),
    "verdict": (),
    "proof": ("_core", "access", "errors", "key_file", "verdict"),
    "logs": ("errors",),
    "output_file": ("errors", "logs"),
    "log_text": ("logs", "verdict"),
    "export": ("errors", "logs"),
    "prune": ("errors", "logs", "proof"),
    "timeline.model": (),
    "timeline.assets": (),
    "timeline.facts": ("timeline.model", "timeline.picture"),
    "timeline.source": ("_core", "errors", "timeline.facts", "timeline.model"),
    "timeline.pump": ("timeline.model", "timeline.source"),
    "timeline.picture": ("timeline.model",),
    "timeline.raster": ("timeline.model", "timeline.picture"),
    "timeline.static": ("timeline.model", "timeline.picture"),
    "timeline.from_log": ("logs", "timeline.model", "timeline.picture", "timeline.static"),
    "timeline.exporting": (
        "timeline.from_log",
        "timeline.model",
        "timeline.picture",
        "timeline.static",
    ),
}

LAZY: Final[dict[str, tuple[str, ...]]] = {
    # module -> modules of the package that it may import inside functions only
    "__init__": ("notebook.*",),
    "session": ("timeline.*",),
    "cli": ("timeline.*",),
}

EAGER_THIRD_PARTY: Final = ("notebook.*", "timeline.*")
"""Where third-party packages may be imported at module level: elsewhere they slow the import."""

MAX_LINES: Final = 400
SIZED: Final = ("theus_nb/*", "rust/*", "tests/*")
SIZED_SUFFIXES: Final = (".py", ".pyi", ".rs", ".js", ".css")

# Written in pieces, or this file would be the first to break the rule.
UNMENTIONABLE: Final[dict[str, str]] = {
    "a path of somebody's machine": r"(?<![\w.~])/(?:root|work|home|Users)/\w|[A-Z]:\\+Users\\",
    "the address of a package registry": "|".join(
        (
            r"pypi\." + "org",
            r"python" + r"hosted\.",
            r"crates\." + "io",
            r"npm" + r"js\.",
            r"deb" + r"ian\.org",
            r"https?://\S+/" + "simple",
        )
    ),
}
CARGO_SOURCE: Final = '"registry+https://github.com/rust-lang/crates.' + 'io-index"'
"""How cargo names its standard source in Cargo.lock, wherever it fetched from."""

# --- Reading imports ------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True)
class Import:
    """One imported name; modules of the package are written without ``theus_nb.``."""

    importer: str
    target: str
    ours: bool
    lazy: bool
    where: str


def package_files() -> list[Path]:
    return sorted((ROOT / PACKAGE).rglob("*.py"))


def module_name(path: Path) -> str:
    """Return the dotted name below the package, ``<subpackage>.__init__`` included."""
    return ".".join(path.relative_to(ROOT / PACKAGE).with_suffix("").parts)


def is_type_checking(test: ast.expr) -> bool:
    name = test.attr if isinstance(test, ast.Attribute) else getattr(test, "id", "")
    return name == "TYPE_CHECKING"


def walk(
    node: ast.AST, *, lazy: bool = False
) -> Iterator[tuple[ast.Import | ast.ImportFrom, bool]]:
    """Yield every import that runs, with whether it stands inside a function."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Import | ast.ImportFrom):
            yield child, lazy
        elif isinstance(child, ast.If) and is_type_checking(child.test):
            for statement in child.orelse:
                yield from walk(ast.Module([statement], []), lazy=lazy)
        else:
            inside = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
            yield from walk(child, lazy=lazy or inside)


def absolute_names(node: ast.Import | ast.ImportFrom, importer: str) -> Iterator[str]:
    """Yield the full names that a statement may load; for ``from a import b`` that is ``a.b``."""
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
        return
    base = node.module or ""
    if node.level:
        package = [PACKAGE, *importer.split(".")[:-1]]
        package = package[: len(package) - node.level + 1]
        base = ".".join([*package, *([base] if base else [])])
    yield from (f"{base}.{alias.name}" for alias in node.names)


def ours(name: str, modules: frozenset[str]) -> str:
    """Shorten a full name of the package to the module that it lies in."""
    parts = name.split(".")[1:]
    for length in range(len(parts), 0, -1):
        module = ".".join(parts[:length])
        for candidate in (module, f"{module}.__init__"):
            if candidate in modules:
                return candidate
    # Either a name defined by the package's own __init__, or a module that does not exist (yet).
    return "__init__" if len(parts) < 2 else ".".join(parts[:-1])


def imports_of(source: str, importer: str, modules: frozenset[str]) -> list[Import]:
    found = []
    for node, lazy in walk(ast.parse(source)):
        where = f"{PACKAGE}/{importer.replace('.', '/')}.py:{node.lineno}"
        for name in absolute_names(node, importer):
            own = name.partition(".")[0] == PACKAGE
            target = ours(name, modules) if own else name
            found.append(Import(importer, target, own, lazy, where))
    return found


def matches(name: str, patterns: tuple[str, ...]) -> bool:
    return any(fnmatch(name, pattern) for pattern in patterns)


# --- Judging them ---------------------------------------------------------------------------------


def broken_only_from(found: Import) -> str | None:
    full = f"{PACKAGE}.{found.target}" if found.ours else found.target
    for guarded, allowed in ONLY_FROM.items():
        if (full == guarded or full.startswith(guarded + ".")) and not matches(
            found.importer, allowed
        ):
            who = ", ".join(allowed) or "nobody in the package"
            return f"imports {full}; allowed: {who} (ONLY_FROM)"
    return None


def broken_may_import(found: Import) -> str | None:
    allowed = MAY_IMPORT.get(found.importer)
    if allowed is None or not found.ours or matches(found.target, allowed):
        return None
    only = ", ".join(allowed) or "nothing of ours"
    return f"imports theus_nb.{found.target}; it may import only {only} (MAY_IMPORT)"


def broken_lazy(found: Import) -> str | None:
    if found.lazy:
        return None
    if found.ours:
        late = matches(found.target, LAZY.get(found.importer, ()))
        return (
            f"imports theus_nb.{found.target} at module level; do it inside a function (LAZY)"
            if late
            else None
        )
    third_party = found.target.partition(".")[0] not in sys.stdlib_module_names
    if third_party and not matches(found.importer, EAGER_THIRD_PARTY):
        return f"imports {found.target} at module level; inside a function it costs only its user"
    return None


def judge(found: Import) -> str | None:
    broken = broken_only_from(found) or broken_may_import(found) or broken_lazy(found)
    return f"{found.where}: {found.importer} {broken}" if broken else None


def modules_of_package() -> frozenset[str]:
    # _core is compiled: it has no source here.
    return frozenset(module_name(path) for path in package_files()) | {"_core"}


@pytest.mark.parametrize("path", package_files(), ids=module_name)
def test_imports_keep_to_the_house(path: Path) -> None:
    found = imports_of(path.read_text(encoding="utf-8"), module_name(path), modules_of_package())
    broken = [sentence for item in found if (sentence := judge(item))]
    assert not broken, "\n" + "\n".join(broken)


@pytest.mark.parametrize(
    ("importer", "source", "complaint"),
    [
        ("state", "import IPython", "allowed: notebook.*"),
        ("state", "def f():\n    from IPython.core import magic", "allowed: notebook.*"),
        ("contract", "from theus_nb import dispatcher", "it may import only errors"),
        ("contract", "from .dispatcher import Dispatcher", "it may import only errors"),
        ("state", "from theus_nb import _core", "imports theus_nb._core; allowed: run"),
        ("state", "from theus_nb._core import Scheduler", "imports theus_nb._core; allowed: run"),
        ("notebook.magics", "from ..cli import main", "allowed: nobody"),
        ("run", "from theus_nb import Session", "imports theus_nb.__init__"),
        ("session", "from theus_nb.timeline import model", "inside a function (LAZY)"),
        ("lanes", "try:\n    import numpy\nexcept ImportError:\n    pass", "costs only its user"),
        ("notebook.magics", "from IPython.core.magic import Magics", None),
        ("run", "from theus_nb import _core", None),
        ("session", "def f():\n    from theus_nb.timeline import model", None),
        ("state", "if TYPE_CHECKING:\n    import IPython", None),
    ],
)
def test_the_judge_sees_what_it_should(importer: str, source: str, complaint: str | None) -> None:
    modules = {
        "__init__",
        "_core",
        "cli",
        "contract",
        "dispatcher",
        "errors",
        "lanes",
        "notebook.__init__",
    }
    modules |= {"notebook.magics", "run", "session", "state", "timeline.__init__", "timeline.model"}
    sentences = [judge(found) for found in imports_of(source, importer, frozenset(modules))]
    if complaint is None:
        assert not any(sentences)
    else:
        assert complaint in str(sentences[0])


def test_the_core_knows_no_python() -> None:
    manifest = (ROOT / "rust/core/Cargo.toml").read_text(encoding="utf-8")
    assert "pyo3" not in manifest, "rust/core must not depend on pyo3: bindings live in rust/python"


@pytest.mark.parametrize("name", ["log", "shared", "writer"])
def test_the_model_decides_every_step_of_the_hand_off(name: str) -> None:
    source = (ROOT / f"rust/core/src/audit/{name}.rs").read_text(encoding="utf-8")
    std = re.findall(r"^use std::sync::(.*);$", source, re.MULTILINE)
    taken = {word for line in std for word in re.findall(r"\w+", line)} - {"atomic"}
    assert taken <= {"Arc", "Ordering", "PoisonError"}, (
        "locks come from crate::sync: see rust/model"
    )
    assert "tokio::time" not in source, "waits come from crate::sync: see rust/model"


# --- Files ----------------------------------------------------------------------------------------


def project_files() -> list[Path]:
    """Return what git tracks or would track; without git there is nothing to judge."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    try:
        listed = subprocess.run(
            command, cwd=ROOT, check=True, capture_output=True, text=True
        ).stdout
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("not a git checkout")
    files = (ROOT / name for name in listed.split("\0") if name)
    return sorted(path for path in files if path.is_file())


def test_no_file_is_too_long() -> None:
    long = []
    for path in project_files():
        name = path.relative_to(ROOT).as_posix()
        if path.suffix in SIZED_SUFFIXES and matches(name, SIZED):
            lines = len(path.read_text(encoding="utf-8").splitlines())
            if lines > MAX_LINES:
                long.append(f"{name}: {lines} lines; split it by idea, {MAX_LINES} is the limit")
    assert not long, "\n" + "\n".join(long)


def test_no_file_mentions_machines_or_registries() -> None:
    found = []
    for path in project_files():
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
        name = path.relative_to(ROOT).as_posix()
        for number, line in enumerate(text.splitlines(), start=1):
            checked = line.replace(CARGO_SOURCE, "") if name == "Cargo.lock" else line
            for what, pattern in UNMENTIONABLE.items():
                if hit := re.search(pattern, checked):
                    found.append(f"{name}:{number}: {what}: {hit.group()}")
    assert not found, "\n" + "\n".join(found)
