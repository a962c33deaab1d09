"""Names of processes."""

from __future__ import annotations

import pytest

from theus_nb.contract import Contract
from theus_nb.errors import UnknownProcessError
from theus_nb.process import Process
from theus_nb.registry import Registry


def make(name: str) -> Process:
    return Process.from_cell(name, lambda ctx: ctx, Contract(), source="")


def test_adding_a_name_again_redefines_it() -> None:
    registry = Registry()
    first, second = registry.add(make("fetch")), registry.add(make("fetch"))
    assert first is not second
    assert registry.get("fetch") is second
    assert len(registry) == 1


def test_an_unknown_name_suggests_the_closest() -> None:
    registry = Registry()
    registry.add(make("fetch"))
    with pytest.raises(UnknownProcessError, match="'fetsh'; did you mean 'fetch'") as caught:
        registry.get("fetsh")
    assert caught.value.process == "fetsh"
    assert isinstance(caught.value, LookupError)


def test_an_unknown_name_without_a_neighbour_says_how_to_define_one() -> None:
    with pytest.raises(UnknownProcessError, match=r"'xyz'.*@process.*%%theus_process"):
        Registry().get("xyz")


def test_a_registry_looks_in_its_parent_after_itself() -> None:
    parent = Registry()
    inherited, hidden = parent.add(make("inherited")), parent.add(make("both"))
    registry = Registry(parent)
    own = registry.add(make("both"))
    assert registry.get("inherited") is inherited
    assert registry.get("both") is own
    assert parent.get("both") is hidden
    assert registry.names() == ["both", "inherited"]
    assert list(registry) == [own, inherited]
    with pytest.raises(UnknownProcessError, match="did you mean 'inherited'"):
        registry.get("inherit")


def test_iteration_is_by_name_and_membership_too() -> None:
    registry = Registry()
    for name in ("b", "a"):
        registry.add(make(name))
    assert [process.name for process in registry] == ["a", "b"]
    assert "a" in registry
    assert "c" not in registry
    assert "a, b" in repr(registry)


def test_a_name_may_be_forgotten() -> None:
    registry = Registry()
    registry.add(make("fetch"))
    registry.remove("fetch")
    registry.remove("fetch")
    assert "fetch" not in registry
