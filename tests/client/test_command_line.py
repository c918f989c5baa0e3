"""The command line: options, help, and errors."""

from __future__ import annotations

from pathlib import Path

import grpc
import pytest
from seq2sum._command.command_line import parser
from seq2sum._command.errors import error_message, one_line, question_text
from seq2sum._errors import error_of
from seq2sum._servable import Servable

VERBS = ("add", "status", "explain", "watch", "describe")


def parsed(*line, **environment):
    return parser(environment).parse_args(line)


def test_target_comes_from_the_option_the_environment_or_the_default():
    assert parsed("status").target == "localhost:8500"
    assert parsed("status", SEQ2SUM_TARGET="").target == "localhost:8500"
    assert parsed("status", SEQ2SUM_TARGET="a:1").target == "a:1"
    assert parsed("status", "--target", "b:2", SEQ2SUM_TARGET="a:1").target == "b:2"


def test_target_of_several_addresses_is_a_list():
    assert parsed("status", "--target", "1.2.3.4:1, 1.2.3.5:2").target == ["1.2.3.4:1", "1.2.3.5:2"]
    assert parsed("status", SEQ2SUM_TARGET="1.2.3.4:1,1.2.3.5:2").target == [
        "1.2.3.4:1",
        "1.2.3.5:2",
    ]
    assert parsed("status", "--target", "ipv4:1.2.3.4:1,1.2.3.5:2").target.startswith("ipv4:")


@pytest.mark.parametrize(
    ("text", "weights"),
    [
        ("stable=95,canary=5", {"stable": 95, "canary": 5}),
        ("3=0.5, 4=1", {3: 0.5, 4: 1}),
        ("stable=0,canary=1", {"stable": 0, "canary": 1}),
    ],
)
def test_split_has_weights(text, weights):
    assert parsed("add", "--split", text, "1+1").split.weights == weights


def test_split_without_weights_is_a_file():
    assert parsed("add", "--split", "traffic.json", "1+1").split == Path("traffic.json")
    assert parsed("add", "1+1").split is None
    assert parsed("status").split is None


def test_undecodable_questions_are_bytes():
    assert parsed("add", "1+1", "\udcff+1", "ä").questions == ["1+1", b"\xff+1", "ä"]


@pytest.mark.parametrize("verb", VERBS)
def test_help_of_every_verb_has_examples_and_exit_codes(verb, capsys):
    with pytest.raises(SystemExit) as exited:
        parsed(verb, "--help")
    assert exited.value.code == 0
    output = capsys.readouterr().out
    assert f"examples:\n  seq2sum {verb}" in output
    assert "Exit status: 0" in output
    assert max(map(len, output.splitlines())) <= 100


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ((), "the following arguments are required: VERB"),
        (("subtract",), "invalid choice: 'subtract'"),
        (("add", "--timeout", "soon", "1+1"), "invalid time 'soon': expected seconds from 0 to"),
        (("add", "--timeout", "nan", "1+1"), "invalid time 'nan'"),
        (("add", "--version", "-1", "1+1"), "--version"),
        (("add", "--version", str(2**64), "1+1"), "expected a non-negative integer"),
        (("add", "--version", "1", "--label", "a", "1+1"), "not allowed with"),
        (("add", "--split", "a=1", "--label", "a", "1+1"), "not allowed with"),
        (("add", "--version", "1", "--split", "a=1", "1+1"), "not allowed with"),
        (
            ("add", "--split", "a=1,b", "1+1"),
            "expected weights like stable=95,canary=5: invalid weight ''",
        ),
        (("add", "--split", "a=much", "1+1"), "invalid weight 'much': expected a number"),
        (("add", "--split", "a=1,a=2", "1+1"), "a occurs twice"),
        (("add", "--split", "a=0", "1+1"), "a split needs at least one weight above 0"),
        (("add", "--split", "a=-1,b=1", "1+1"), "expected finite numbers, 0 or more"),
        (("add", "--split", f"{2**63}=1", "1+1"), "it does not fit into 64 bits"),
        (("add", "--split", "=1", "1+1"), "invalid label ''"),
        (("status", "--split", "a=1"), "unrecognized arguments: --split"),
        (("add", "--max-in-flight", "0", "1+1"), "invalid count '0': expected a positive integer"),
        (("add", "--model", "\udcff", "1+1"), "expected printable text"),
        (("add", "--target", "a:1,", "1+1"), "invalid address"),
        (("add", "--format", "xml", "1+1"), "invalid choice: 'xml'"),
        (("add", "--inp", "x"), "unrecognized arguments: --inp"),
        (("explain",), "required: A+B"),
    ],
)
def test_invalid_command_line_is_reported_in_one_line(line, message, capsys):
    with pytest.raises(SystemExit) as exited:
        parsed(*line)
    assert exited.value.code == 2
    [output] = capsys.readouterr().err.splitlines()
    assert output.startswith("seq2sum")
    assert message in output
    assert output.endswith("--help")


@pytest.mark.parametrize(
    ("code", "details", "advice"),
    [
        (grpc.StatusCode.UNAVAILABLE, "refused", "; is a server running at a:1?"),
        (grpc.StatusCode.UNAVAILABLE, "SSL_ERROR_SSL: CERTIFICATE_VERIFY_FAILED", "or --ca"),
        (grpc.StatusCode.NOT_FOUND, "no", "; set the name of a served model with --model"),
        (grpc.StatusCode.DEADLINE_EXCEEDED, "late", "; set a longer --timeout"),
        (grpc.StatusCode.RESOURCE_EXHAUSTED, "full", "; set a smaller --max-in-flight"),
        (grpc.StatusCode.UNIMPLEMENTED, "what?", "seq2sum describe"),
        (grpc.StatusCode.UNAUTHENTICATED, "who?", "--token-file"),
        (grpc.StatusCode.INTERNAL, "oh", "]"),
    ],
)
def test_error_message_has_advice(code, details, advice):
    output = error_message(error_of(code, details, target="a:1", servable=Servable("seq2sum")))
    assert advice in output


def test_one_line_escapes_control_characters():
    assert one_line("a\r\nb\x1b[2J\u2028ü") == "a  b\\x1b[2J ü"
    assert question_text(b"\xff1+1") == "\\xff1+1"
