"""Golden requests as lines of JSON: parsing, invalid lines, and recording."""

from __future__ import annotations

import json
import sys

import pytest
from seq2sum import Tensor, golden
from seq2sum.golden import GoldenRequest, InvalidGoldenRequest, Tolerance

STRINGS = Tensor("DT_STRING", (2,), (b"a", b"\xff"))
HALF = Tensor("DT_FLOAT", (1,), b"\0\0\0\x3f")
TWO_HALVES = Tensor("DT_FLOAT", (2,), 2 * b"\0\0\0\x3f")
ONE = Tensor("DT_INT32", (1,), b"\x01\0\0\0")

DEEP = 600 if sys.version_info < (3, 12) else 1200
"""Levels that json parses, but that exceed the recursion limit of Python code."""

LINE = {"inputs": {"x": [1.5, 2]}, "expect": {"y": [3]}}


def line(**changes):
    return json.dumps({**LINE, **changes})


def test_a_line_has_values_by_input_and_by_output():
    request = golden.parse(
        '{"inputs": {"a": ["é", {"b64": "/wA="}], "b": 1.5}, "signature_name": "other",'
        ' "expect": {"x": [[1], [2]], "y": [true]}, "compare": {"x": {"atol": 1, "rtol": 0.5}}}'
    )
    assert request == GoldenRequest(
        {"a": ["é", b"\xff\x00"], "b": 1.5},
        "other",
        {"x": [[1], [2]], "y": [True]},
        {"x": Tolerance(1, 0.5)},
    )
    assert golden.parse(golden.to_line(request)) == request


def test_line_omits_keys_with_default_values():
    assert golden.to_line(golden.parse(line())) == json.dumps(LINE)
    other = golden.to_line(golden.parse(line(signature_name="other")))
    assert json.loads(other)["signature_name"] == "other"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "not valid JSON"),
        ("{", "not valid JSON"),
        ("[" * 100_000, "not valid JSON"),
        ('{"inputs": {"x": [1e400]}}', "the number '1e400' is too large"),
        ('{"inputs": {"x": 1}, "expect": {"y": -1E+400}}', "the number '-1E+400' is too large"),
        ('{"inputs": {"x": 1, "x": 2}}', "an object has the name 'x' twice"),
        ('{"inputs": {"x": 1}, "inputs": {"y": 2}}', "an object has the name 'inputs' twice"),
        ('{"inputs": {"x": NaN}}', "NaN is not a JSON value"),
        (b"\xff", "not valid JSON"),
        ("[1]", "expected an object with the inputs by name"),
        (line(inputs=[1]), "expected an object with the inputs by name"),
        (line(inputs={"x": None}), "input x has null, which no tensor can hold"),
        (line(inputs={"x": {"b64": "?"}}), "input x is invalid: '?' is not base64"),
        (line(inputs={"x": {"c": "?"}}), "input x is invalid: an object is not a value"),
        (line(output={}), "unknown key 'output': expected inputs, signature_name, expect, compare"),
        (line(signature_name=3), "signature_name is 3: expected a text"),
        (line(expect=[3]), "expect is [3]: expected an object by output"),
        (line(expect={"y": [1, [2]]}), "output y is a ragged list"),
        (line(compare={"z": "exact"}), "compare names output 'z', which is not in `expect`"),
        (line(compare={"y": "equal"}), "compare of output y is 'equal': expected \"exact\""),
        (line(compare={"y": {}}), "compare of output y is {}"),
        (line(compare={"y": {"atol": -1}}), "compare of output y is {'atol': -1}"),
        (line(compare={"y": {"atol": True}}), "compare of output y is {'atol': True}"),
        (line(compare={"y": {"delta": 1}}), "compare of output y is {'delta': 1}"),
        (line(expect={"y": ["a"]}, compare={"y": "argmax"}), "other values than numbers"),
        (line(expect={"y": ["a"]}, compare={"y": {"atol": 1}}), "other values than numbers"),
        (line(expect={"y": 1}, compare={"y": "argmax"}), "has no last dimension"),
        (line(expect={"y": [1.0]}, compare={"y": "argmax"}), "of two or more values"),
        (line(expect={"y": [10**400]}, compare={"y": {"atol": 1}}), "too large for a float"),
        (line(compare={"y": {"atol": 10**400}}), "compare of output y is"),
        ('{"inputs": {"x": ["\\ud800"]}}', "input x is invalid: 'utf-8' codec can't encode"),
        ('{"inputs": {"x": ' + "[" * DEEP + "1" + "]" * DEEP + "}}", "input x is"),
        (line(expect={"y": []}, compare={"y": "argmax"}), "has no last dimension"),
    ],
)
def test_a_line_that_is_not_valid_is_refused(text, problem):
    with pytest.raises(InvalidGoldenRequest) as caught:
        golden.parse(text)
    assert problem in str(caught.value)


def test_a_file_is_read_without_empty_lines_and_names_the_line_of_an_error(tmp_path):
    path = tmp_path / "golden.jsonl"
    path.write_text(f"{line()}\n\n{line(expect={'y': [4]})}\r\n")
    assert [request.expect for request in golden.read(path)] == [{"y": [3]}, {"y": [4]}]
    path.write_text(f"{line()}\n\n{line(expect={})}\n")
    with pytest.raises(InvalidGoldenRequest, match=r"golden\.jsonl:3: it expects no output"):
        golden.read(path)
    path.write_text("\n")
    with pytest.raises(InvalidGoldenRequest, match="has no golden requests"):
        golden.read(path)
    with pytest.raises(FileNotFoundError):
        golden.read(tmp_path / "none")


def test_recording_expects_all_outputs_and_compares_floats_with_a_tolerance():
    request = golden.recorded(
        golden.parse('{"inputs": {"x": [1]}}'),
        {"s": STRINGS, "f": HALF, "i": ONE},
    )
    assert request.expect == {"s": [b"a", b"\xff"], "f": [0.5], "i": [1]}
    assert request.compare == {"f": Tolerance(1e-5, 1e-4)}
    read = golden.parse(golden.to_line(request))
    assert golden.differences(read, request.expect) == []


def test_recording_keeps_the_listed_outputs_and_their_comparisons():
    given = golden.parse(
        '{"inputs": {"x": [1]}, "expect": {"f": [9.0, 8.0]}, "compare": {"f": "argmax"}}'
    )
    request = golden.recorded(given, {"f": TWO_HALVES, "i": ONE})
    assert request.expect == {"f": [0.5, 0.5]}
    assert request.compare == {"f": "argmax"}


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 1j])
def test_values_that_json_cannot_hold_are_not_written(value):
    request = GoldenRequest({"x": [1]}, expect={"y": [[value]]})
    with pytest.raises(InvalidGoldenRequest, match=r"y has .* which JSON cannot hold"):
        golden.to_line(request)


def test_recording_keeps_comparisons_of_a_request_without_expected_outputs():
    given = golden.parse('{"inputs": {"x": [1]}, "compare": {"f": {"atol": 0.25}}}')
    request = golden.recorded(given, {"f": HALF, "i": ONE})
    assert request.expect == {"f": [0.5], "i": [1]}
    assert request.compare == {"f": Tolerance(0.25)}


@pytest.mark.parametrize(
    ("compare", "problem"),
    [
        ({"z": "exact"}, "compare names output 'z': outputs are ['f', 's']"),
        ({"s": "argmax"}, "output s has other values than numbers"),
    ],
)
def test_comparisons_that_do_not_fit_the_recorded_outputs_are_refused(compare, problem):
    given = golden.parse(json.dumps({"inputs": {"x": [1]}, "compare": compare}))
    with pytest.raises(InvalidGoldenRequest) as caught:
        golden.recorded(given, {"f": HALF, "s": STRINGS})
    assert problem in str(caught.value)
