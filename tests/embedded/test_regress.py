"""Regress: accepted signatures and outputs."""

from __future__ import annotations

import numpy as np
import pytest
from seq2sum_serving.embedded.errors import Code
from seq2sum_serving.embedded.inference.options import InferenceOptions
from seq2sum_serving.embedded.inference.regress import regress
from support.scripted_servable import FLOAT, STRING, ScriptedServable, floats, signature
from support.serving_errors import refusal
from tensorflow_serving.apis import regression_pb2

pytestmark = pytest.mark.tensorflow

INPUT, OUTPUT = {"inputs": STRING}, {"outputs": FLOAT}
SIGNATURES = {
    "serving_default": signature(INPUT, OUTPUT),
    "inputs": signature(INPUT | {"more": STRING}, OUTPUT),
    "outputs": signature(INPUT, OUTPUT | {"more": FLOAT}),
    "input": signature({"x": STRING}, OUTPUT),
    "output": signature(INPUT, {"y": FLOAT}),
}


def run(name="", examples=2, outputs=floats(0.5, 1.5), options=None):  # noqa: B008
    request = regression_pb2.RegressionRequest()
    request.model_spec.name = "m"
    request.model_spec.signature_name = name
    for _ in range(examples):
        request.input.example_list.examples.add()
    servable = ScriptedServable(SIGNATURES, outputs=outputs)
    return regress(servable, 7, request, options=options or InferenceOptions(), timeout=None)


def invalid_argument(*arguments, **keywords):
    """Message of the INVALID_ARGUMENT that a request gets."""
    code, message = refusal(run, *arguments, **keywords)
    assert code is Code.INVALID_ARGUMENT
    return message


@pytest.mark.parametrize("outputs", [floats(0.5, 1.5), floats([0.5], [1.5])])
def test_regress_returns_a_number_for_each_example(outputs):
    response = run(outputs=outputs)
    assert [each.value for each in response.result.regressions] == [0.5, 1.5]
    assert response.model_spec.signature_name == "serving_default"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("none", "No signature was found with the name: none"),
        ("inputs", "Expected one input Tensor."),
        ("outputs", "Expected one output Tensor."),
        ("input", "No regression inputs found in SignatureDef: inputs {\n"),
        ("output", "No regression outputs found in SignatureDef: inputs {\n"),
    ],
)
def test_invalid_signatures_are_refused(name, message):
    assert invalid_argument(name).startswith(message)


@pytest.mark.parametrize(
    ("outputs", "message"),
    [
        (
            floats([1, 2], [3, 4]),
            (
                "Expected output Tensor shape to be either [batch_size] or [batch_size, 1] "
                "but got [2,2]"
            ),
        ),
        (floats(1), "Input batch size did not match output batch size: 2 vs. 1"),
        (np.zeros(2), "Expected output Tensor of DT_FLOAT.  Got: DT_DOUBLE"),
    ],
)
def test_outputs_of_another_shape_or_dtype_are_refused(outputs, message):
    assert invalid_argument(outputs=outputs) == message


def test_empty_input_is_refused():
    assert invalid_argument(examples=0) == "Input is empty."


def test_the_method_name_is_checked_only_with_the_option():
    assert invalid_argument(options=InferenceOptions(check_method_names=True)) == (
        "Expected regression signature method_name to be tensorflow/serving/regress. "
        "Was: tensorflow/serving/predict"
    )
