"""Bodies of predict requests in JSON become the tensors, or the errors, of TensorFlow Serving."""

from __future__ import annotations

import json
from unittest import mock

import numpy as np
import pytest
from seq2sum_serving.embedded.errors import Code
from seq2sum_serving.embedded.inference import tensors
from seq2sum_serving.embedded.rest import tensors_from_json
from seq2sum_serving.embedded.rest.tensors_from_json import Format
from support.serving_errors import refusal
from tensorflow.core.framework import types_pb2
from tensorflow.core.protobuf import meta_graph_pb2
from tensorflow_serving.apis import predict_pb2

pytestmark = pytest.mark.tensorflow

FLOAT, DOUBLE, STRING = types_pb2.DT_FLOAT, types_pb2.DT_DOUBLE, types_pb2.DT_STRING
INT8, INT32 = types_pb2.DT_INT8, types_pb2.DT_INT32
INT64, UINT64 = types_pb2.DT_INT64, types_pb2.DT_UINT64
BOOL, HALF, INVALID = types_pb2.DT_BOOL, types_pb2.DT_HALF, types_pb2.DT_INVALID

INFINITY = float("inf")
IN_ROW_1 = "Failed to process element: 1 of 'instances' list. Error: INVALID_ARGUMENT: "


def read(document, **inputs):
    """Returns the inputs in a body as arrays, and the layout."""
    request = predict_pb2.PredictRequest()
    infos = {name: meta_graph_pb2.TensorInfo(dtype=dtype) for name, dtype in inputs.items()}
    body = document if isinstance(document, bytes) else json.dumps(document).encode()
    layout = tensors_from_json.fill_request(request, body, lambda _: infos)
    return {name: tensors.decode(tensor) for name, tensor in request.inputs.items()}, layout


def every_form(values, dtype):
    """Yields the tensor as rows, as a column, of single values, and without array conversion."""
    yield read({"instances": values}, x=dtype)[0]["x"]
    yield read({"inputs": values}, x=dtype)[0]["x"]
    scalars = [read({"inputs": value}, x=dtype)[0]["x"][()] for value in values]
    yield np.array(scalars, object if dtype == STRING else None)
    request = predict_pb2.PredictRequest()
    infos = {"x": meta_graph_pb2.TensorInfo(dtype=dtype)}
    body = json.dumps({"inputs": values}).encode()
    with mock.patch.object(tensors_from_json, "_add_as_array", return_value=False):
        tensors_from_json.fill_request(request, body, lambda _: infos)
    yield tensors.decode(request.inputs["x"])


def error_message(document, **inputs):
    return refusal(read, document, **inputs)[1]


@pytest.mark.parametrize(
    ("dtype", "values"),
    [
        (FLOAT, [[1, 2.5], [3, 4]]),
        (DOUBLE, [[0.1, 2], [3, float("inf")]]),
        (INT32, [[1, -2], [3, 2**31 - 1]]),
        (INT64, [[-(2**63), 2**63 - 1]]),
        (UINT64, [[2**64 - 1]]),
        (BOOL, [[True, False]]),
    ],
)
def test_rows_and_columns_give_equal_tensors(dtype, values):
    rows, layout = read({"instances": values}, x=dtype)
    assert layout is Format.ROW
    columns, layout = read({"inputs": {"x": values}}, x=dtype)
    assert layout is Format.COLUMNAR
    named, _ = read({"instances": [{"x": value} for value in values]}, x=dtype)
    alone, _ = read({"inputs": values}, x=dtype)
    for found in (rows, columns, named, alone):
        assert found["x"].dtype == np.asarray(rows["x"]).dtype
        assert found["x"].tolist() == values


def test_text_and_base64_can_be_mixed():
    found, _ = read({"instances": ["a", {"b64": "//4A"}, {"b64": "YQ"}]}, x=STRING)
    assert found["x"].tolist() == [b"a", b"\xff\xfe\x00", b"a"]
    found, _ = read({"inputs": {"b64": "YQ=="}}, x=STRING)
    assert found["x"].shape == ()
    found, _ = read(b'{"inputs": ["\xff"]}', x=STRING)
    assert found["x"].tolist() == [b"\xff"]


@pytest.mark.parametrize(
    ("dtype", "values", "floats"),
    [
        (FLOAT, [16777216, 16777217, -16777219], [16777216.0, 16777216.0, -16777220.0]),
        (FLOAT, [1700000001, 2**63, 2**64 - 1], [1.7e9, 2.0**63, 2.0**64]),
        (FLOAT, [1e39, -1e39, 3.4028235677973366e38], [INFINITY, -INFINITY, INFINITY]),
        (FLOAT, [0.1, 1500000000], [float(np.float32(0.1)), 1.5e9]),
        (FLOAT, [1e-50, 1e-45, 1.2e-38], [0.0, 0.0, float(np.float32(1.2e-38))]),
        (DOUBLE, [2**53 + 1, -(2**63), 2**64 - 1], [2.0**53, -(2.0**63), 2.0**64]),
        (DOUBLE, [1e308, 5e-324, 0.1], [1e308, 0.0, 0.1]),
    ],
)
def test_floats_accept_any_number(dtype, values, floats):
    for found in every_form(values, dtype):
        assert found.tolist() == floats


def test_small_negative_numbers_keep_their_sign():
    for found in every_form([-1e-50, -1e-45, -0.0], FLOAT):
        assert np.signbit(found).all()


def test_infinity_and_nan():
    for found in every_form([INFINITY, float("nan"), -INFINITY], DOUBLE):
        assert np.array_equal(found, [INFINITY, np.nan, -INFINITY], equal_nan=True)


@pytest.mark.parametrize(
    ("text", "content"),
    [
        ("", b""),
        ("YQ", b"a"),
        ("YQ==", b"a"),
        ("YQ..", b"a"),
        ("YQ=.", b"a"),
        ("aGk", b"hi"),
        ("aGk=", b"hi"),
        ("aGk.", b"hi"),
        (" a\tG\n\x0b\x0c\rk = ", b"hi"),
        ("YR==", b"a"),  # with left-over bits
        ("+/+/", b"\xfb\xff\xbf"),
        ("AAA=", b"\0\0"),
    ],
)
def test_valid_base64(text, content):
    for found in every_form([{"b64": text}], STRING):
        assert found.tolist() == [content]


@pytest.mark.parametrize(
    "text",
    [
        *("a", "YQ=", "YQ===", "aGk==", "YWJj=", "=", "====", "=aGk", "a=Gk", "aGk=aGk=", "-_-_"),
        *("aGk!", "aG\u00a0k=", "\u00e9Gk=", "aGk\0", "\udcffGk="),
    ],
)
def test_invalid_base64(text):
    body = json.dumps({"inputs": [{"b64": text}]}).encode()
    if "\udcff" in text:  # a byte that is not UTF-8
        body = body.replace(b"\\udcff", b"\xff")
    assert error_message(body, x=STRING) == "Unable to base64 decode"


def test_duplicate_b64_key_is_not_base64():
    body = b'{"inputs": [{"b64": "YQ==", "b64": "YQ=="}]}'
    assert error_message(body, x=STRING) == (
        'JSON Value: {\n    "b64": "YQ==",\n    "b64": "YQ=="\n} '
        "not formatted correctly for base64 data"
    )
    body = b'{"instances": [{"b64": "YQ==", "b64": "YQ=="}]}'
    assert error_message(body, x=STRING).endswith("does not have named input: b64")


@pytest.mark.parametrize("depth", [300, 5000])
def test_deeply_nested_lists(depth):
    request = predict_pb2.PredictRequest()
    infos = {"x": meta_graph_pb2.TensorInfo(dtype=FLOAT)}
    nested = b"[" * depth + b"1" + b"]" * depth
    tensors_from_json.fill_request(request, b'{"inputs":' + nested + b"}", lambda _: infos)
    assert len(request.inputs["x"].tensor_shape.dim) == depth
    wrong = nested.replace(b"1", b'"a"')
    assert error_message(b'{"inputs":' + wrong + b"}", x=FLOAT) == (
        'JSON Value: "a" Type: String is not of expected type: float'
    )
    assert "unexpected level" in error_message(b'{"inputs":[1,' + nested + b"]}", x=FLOAT)


def test_size_of_errors_is_bounded():
    for document in (
        {"inputs": [{"a": list(range(10**5))}]},
        {"instances": [1], "inputs": list(range(10**5))},
        {"instances": [], "x": ["\u0001"] * 10**5},
        {"signature_name": list(range(10**5))},
    ):
        assert len(error_message(document, x=FLOAT)) < 600


def test_small_integers_keep_their_lowest_bits():
    found, _ = read({"inputs": [300, -1]}, x=INT8)
    assert found["x"].tolist() == [44, -1]


def test_empty_lists():
    found, _ = read({"inputs": []}, x=STRING)
    assert found["x"].shape == (0,)
    assert error_message({"instances": []}, x=STRING).endswith("No values in 'instances' array")


@pytest.mark.parametrize(
    ("document", "dtype", "message"),
    [
        ({}, FLOAT, "Missing 'inputs' or 'instances' key"),
        ({"inputs": ["a"]}, FLOAT, 'JSON Value: "a" Type: String is not of expected type: float'),
        ({"inputs": [{}]}, INVALID, "JSON Value: {} Type: Object is not of expected type: INVALID"),
        ({"inputs": [1.5]}, INT32, "JSON Value: 1.5 Type: Number is not of expected type: int32"),
        ({"inputs": [True]}, INT32, "JSON Value: true Type: True is not of expected type: int32"),
        (
            {"inputs": [2**31]},
            INT8,
            "JSON Value: 2147483648 Type: Number is not of expected type: int8",
        ),
        (
            {"inputs": [[1], [1, 2]]},
            FLOAT,
            "Encountered list at unexpected size: 2 at level: 1 expected size: 1",
        ),
        ({"inputs": [1, [2]]}, FLOAT, "Encountered list at unexpected level: 1 expected < 1"),
        (
            {"inputs": [[1], 2]},
            FLOAT,
            "JSON Value: 2 found at incorrect level: 2 in the JSON DOM. Expected at level: 2",
        ),
        ({"inputs": [{"b64": "*"}]}, STRING, "Unable to base64 decode"),
        (
            {"inputs": [{"b65": ""}]},
            STRING,
            'JSON Value: {\n    "b65": ""\n} not formatted correctly for base64 data',
        ),
        (
            {"instances": [[1, 2], [3]]},
            FLOAT,
            f"{IN_ROW_1}Expecting tensor size: 2 but got: 1",
        ),
        (
            {"instances": [[1], [[3]]]},
            FLOAT,
            f"{IN_ROW_1}Expecting shape [1] but got: [1,1]",
        ),
        (
            {"instances": [1, {"x": 1}]},
            FLOAT,
            "Expecting value/list but got object at item 1 of input list",
        ),
        (
            {"instances": [{"x": 1}, 1]},
            FLOAT,
            "Expecting object but got list at item 1 of input list",
        ),
    ],
)
def test_messages_of_tensorflow_serving(document, dtype, message):
    assert refusal(read, document, x=dtype) == (Code.INVALID_ARGUMENT, message)


def test_several_inputs_need_names():
    assert "instances is a plain list" in error_message({"instances": [1]}, x=FLOAT, y=FLOAT)
    assert "inputs is a plain value/list" in error_message({"inputs": [1]}, x=FLOAT, y=FLOAT)
    message = error_message({"instances": [{"x": 1, "y": 2}, {"x": 1}]}, x=FLOAT, y=FLOAT)
    assert message.endswith("} keys must be equal to: x,y")
    assert message.startswith("Failed to process element: 1 of 'instances' list.")


def test_type_that_json_cannot_express():
    assert refusal(read, {"inputs": [1.0]}, x=HALF)[0] is Code.UNIMPLEMENTED
    # Composite tensors have no type in signatures.
    message = error_message({"inputs": [1.0]}, x=INVALID)
    assert message == "Conversion of JSON Value: 1.0 to type: INVALID"
    code, message = refusal(read, {"instances": [1.0]}, x=HALF)
    assert code is Code.INVALID_ARGUMENT
    assert message.endswith("Error: UNIMPLEMENTED: Conversion of JSON Value: 1.0 to type: half")
