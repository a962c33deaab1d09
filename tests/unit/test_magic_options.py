"""The magic line: what is understood, and what is said about the rest."""

from __future__ import annotations

import pytest

from theus_nb.errors import ContractError
from theus_nb.notebook.magics import TheusMagics
from theus_nb.notebook.options import Options, parse_options
from theus_nb.policy import Policy, Rate


def parse(line: str) -> Options:
    return parse_options(TheusMagics.theus_process.parser, line)


def test_all_of_it() -> None:
    options = parse(
        "crunch --inputs domain.raw,mine=table --outputs result? --side-effects net --lane loop"
    )
    assert options.name == "crunch"
    assert [str(a) for a in options.contract.inputs] == ["domain.raw", "mine=nb.table"]
    assert options.contract.outputs[0].optional
    assert options.contract.side_effects == ("net",)
    assert options.lane == "loop"


@pytest.mark.parametrize(
    "line",
    [
        "p -i a,b.c -o d -s net",
        "p -i a, b.c -o d -s net",
        "p -i a , b.c -o d -s net",
        "p -i a -i b.c -o d -s net",
        "-i a,b.c -o d -s net p",
        "p --inputs=a,b.c --outputs=d --side-effects=net",
        "p -i 'a, b.c' -o \"d\" -s 'net'",
    ],
)
def test_ways_to_write_the_same(line: str) -> None:
    assert parse(line) == parse("p --inputs a,b.c --outputs d --side-effects net")


def test_backslash_is_an_ordinary_character() -> None:
    assert parse(r"p -s file:out\x").contract.side_effects == (r"file:out\x",)


def test_neither_inputs_nor_outputs_is_an_open_contract() -> None:
    assert parse("p").contract.is_open
    assert parse("p -s net").contract.is_open
    assert not parse("p -o x?").contract.is_open


@pytest.mark.parametrize(
    "line",
    ["p -i a,b.c -o x? -s net --lane loop", "p", "p -o mine=a.b", "p -b", "p --lane loop -b"],
)
def test_line_can_be_written_back(line: str) -> None:
    options = parse(line)
    assert parse(options.line().removeprefix("%%theus_process ")) == options


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("", ["name"]),
        ("p q", ["'q'", "commas"]),
        ("p -x", ["'-x'"]),
        ("p --input-paths a", ["'--input-paths'", "'--inputs'"]),
        ("p --outputs", ["--outputs"]),
        ("p --lane sky", ["--lane", "'sky'"]),
        ("1p", ["'1p'"]),
        ("p -i 1a", ["--inputs", "'1a'"]),
        ("p -o a..b", ["--outputs", "'a..b'"]),
        ("p -o _a", ["--outputs", "'_a'"]),
        ("p -o a,a", ["--outputs", "twice"]),
        ("p -i a,,b", ["--inputs", "empty"]),
        ("p -i 'a", ["quotation"]),
        ("p -i 1x=a", ["--inputs", "'1x'"]),
    ],
)
def test_what_is_wrong_is_named_beside_a_line_that_is_right(line: str, words: list[str]) -> None:
    with pytest.raises(ContractError) as caught:
        parse(line)
    message = str(caught.value)
    for word in words:
        assert word in message
    example = message.splitlines()[-1].partition("%%theus_process ")[2]
    assert parse(example).contract.inputs


POLICY = "p -o x --timeout 2.5 --retries 3 --retry-on OSError,Weird --backoff 0.5 --limit 4"


def test_how_it_is_run() -> None:
    policy = parse(f"{POLICY} --rate 10/min").policy
    assert policy == Policy(2.5, 3, ("OSError", "Weird"), 0.5, 4, Rate(10, 60.0))
    assert parse("p -o x").policy is None


def test_how_it_is_run_can_be_written_back() -> None:
    options = parse(f"{POLICY} --rate 10/min")
    assert parse(options.line().removeprefix("%%theus_process ")) == options


@pytest.mark.parametrize(
    ("words", "problem", "correct"),
    [
        ("--timeout -1", "timeout is a number of seconds", "--timeout 2.5"),
        ("--timeout soon", "not 'soon'", "--timeout 2.5"),
        ("--retries 3", "after which errors", "--retries 3 --retry-on ConnectionError"),
        ("--limit 1.5", "not 1.5", "--limit 4"),
        ("--rate 3/fortnight", "not '3/fortnight'", "--rate 10/s"),
        (
            "--timeout",
            "--timeout needs a value",
            "domain.raw --outputs table --timeout 2.5",
        ),
        ("--retry-on", "--retry-on needs a value", "--retries 3 --retry-on ConnectionError"),
        ("--rate -1/s", "--rate needs a value", "--rate 10/s"),
        ("--background=1", "--background takes no value", "--outputs table --background"),
        ("--lane worker", "invalid choice: 'worker'", "--lane loop"),
        ("--timeout 1 --lane loop", "--timeout cannot end code on --lane loop", "--inputs"),
    ],
)
def test_how_it_cannot_be_run(words: str, problem: str, correct: str) -> None:
    with pytest.raises(ContractError) as caught:
        parse(f"p -o x {words}")
    said, _, line = str(caught.value).partition("\nA correct line: ")
    assert problem in said
    assert correct in line
    parse(line.removeprefix("%%theus_process "))  # what it recommends is right


def test_background_runs_in_the_pool_unless_the_line_says_otherwise() -> None:
    assert [parse(line).lane for line in ("p", "p --lane cell", "p --lane loop")] == [
        "cell",
        "cell",
        "loop",
    ]
    assert [parse(line).lane for line in ("p -b", "p --background --lane loop")] == ["auto", "loop"]
    assert parse("p -b").background


def test_background_in_the_lane_of_the_cells_is_refused() -> None:
    with pytest.raises(ContractError, match="--background and --lane cell") as caught:
        parse("p --background --lane cell -o x")
    example = str(caught.value).splitlines()[-1].partition("%%theus_process ")[2]
    assert parse(example).background
