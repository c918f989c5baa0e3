"""The command line: what it takes, and how it says what it does not."""

from __future__ import annotations

from pathlib import Path

import grpc
import pytest
from seq2sum._command.command_line import parser
from seq2sum._command.complaints import complaint, one_line, shown
from seq2sum._errors import error_of
from seq2sum._servable import Servable

VERBS = ("add", "status", "explain", "watch", "describe")


def parsed(*line, **environment):
    return parser(environment).parse_args(line)


def test_the_target_is_an_option_or_a_variable_or_the_default():
    assert parsed("status").target == "localhost:8500"
    assert parsed("status", SEQ2SUM_TARGET="").target == "localhost:8500"
    assert parsed("status", SEQ2SUM_TARGET="a:1").target == "a:1"
    assert parsed("status", "--target", "b:2", SEQ2SUM_TARGET="a:1").target == "b:2"


def test_several_addresses_are_a_list():
    assert parsed("status", "--target", "1.2.3.4:1, 1.2.3.5:2").target == ["1.2.3.4:1", "1.2.3.5:2"]
    assert parsed("status", SEQ2SUM_TARGET="1.2.3.4:1,1.2.3.5:2").target == [
        "1.2.3.4:1",
        "1.2.3.5:2",
    ]
    assert parsed("status", "--target", "ipv4:1.2.3.4:1,1.2.3.5:2").target.startswith("ipv4:")


@pytest.mark.parametrize(
    ("given", "weights"),
    [
        ("stable=95,canary=5", {"stable": 95, "canary": 5}),
        ("3=0.5, 4=1", {3: 0.5, 4: 1}),
        ("stable=0,canary=1", {"stable": 0, "canary": 1}),
    ],
)
def test_a_split_is_weights(given, weights):
    assert parsed("add", "--split", given, "1+1").split.weights == weights


def test_a_split_without_weights_is_a_file():
    assert parsed("add", "--split", "traffic.json", "1+1").split == Path("traffic.json")
    assert parsed("add", "1+1").split is None
    assert parsed("status").split is None


def test_bytes_that_no_encoding_has_stay_bytes():
    assert parsed("add", "1+1", "\udcff+1", "ä").questions == ["1+1", b"\xff+1", "ä"]


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_teaches_by_examples(verb, capsys):
    with pytest.raises(SystemExit) as ended:
        parsed(verb, "--help")
    assert ended.value.code == 0
    told = capsys.readouterr().out
    assert f"examples:\n  seq2sum {verb}" in told
    assert "Exit status: 0" in told
    assert max(map(len, told.splitlines())) <= 100


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ((), "the following arguments are required: VERB"),
        (("subtract",), "invalid choice: 'subtract'"),
        (("add", "--timeout", "soon", "1+1"), "'soon' is not a time: seconds, 0 or more"),
        (("add", "--timeout", "nan", "1+1"), "'nan' is not a time"),
        (("add", "--version", "-1", "1+1"), "--version"),
        (("add", "--version", str(2**64), "1+1"), "is not a version"),
        (("add", "--version", "1", "--label", "a", "1+1"), "not allowed with"),
        (("add", "--split", "a=1", "--label", "a", "1+1"), "not allowed with"),
        (("add", "--version", "1", "--split", "a=1", "1+1"), "not allowed with"),
        (("add", "--split", "a=1,b", "1+1"), "is not a split like stable=95,canary=5: ''"),
        (("add", "--split", "a=much", "1+1"), "'much' is not a weight"),
        (("add", "--split", "a=1,a=2", "1+1"), "it names a twice"),
        (("add", "--split", "a=0", "1+1"), "a split needs at least one weight above 0"),
        (("add", "--split", "a=-1,b=1", "1+1"), "expected finite numbers, 0 or more"),
        (("add", "--split", f"{2**63}=1", "1+1"), "it does not fit into 64 bits"),
        (("add", "--split", "=1", "1+1"), "invalid label ''"),
        (("status", "--split", "a=1"), "unrecognized arguments: --split"),
        (("add", "--in-flight", "0", "1+1"), "'0' is not a count"),
        (("add", "--model", "\udcff", "1+1"), "is not a name"),
        (("add", "--target", "a:1,", "1+1"), "is not an address"),
        (("add", "--format", "xml", "1+1"), "invalid choice: 'xml'"),
        (("add", "--inp", "x"), "unrecognized arguments: --inp"),
        (("explain",), "required: A+B"),
    ],
)
def test_a_wrong_command_line_is_told_in_one_line(line, said, capsys):
    with pytest.raises(SystemExit) as ended:
        parsed(*line)
    assert ended.value.code == 2
    [told] = capsys.readouterr().err.splitlines()
    assert told.startswith("seq2sum")
    assert said in told
    assert told.endswith("--help")


@pytest.mark.parametrize(
    ("code", "details", "advice"),
    [
        (grpc.StatusCode.UNAVAILABLE, "refused", "; is a server running at a:1?"),
        (grpc.StatusCode.UNAVAILABLE, "SSL_ERROR_SSL: CERTIFICATE_VERIFY_FAILED", "or --ca"),
        (grpc.StatusCode.NOT_FOUND, "no", "; name the model that it serves with --model"),
        (grpc.StatusCode.DEADLINE_EXCEEDED, "late", "; give it longer with --timeout"),
        (grpc.StatusCode.RESOURCE_EXHAUSTED, "full", "; ask fewer at once"),
        (grpc.StatusCode.UNIMPLEMENTED, "what?", "seq2sum describe"),
        (grpc.StatusCode.UNAUTHENTICATED, "who?", "--token-file"),
        (grpc.StatusCode.INTERNAL, "oh", "]"),
    ],
)
def test_errors_come_with_what_to_do(code, details, advice):
    told = complaint(error_of(code, details, target="a:1", servable=Servable("seq2sum")))
    assert advice in told


def test_what_others_wrote_moves_no_cursor():
    assert one_line("a\r\nb\x1b[2J\u2028ü") == "a  b\\x1b[2J ü"
    assert shown(b"\xff1+1") == "\\xff1+1"
