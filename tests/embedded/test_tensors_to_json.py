"""Output tensors become the JSON text of predict replies, in rows and in columns."""

from __future__ import annotations

import json

import numpy as np
import pytest
from seq2sum_serving.embedded.inference import tensors
from seq2sum_serving.embedded.rest import tensors_to_json
from seq2sum_serving.embedded.rest.tensors_from_json import Format
from support.serving_errors import refusal

pytestmark = pytest.mark.tensorflow


def outputs(**values):
    arrays = {name: np.array(value) for name, value in values.items()}
    return {
        name: tensors.encode(np.array(values[name], object) if array.dtype.kind == "S" else array)
        for name, array in arrays.items()
    }


def test_layout_of_rows():
    found = outputs(z=[[1.5, 2.0], [3.0, 4.0]], n=[1, 2])
    text = tensors_to_json.predict_text(found, Format.ROW)
    assert text == (
        '{\n    "predictions": [\n'
        '        {\n            "n": 1,\n            "z": [1.5, 2.0]\n        },\n'
        '        {\n            "n": 2,\n            "z": [3.0, 4.0]\n        }\n    ]\n}'
    )
    text = tensors_to_json.predict_text(outputs(y=[1.5, 2.0]), Format.ROW)
    assert text == '{\n    "predictions": [1.5, 2.0\n    ]\n}'


def test_layout_of_columns():
    text = tensors_to_json.predict_text(outputs(a=[[True]], b=b"\xffx"), Format.COLUMNAR)
    assert text == (
        '{\n    "outputs": {\n        "a": [\n            [\n                true\n            ]\n'
        '        ],\n        "b": "\udcffx"\n    }\n}'
    )
    empty = outputs(y=np.zeros([0], np.float32))
    assert json.loads(tensors_to_json.predict_text(empty, Format.COLUMNAR)) == {"outputs": []}


@pytest.mark.parametrize("layout", Format)
def test_tensor_with_254_dimensions(layout):
    found = outputs(y=[1.0])
    found["y"].tensor_shape.Clear()
    for _ in range(254):
        found["y"].tensor_shape.dim.add(size=1)
    text = tensors_to_json.predict_text(found, layout)
    assert text.count("[") == text.count("]") == 254
    assert "1.0" in text


def test_output_named_bytes_is_written_as_base64():
    found = outputs(x_bytes=[[b"\xff"]], x=[b"a"])
    for layout, name in ((Format.ROW, "predictions"), (Format.COLUMNAR, "outputs")):
        document = json.loads(tensors_to_json.predict_text(found, layout))[name]
        first = document[0]["x_bytes"] if layout is Format.ROW else document["x_bytes"][0]
        assert first == [{"b64": "/w=="}]


@pytest.mark.parametrize(
    ("found", "layout", "message"),
    [
        (outputs(s=1.0), Format.ROW, "Tensor name: s has no shape information "),
        (
            outputs(a=[1], b=[1, 2]),
            Format.ROW,
            "Tensor name: b has inconsistent batch size: 2 expecting: 1",
        ),
        (
            outputs(h=np.ones(1, np.float16)),
            Format.COLUMNAR,
            "Failed to write JSON value for tensor type: half",
        ),
    ],
)
def test_outputs_that_json_cannot_express(found, layout, message):
    assert refusal(tensors_to_json.predict_text, found, layout)[1] == message
