"""Which names a cell reads and binds, found without running it."""

from __future__ import annotations

import pytest

from theus_nb.notebook.names import find_names


@pytest.mark.parametrize(
    ("source", "read"),
    [
        ("y = x", "x"),
        ("x = 1\ny = x", ""),
        ("y = x\nx = 1", ""),
        ("print(table)", "print table"),
        ("x += 1", ""),
        ("del x", ""),
        ("y = a.b.c", "a"),
        ("y = [i for i in items if i > limit]", "items limit"),
        ("y = {k: v for k, v in pairs}", "pairs"),
        ("y = (n := total)", "total"),
        ("def f(a, b=default): return a + deep", "default deep"),
        ("def f():\n def g():\n  return lambda: deepest", "deepest"),
        ("def f():\n x = 1\n def g(): return x", ""),
        ("def f():\n global g\n g = 1\nh = g", ""),
        (
            "class C(Base):\n  attr = inner\n  def m(self): return self.own + outer",
            "Base inner outer",
        ),
        ("class C:\n  own = 1\n  other = own", ""),
        ("@decorate\ndef f(): pass", "decorate"),
        ("def f(a: Kind) -> Result: pass", "Kind Result"),
        ("from __future__ import annotations\ndef f(a: Kind): pass", ""),
        ("import a.b as c, d.e\nfrom f import g as h\nc, d, h", ""),
        ("for i in source: pass\nwith opened as handle: pass\nhandle, i", "source opened"),
        ("try: pass\nexcept Kind as error: error", "Kind"),
        ("match thing:\n case {'a': found, **rest}: found, rest", "thing"),
        ("await fetch(url)", "fetch url"),
        ("y = [x async for x in stream]\nasync with lock: pass", "stream lock"),
        ("f'{inside!r:>{width}}'", "inside width"),
        ("eval('hidden')", "eval"),
    ],
)
def test_names_that_are_read_and_never_bound(source: str, read: str) -> None:
    assert find_names(source).read == set(read.split())


def test_names_defined_by_import_function_and_class() -> None:
    found = find_names(
        "import a.b, c as d\nfrom e import f\ndef g(): pass\nasync def h(): pass\n"
        "class I: pass\nif True:\n    import j\nk = 1\ndef outer():\n    def inner(): pass"
    )
    assert found.defined == {"a", "d", "f", "g", "h", "I", "j", "outer"}
    assert "k" in found.bound
    assert "inner" not in found.bound


def test_star_import_is_noticed() -> None:
    assert find_names("from math import *").star_import
    assert find_names("if True:\n    from math import *  # all").star_import
    assert not find_names("from math import pi  # import *").star_import


def test_source_that_is_not_python() -> None:
    with pytest.raises(SyntaxError):
        find_names("x = (")
