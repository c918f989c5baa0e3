"""The calls that `seq2sum predict` makes: few for bad rows, and one per row if rows interfere."""

from __future__ import annotations

import json
from collections import Counter

import grpc
import pytest
from seq2sum import TensorSpec
from seq2sum.testing import FakeServer, FakeSignature
from support.command_runs import runner

FLOATS = TensorSpec("DT_FLOAT", (-1,))
SCALAR = TensorSpec("DT_FLOAT", ())
CLASSES = TensorSpec("DT_STRING", (3,))


def echo(inputs):
    return inputs["x"].tolist()


def with_classes(inputs):
    return {"y": echo(inputs), "classes": ["a", "b", "c"]}


SIGNATURES = {
    "serving_default": FakeSignature(echo, {"x": FLOATS}, {"y": FLOATS}),
    "classes": FakeSignature(with_classes, {"x": FLOATS}, {"y": FLOATS, "classes": CLASSES}),
    "scalar": FakeSignature(echo, {"x": SCALAR}, {"y": SCALAR}),
    "mixed": FakeSignature(
        lambda inputs: [x * inputs["factor"].item() for x in echo(inputs)],
        {"x": FLOATS, "factor": SCALAR}, {"y": FLOATS},
    ),
    "pairs": FakeSignature(
        echo, {"x": TensorSpec("DT_FLOAT", (2,))}, {"y": TensorSpec("DT_FLOAT", (2,))}
    ),
    "unknown": FakeSignature(echo, {"x": FLOATS}, {"y": TensorSpec("DT_FLOAT", None)}),
}  # fmt: skip


@pytest.fixture(scope="module")
def module_server():
    with FakeServer(model="any", signatures=SIGNATURES) as found:
        yield found


@pytest.fixture
def server(module_server):
    module_server.calls.clear()
    return module_server


@pytest.fixture
def run(server, capsys, tmp_path):
    """Runs the command with these rows; returns exit code, outputs, standard error and calls."""
    command = runner(server, capsys)

    def run(rows, *options):
        path = tmp_path / "rows.jsonl"
        path.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
        code, out, err = command("predict", "--model", "any", "--input", path, *options)
        calls = Counter(call.method for call in server.calls)
        return code, [json.loads(line) for line in out.splitlines()], err, calls

    return run


@pytest.mark.parametrize("count", [1, 3, 5])
def test_an_output_of_the_whole_call_is_repeated_in_each_row(run, count):
    code, rows, err, calls = run([float(n) for n in range(count)], "--signature", "classes")
    assert rows == [{"classes": ["a", "b", "c"], "y": n} for n in range(count)]
    assert (code, calls["Predict"]) == (0, count)
    assert err == (
        "seq2sum: one call for each row: the signature has no row for each row of its inputs in "
        "classes; name other outputs with --outputs\n"
    )


def test_outputs_with_rows_are_batched_next_to_one_that_is_left_out(run):
    rows, err, calls = run([0.5] * 9, "--signature", "classes", "--outputs", "y")[1:]
    assert (rows, err, calls["Predict"]) == ([{"y": 0.5}] * 9, "", 1)


@pytest.mark.parametrize("bad", [None, [1], "text"])
def test_bad_rows_cost_no_calls(run, bad):
    code, rows, _, calls = run([1.5, bad, 2.5, bad] * 32)
    assert code == 1
    assert [row.get("y") for row in rows] == [1.5, None, 2.5, None] * 32
    assert all("expected DT_FLOAT" in row["error"] for row in rows[1::2])
    assert calls["Predict"] == 1
    assert calls["GetModelMetadata"] <= 3


@pytest.mark.parametrize(
    ("signature", "rows", "outputs", "count"),
    [
        ("scalar", [1.5, 2.5], [1.5, 2.5], 2),
        ("mixed", [{"x": [1, 2], "factor": 2}, {"x": [], "factor": 2}], [[2, 4], []], 2),
        ("pairs", [1, 2, 3, 4], [1, 2, 3, 4], 2),
        ("unknown", [1.5, 2.5], [1.5, 2.5], 2),
    ],
)
def test_signatures_that_cannot_be_batched(run, signature, rows, outputs, count):
    code, found, _, calls = run(rows, "--signature", signature)
    assert (code, [row["y"] for row in found]) == (0, outputs)
    assert calls["Predict"] == count
    assert calls["GetModelMetadata"] <= 3


def test_bad_rows_of_a_scalar_signature_cost_no_calls(run):
    code, rows, _, calls = run([[1.5]] * 20, "--signature", "scalar")
    assert (code, calls["Predict"]) == (1, 0)
    assert calls["GetModelMetadata"] <= 4
    assert all("not values of type float of shape [1]" in row["error"] for row in rows)


def test_an_overloaded_server_is_tried_again(run, server):
    server.fail(grpc.StatusCode.RESOURCE_EXHAUSTED, times=2)
    assert run([1.5])[:3] == (0, [{"y": 1.5}], "")


def test_a_missing_signature_is_named_as_an_option(run):
    code, _, err, _ = run([1], "--signature", "nope")
    assert (code, "give --signature, one of ['classes'," in err) == (1, True)
