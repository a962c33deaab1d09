"""Contracts: what they accept, what they refuse, and how they say it."""

from __future__ import annotations

import json

import pytest

from theus_nb.contract import (
    Contract,
    check_path,
    declares,
    did_you_mean,
    exception_types,
    grants,
    parse_access,
)
from theus_nb.errors import ContractError


def test_a_bare_name_is_a_notebook_variable() -> None:
    contract = Contract.of(inputs=["table", "domain.raw"], outputs=["result?"])
    assert [access.path for access in contract.inputs] == ["nb.table", "domain.raw"]
    assert contract.outputs[0].path == "nb.result"
    assert contract.outputs[0].optional


def test_the_question_mark_makes_optional() -> None:
    assert parse_access("domain.raw?").optional
    assert not parse_access("domain.raw").optional
    assert parse_access("domain.raw?").path == "domain.raw"


def test_a_local_name_is_the_leaf_unless_renamed() -> None:
    assert parse_access("domain.raw").local == "raw"
    renamed = parse_access("mine=nb.raw?")
    assert (renamed.local, renamed.path, renamed.optional) == ("mine", "nb.raw", True)
    assert parse_access(" mine = raw ").path == "nb.raw"


@pytest.mark.parametrize(
    "text", ["domain.raw", "domain.raw?", "table", "table?", "mine=nb.raw", "mine=domain.raw?"]
)
def test_an_access_reads_as_it_was_written(text: str) -> None:
    assert str(parse_access(text)) == text


@pytest.mark.parametrize(
    ("path", "culprit"),
    [
        ("", "''"),
        ("domain.", "''"),
        (".raw", "''"),
        ("domain..raw", "''"),
        ("domain.1st", "'1st'"),
        ("domain.raw data", "'raw data'"),
        ("domain/raw", "'domain/raw'"),
        ("_private", "'_private'"),
        ("domain._private", "'_private'"),
        ("__len__", "'__len__'"),
    ],
)
def test_an_invalid_path_names_the_segment(path: str, culprit: str) -> None:
    with pytest.raises(ContractError) as caught:
        check_path(path)
    message = str(caught.value)
    assert repr(path) in message
    assert culprit in message
    assert "'domain.raw'" in message  # an example of what would be right
    assert caught.value.path == path


def test_names_beginning_with_an_underscore_are_never_paths() -> None:
    with pytest.raises(ContractError, match="begins with '_'"):
        Contract.of(outputs=["domain._ipython_display_"])


@pytest.mark.parametrize("path", [None, 3, b"domain.raw", ["domain.raw"]])
def test_a_path_is_a_string(path: object) -> None:
    with pytest.raises(ContractError, match=type(path).__name__):
        check_path(path)
    with pytest.raises(ContractError, match=type(path).__name__):
        Contract.of(inputs=[path])


def test_notebook_variables_have_no_children() -> None:
    with pytest.raises(ContractError, match=r"'nb\.table\.column'.*'table'"):
        check_path("nb.table.column")


@pytest.mark.parametrize("option", ["inputs", "outputs"])
def test_the_same_path_twice(option: str) -> None:
    with pytest.raises(ContractError, match=rf"{option}.*'domain\.raw' twice") as caught:
        Contract.of(**{option: ["domain.raw", "domain.b", "domain.raw?"]})  # type: ignore[arg-type]
    assert caught.value.path == "domain.raw"
    with pytest.raises(ContractError, match=r"'nb\.table' twice"):
        Contract.of(**{option: ["table", "nb.table"]})  # type: ignore[arg-type]


def test_the_same_path_as_input_and_output_is_an_update() -> None:
    contract = Contract.of(inputs=["domain.raw"], outputs=["domain.raw"])
    assert contract.reads("domain.raw")
    assert contract.writes("domain.raw")


@pytest.mark.parametrize("option", ["inputs", "outputs", "side_effects", "errors"])
def test_a_lone_string_is_no_list(option: str) -> None:
    with pytest.raises(ContractError, match=rf"{option}=\['domain\.raw'\]"):
        Contract.of(**{option: "domain.raw"})  # type: ignore[arg-type]
    with pytest.raises(ContractError, match=option):
        Contract.of(**{option: 3})  # type: ignore[arg-type]


@pytest.mark.parametrize("word", ["", "  ", 3, None])
def test_side_effects_are_words(word: object) -> None:
    with pytest.raises(ContractError, match="side_effects"):
        Contract.of(side_effects=["net", word])


@pytest.mark.parametrize(
    ("effect", "says"),
    [
        ("file:", "names no file: write 'file:out/table.csv'"),
        ("file:a\0b", "names no file"),
        ("signal:", "invalid topic ''"),
        ("signal:a b", "invalid topic 'a b'"),
        ("signal:*.a", "invalid topic"),
    ],
)
def test_effects_that_nothing_could_meet_are_refused(effect: str, says: str) -> None:
    with pytest.raises(ContractError, match=says):
        Contract.of(side_effects=[effect])


def test_effects_that_can_be_met_are_kept_as_they_are() -> None:
    effects = ("net", "gpu:0", "file:out/*.csv", "signal:a.*", "signal: *")
    assert Contract.of(side_effects=effects).side_effects == effects


@pytest.mark.parametrize("error", [3, int, ValueError()])
def test_errors_are_exception_types(error: object) -> None:
    with pytest.raises(ContractError, match="errors takes exception types"):
        Contract.of(errors=[error])


def test_errors_may_be_named() -> None:
    assert Contract.of(errors=[KeyError, "ValueError"]).errors == (KeyError, "ValueError")


@pytest.mark.parametrize("name", ["1st", "_x", "", "a b"])
def test_a_bad_local_name_is_refused(name: str) -> None:
    with pytest.raises(ContractError, match="new_name=path"):
        parse_access(f"{name}=domain.raw")


def test_declaring_a_path_grants_its_children_and_nothing_else() -> None:
    contract = Contract.of(inputs=["domain.a"], outputs=["store"])
    assert contract.reads("domain.a")
    assert contract.reads("domain.a.deep.leaf")
    assert not contract.reads("domain.b")
    assert not contract.reads("domain")
    assert not contract.reads("domain.ab")
    assert not contract.writes("domain.a")
    assert grants("domain", "domain.a.b")
    assert not grants("domain.a", "domain")


def test_an_empty_contract_is_not_an_open_one() -> None:
    assert not Contract.of().is_open
    assert not Contract().is_open
    assert Contract.of(is_open=True).is_open


def test_contracts_are_values() -> None:
    first = Contract.of(inputs=["domain.a"], side_effects=["net"])
    assert first == Contract.of(inputs=["domain.a"], side_effects=["net"])
    assert hash(first) == hash(Contract.of(inputs=["domain.a"], side_effects=["net"]))
    with pytest.raises(AttributeError):
        first.inputs = ()  # type: ignore[misc]  # which is what this line is about


def test_any_iterable_will_do() -> None:
    contract = Contract.of(inputs=(p for p in ["domain.a"]), outputs={"domain.b"})
    assert contract.inputs[0].path == "domain.a"
    assert contract.outputs[0].path == "domain.b"


def test_the_decorator_line_declares_the_contract() -> None:
    contract = Contract.of(
        inputs=["domain.raw?", "table"],
        outputs=["domain.result"],
        side_effects=["net"],
        errors=[ValueError, "OSError"],
    )
    assert contract.decorator_line() == (
        "@process(inputs=['domain.raw?', 'table'], outputs=['domain.result'], "
        "side_effects=['net'], errors=[ValueError, OSError])"
    )
    assert Contract().decorator_line() == "@process()"


def test_the_magic_line_declares_the_contract() -> None:
    contract = Contract.of(inputs=["a", "mine=domain.raw?"], outputs=["b"], side_effects=["net"])
    assert contract.magic_line("fetch") == (
        "%%theus_process fetch --inputs a,mine=domain.raw? --outputs b --side-effects net"
    )


def test_a_corrected_contract_adds_what_was_missing() -> None:
    contract = Contract.of(inputs=["domain.a"]).with_input("domain.b").with_output("nb.c")
    assert contract.decorator_line() == ("@process(inputs=['domain.a', 'domain.b'], outputs=['c'])")


def test_did_you_mean() -> None:
    assert did_you_mean("fetsh", ["fetch", "crunch"]) == "; did you mean 'fetch'?"
    assert did_you_mean("xyz", ["fetch", "crunch"]) == ""
    assert did_you_mean("fetsh", []) == ""


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("JSONDecodeError", True),
        ("json.JSONDecodeError", True),  # as one writes it
        ("json.decoder.JSONDecodeError", True),  # where it is defined
        ("ValueError", True),
        ("builtins.ValueError", True),
        ("csv.JSONDecodeError", False),
        ("json.ValueError", False),
    ],
)
def test_exceptions_are_meant_by_names_with_and_without_dots(name: str, *, meant: bool) -> None:
    with pytest.raises(json.JSONDecodeError) as caught:
        json.loads("{")
    assert declares(exception_types("errors", [name]), caught.value) is meant
