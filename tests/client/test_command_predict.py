"""`seq2sum predict` on a fake server: rows, order, bad rows, formats, failed calls."""

from __future__ import annotations

import base64
import csv
import io
import json
import math

import grpc
import pytest
from seq2sum import TensorSpec
from seq2sum._command.json_rows import InvalidRow, parse_row
from seq2sum._float_digits import shortest
from seq2sum.testing import FakeServer, FakeSignature
from support.command_runs import runner

TEXTS, FLOATS = TensorSpec("DT_STRING", (-1,)), TensorSpec("DT_FLOAT", (-1,))


def score(inputs):
    texts = inputs["text"].strings
    if "bad" in texts:
        raise ValueError("cannot read 'bad'")
    scores = [math.nan if text == "nan" else len(text) / 10 for text in texts]
    return {"raw": [raw.replace(b"!", b"\xff") for raw in inputs["text"].tolist()], "score": scores}


def whole(inputs):
    return {"sum": sum(inputs["x"].tolist()), "pairs": [[x, -x] for x in inputs["x"].tolist()]}


SIGNATURES = {
    "serving_default": FakeSignature(score, {"text": TEXTS}, {"raw": TEXTS, "score": FLOATS}),
    "whole": FakeSignature(
        whole, {"x": FLOATS},
        {"sum": TensorSpec("DT_FLOAT", ()), "pairs": TensorSpec("DT_FLOAT", (-1, 2))},
    ),
    "broken": FakeSignature(score, {"text": TEXTS}, {"error": TEXTS}),
    "two": FakeSignature(
        lambda inputs: inputs["a"], {"a": TensorSpec("DT_INT64", (-1, -1)), "b": TEXTS},
        {"y": TensorSpec("DT_INT64", (-1, -1))},
    ),
}  # fmt: skip


@pytest.fixture(scope="module")
def module_server():
    with FakeServer(
        model="any", signatures=SIGNATURES, versions=(1, 2), labels={"old": 1}
    ) as found:
        yield found


@pytest.fixture
def server(module_server):
    module_server.calls.clear()
    return module_server


@pytest.fixture
def run(server, capsys, tmp_path):
    """Runs the command with these lines as its input; returns exit code, stdout and stderr."""
    command = runner(server, capsys)

    def run(lines, *options):
        path = tmp_path / "rows.jsonl"
        path.write_bytes(lines if isinstance(lines, bytes) else "\n".join(lines).encode())
        return command("predict", "--model", "any", "--input", path, *options)

    return run


def predicts(server):
    return [call for call in server.calls if call.method == "Predict"]


def test_rows_are_written_in_order_with_few_calls(run, server):
    code, out, err = run([json.dumps({"text": "x" * (n % 7)}) for n in range(1000)])
    assert (code, err) == (0, "")
    assert [json.loads(line)["score"] for line in out.splitlines()] == [
        (n % 7) / 10 for n in range(1000)
    ]
    assert len(predicts(server)) == 8
    assert out.splitlines()[1] == '{"raw": "x", "score": 0.1}'


def test_a_row_may_be_the_value_of_the_only_input(run):
    encoded = base64.b64encode(b"a\xff").decode()
    code, out, _ = run(
        ['"ab"', json.dumps({"b64": encoded}), json.dumps({"text": {"b64": "YQ=="}})]
    )
    assert code == 0
    raw = [json.loads(line)["raw"] for line in out.splitlines()]
    assert raw == ["ab", {"b64": encoded}, "a"]


BAD_LINES = [
    (b"", "the line is empty"),
    (b"\xff", "the line is not UTF-8"),
    (b"{", "not valid JSON"),
    (b"[" * 100_000, "not valid JSON"),
    (b"[1e400]", "the number '1e400' is too large"),
    (b'["' + b"1" * 400 + b'", 1e+0999]', "the number '1e+0999' is too large"),
    (b'{"text": "a", "text": "b"}', "an object has the name 'text' twice"),
    (b'{"text": {"b64": "*"}}', "is not base64"),
    (b'{"text": {"a": 1}}', "an object is not a value"),
    (b'{"text": 1}', "expected DT_STRING of shape [any], not 1 of type int"),
    (b'{"text": null}', "not None"),
    (b"null", "not None"),
    (b'{"text": ["a"]}', "of shape [1, 1]"),
    (b'{"words": "a"}', "inputs missing ['text'] and unknown ['words']"),
    (b'{"text": "a", "more": "b"}', "inputs unknown ['more']"),
    (b'"bad"', "cannot read 'bad' [INVALID_ARGUMENT]"),
    (b'"nan"', "output 'score' has the value NaN, which JSON does not have"),
]


def test_bad_row_does_not_affect_other_rows(run):
    lines = [part for line, _ in BAD_LINES for part in (b'"ok"', line)]
    code, out, err = run(b"\n".join(lines) + b"\n")
    rows = [json.loads(line) for line in out.splitlines()]
    assert code == 1
    assert rows[::2] == [{"raw": "ok", "score": 0.2}] * len(BAD_LINES)
    for row, (_, message) in zip(rows[1::2], BAD_LINES, strict=True):
        assert list(row) == ["error"]
        assert message in row["error"]
    counted = f"{len(BAD_LINES)} answered, {len(BAD_LINES)} refused"
    assert err == f"seq2sum: {counted}: see the messages in the field error\n"


def test_csv_has_a_column_for_each_output_and_for_errors(run):
    lines = ['"ok"', '"a,\\"b\\"\\r"', '"no!"', '"nan"', '"bad"', '""']
    code, out, _ = run(lines, "--format", "csv")
    rows = list(csv.reader(io.StringIO(out, newline="")))
    assert code == 1
    assert rows[0] == ["raw", "score", "error"]
    assert rows[1:5] == [
        ["ok", "0.2", ""],
        ['a,"b"\r', "0.6", ""],
        [json.dumps({"b64": base64.b64encode(b"no\xff").decode()}), "0.3", ""],
        ["nan", "NaN", ""],
    ]
    assert rows[5][:2] == ["", ""]
    assert "cannot read 'bad'" in rows[5][2]
    assert rows[6] == ["", "0.0", ""]


def test_outputs_without_rows_belong_to_a_single_row(run, server):
    code, out, _ = run(["1", "2", "0.1"], "--signature", "whole")
    assert code == 0
    assert [json.loads(line) for line in out.splitlines()] == [
        {"pairs": [x, -x], "sum": x} for x in (1.0, 2.0, 0.1)
    ]
    assert [call.inputs["x"].shape for call in predicts(server)] == [(1,)] * 3
    out = run(["1"], "--signature", "whole", "--format", "csv")[1]
    assert out == 'pairs,sum,error\n"[1.0, -1.0]",1.0,\n'


def test_rows_of_different_lengths_are_sent_separately(run):
    rows = [{"a": list(range(n)), "b": "x"} for n in (2, 2, 3, 1)]
    code, out, _ = run(map(json.dumps, rows), "--signature", "two")
    assert (code, [json.loads(line)["y"] for line in out.splitlines()]) == (
        0, [row["a"] for row in rows],
    )  # fmt: skip


def test_options_select_version_outputs_and_batch_size(run, server):
    out = run(['"a"'] * 5, "--label", "old", "--outputs", "score", "--batch-size", 2)[1]
    assert out == '{"score": 0.1}\n' * 5
    assert sorted(len(call.inputs["text"]) for call in predicts(server)) == [1, 2, 2]
    assert {call.label for call in server.calls} == {"old"}
    server.calls.clear()
    run(['"a"'] * 3, "--version", 1, "--line-buffered", "--timeout", 5)
    assert [len(call.inputs["text"]) for call in predicts(server)] == [1, 1, 1]
    assert {call.version for call in server.calls} == {1}
    assert all(call.time_remaining < 5.1 for call in server.calls)


def test_split_sends_calls_to_its_variants(run, server):
    assert run(['"a"'] * 40, "--split", "old=1,2=1", "--batch-size", 1)[0] == 0
    assert {(call.label, call.version) for call in predicts(server)} == {("old", None), (None, 2)}
    server.calls.clear()
    assert run(['"a"'], "--split", f"{server.target}=1", "--label", "old")[0] == 2
    code, _, err = run(['"a"'], "--split", "host:99999=1")
    assert (code, "port '99999' is not a number from 1 to 65535" in err) == (2, True)
    other = {"signatures": SIGNATURES, "model": "any"}
    with FakeServer(**other) as target:
        assert run(['"a"'] * 3, "--split", f"{target.target}=1")[0] == 0
        assert len(predicts(target)) == 1
    assert predicts(server) == []


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--signature", "nope"], "version 2 has no signature 'nope'"),
        (["--outputs", "nope"], "unknown outputs ['nope']"),
        (["--signature", "broken"], "the output 'error' has the name of the field for errors"),
        (["--version", "9"], "list the available versions"),
    ],
)
def test_error_that_affects_every_row_ends_the_command(run, server, options, message):
    code, out, err = run(['"a"'], *options)
    assert (code, out, err.count("\n"), predicts(server)) == (1, "", 1, [])
    assert message in err


def test_unreachable_server_ends_the_command_after_the_completed_rows(run, server, tmp_path):
    server.before_reply = lambda call: (
        call.method == "Predict"
        and "stop" in call.inputs["text"].strings
        and server.fail(grpc.StatusCode.UNAVAILABLE, times=20)
    )
    output = tmp_path / "out.jsonl"
    output.write_text("before")
    lines, options = ['"a"', '"stop"', '"b"'], ("--batch-size", 1, "--max-in-flight", 1)
    try:
        code, out, err = run(lines, *options)
        assert (code, out) == (1, '{"raw": "a", "score": 0.1}\n')
        assert err.startswith("seq2sum: stopped after 1 rows:\nseq2sum: made to fail [UNAVAILABLE")
        server._failures.clear()
        assert run(lines, *options, "--output", output)[0] == 1
        assert output.read_text() == "before"
        assert sorted(path.name for path in tmp_path.iterdir()) == ["out.jsonl", "rows.jsonl"]
    finally:
        server.before_reply = lambda _: None
        server._failures.clear()
    assert run(lines[:1], "--output", output)[:2] == (0, "")
    assert output.read_text() == '{"raw": "a", "score": 0.1}\n'


@pytest.mark.parametrize(
    ("line", "row"),
    [
        ("[1, [2.5]]", [1, [2.5]]),
        ('{"a": true, "b64": "YQ=="}', {"a": True, "b64": "YQ=="}),
        ("{}", {}),
        ('[1e300, 1e-400, "1e400", -1e99]', [1e300, 0.0, "1e400", -1e99]),
        ('{"b64": 1}', {"b64": 1}),
    ],
)
def test_parse_row(line, row):
    assert parse_row(line) == row


def test_line_that_was_cut_is_reported_as_too_long():
    with pytest.raises(InvalidRow, match="the line is too long"):
        parse_row('{"text": "aaaa…')


@pytest.mark.parametrize(
    ("dtype", "value", "text"),
    [("FLOAT", 0.10000000149011612, "0.1"), ("FLOAT", 3.4028234663852886e38, "3.4028235e+38"),
     ("FLOAT", 1.401298464324817e-45, "1.401298e-45"), ("FLOAT", 16777216.0, "16777216.0"),
     ("FLOAT", -0.0, "-0.0"), ("FLOAT", math.inf, "inf"), ("HALF", 0.0999755859375, "0.1"),
     ("HALF", 65504.0, "65500.0"), ("HALF", 1.0009765625, "1.001"), ("HALF", 0.3330078125, "0.333"),
     ("BFLOAT16", 0.10009765625, "0.1"), ("BFLOAT16", 1.0078125, "1.01"),
     ("BFLOAT16", 3.3895313892515355e38, "3.39e+38"), ("FLOAT8_E4M3FN", 448.0, "450.0"),
     ("FLOAT8_E5M2", 0.3125, "0.3"), ("DOUBLE", 0.1, "0.1"), ("DOUBLE", 1 / 3, repr(1 / 3))],
)  # fmt: skip
def test_floats_have_the_digits_of_their_dtype(dtype, value, text):
    assert repr(shortest(f"DT_{dtype}", value)) == text


def test_describe_status_and_watch_work_for_any_model(server, capsys, monkeypatch):
    command = runner(server, capsys)
    monkeypatch.setenv("SEQ2SUM_MODEL", "any")
    code, out, err = command("describe", "--json")
    assert (code, err, list(json.loads(out))) == (0, "", ["model", "version", "signatures"])
    code, out, err = command("describe")
    assert (code, err, out.splitlines()[0]) == (0, "", "any, version 2")
    assert command("status")[1].startswith("version 2  AVAILABLE")
    code, out, _ = command("watch", "--count", 1)
    assert (code, "latency" in out, predicts(server)) == (0, False, [])
    for row in ('{"text": "abc"}', '"abc"'):
        code, out, _ = command("watch", "--count", 1, "--probe", row)
        assert (code, '  raw = "abc", score = 0.3  (version 2); latency ' in out) == (0, True)
    options = ("--probe", "2", "--signature", "whole")
    code, out, _ = command("watch", "--count", 2, "--interval", 0, *options)
    assert (code, out.count("  pairs = [2.0, -2.0], sum = 2.0  (version 2)")) == (0, 2)
    code, out, _ = command("watch", "--count", 1, "--probe", "2", "--signature", "nope")
    assert (code, "no signature 'nope': give --signature, one of" in out) == (1, True)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--probe", '{"text'], "invalid --probe {"),
        (["--probe", "1+a"], "expected a question like 53+42, or a row as JSON"),
        (["--probe", "1+2", "--signature", "whole"], "--signature needs a --probe that is JSON"),
        (["--signature", "whole"], "--signature needs --probe"),
    ],
)
def test_invalid_probes_are_refused_before_the_first_poll(server, capsys, options, message):
    code, out, err = runner(server, capsys)("watch", "--count", 1, "--model", "any", *options)
    assert (code, out, list(server.calls)) == (2, "", [])
    assert message in err
