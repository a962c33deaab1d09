"""The model itself, on programs small enough to check by hand."""

from __future__ import annotations

from hypothesis import HealthCheck, given, settings

from tests.property.model import Spec, execute
from tests.property.programs import Program, programs


def increment(name: str) -> Spec:
    return Spec(name, inputs=("domain.all.a",), outputs=("domain.all.a",), writes=("domain.all.a",))


def test_updates_wait_for_each_other_in_a_row() -> None:
    trace = execute(tuple(increment(f"p{n}") for n in range(10)), {"domain.all.a": []})
    assert trace.value("domain.all.a") == [f"p{n}" for n in range(10)]
    assert trace.waits("p0") == (set(), set())
    assert trace.waits("p7")[0] == {"p6"}


def test_writers_wait_for_nobody() -> None:
    writer = Spec("p1", outputs=("domain.all.a",), writes=("domain.all.a",))
    reader = Spec("p2", inputs=("domain.all.a",))
    trace = execute((increment("p0"), writer, reader), {"domain.all.a": []})
    assert trace.waits("p1") == (set(), set())
    assert trace.waits("p2") == ({"p1"}, {"p1"})
    assert trace.outcomes["p2"].seen == {"domain.all.a": ["p1"]}


def test_an_update_waits_for_the_readers_of_its_version_and_of_no_other() -> None:
    runs = (
        Spec("old", inputs=("domain.all.a",)),
        Spec("write", outputs=("domain.all.a",), writes=("domain.all.a",)),
        Spec("new", inputs=("domain.all",)),
        Spec("other", inputs=("domain.all.c",)),
        increment("update"),
    )
    trace = execute(runs, {"domain.all.a": ["first"]})
    assert trace.waits("update")[0] == {"write", "new"}


def test_an_unwritten_optional_output_is_looked_through() -> None:
    runs = (
        Spec("sure", outputs=("domain.all.a",), writes=("domain.all.a",)),
        Spec("perhaps", outputs=("domain.all.a?",)),
        Spec("reader", inputs=("domain.all.a",)),
    )
    trace = execute(runs, {})
    assert trace.waits("reader")[0] == {"sure", "perhaps"}
    assert trace.outcomes["reader"].seen == {"domain.all.a": ["sure"]}


def test_a_failure_hides_the_path_until_it_is_written_again() -> None:
    runs = (
        Spec("bad", outputs=("domain.all.c",), ending="raise early"),
        Spec(
            "reader",
            inputs=("domain.all.c.x?",),
            outputs=("domain.all.b",),
            writes=("domain.all.b",),
        ),
        Spec("second", inputs=("domain.all.b",)),
        Spec("writer", outputs=("domain.all.c.x",), writes=("domain.all.c.x",)),
        Spec("third", inputs=("domain.all.c.x",)),
        Spec("fourth", inputs=("domain.all.c",)),
        Spec("good", outputs=("domain.all.c",), writes=("domain.all.c.x", "domain.all.c.y")),
        Spec("fifth", inputs=("domain.all",)),
    )
    trace = execute(runs, {"domain.all.b": ["first"]})
    kinds = {name: [f.kind for f in out.failures] for name, out in trace.outcomes.items()}
    assert kinds["reader"] == kinds["second"] == kinds["fourth"] == ["UpstreamError"]
    assert trace.outcomes["second"].root == "bad"
    assert kinds["third"] == []
    assert [e.node for e in trace.failures_at("domain.all.b")] == ["domain.all.b"]
    assert kinds["fifth"] == ["UpstreamError"]
    assert not trace.failures_at("domain.all.c")


def test_children_commit_though_their_parent_fails() -> None:
    child = Spec(
        "child", inputs=("domain.all.a",), outputs=("domain.all.a",), writes=("domain.all.a",)
    )
    parent = Spec(
        "parent",
        inputs=("domain.all.a",),
        outputs=("domain.all.a?", "domain.all.b"),
        children=(child,),
        ending="raise early",
    )
    after = Spec("after", inputs=("domain.all.a", "domain.all.b?"))
    trace = execute((parent, after), {"domain.all.a": ["first"]})
    assert trace.value("domain.all.a") == ["first", "child"]
    assert trace.outcomes["parent"].seen_after == {"domain.all.a": ["first", "child"]}
    assert trace.waits("after")[0] == {"parent", "child"}
    assert trace.outcomes["after"].failures[0].paths == {"domain.all.b"}


def test_a_cancelled_run_fails_its_outputs() -> None:
    runs = (
        increment("first"),
        increment("cancelled"),
        Spec("reader", inputs=("domain.all.a",)),
    )
    trace = execute(runs, {"domain.all.a": []}, frozenset({"cancelled"}))
    assert trace.value("domain.all.a") == ["first"]
    assert trace.outcomes["reader"].root == "cancelled"


@settings(derandomize=True, database=None, suppress_health_check=[HealthCheck.too_slow])
@given(programs())
def test_nobody_waits_for_something_later(program: Program) -> None:
    trace = execute(program.runs, program.initial)
    for name in trace.places:
        must, may = trace.waits(name)
        assert must <= may
        assert all(trace.places[other] < trace.places[name] for other in may)
