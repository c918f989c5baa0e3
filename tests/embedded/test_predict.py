"""Predict: order of checks, fed tensors, and replies."""

from __future__ import annotations

import pytest
from seq2sum_serving.embedded.errors import Code
from seq2sum_serving.embedded.inference import tensors
from seq2sum_serving.embedded.inference.options import InferenceOptions
from seq2sum_serving.embedded.inference.predict import predict
from seq2sum_serving.embedded.monitoring import metrics
from support.scripted_servable import FLOAT, STRING, ScriptedServable, floats, signature, texts
from support.serving_errors import refusal
from tensorflow.core.framework import tensor_pb2
from tensorflow_serving.apis import predict_pb2

pytestmark = pytest.mark.tensorflow

SCALED = signature({"a": FLOAT, "k": FLOAT}, {"y": FLOAT}, k=tensors.encode(floats(2)))
ONE_TWICE = signature({"a": FLOAT, "b": FLOAT}, {"z": FLOAT})
ONE_TWICE.inputs["b"].name = "a:0"
SIGNATURES = {
    "serving_default": signature({"q": STRING}, {"answer": STRING, "sure": FLOAT}),
    "two": signature({"x": FLOAT, "y": FLOAT}, {"z": FLOAT}),
    "scaled": SCALED,
    "one_twice": ONE_TWICE,
    "odd": signature({"x": FLOAT}, {"z": FLOAT}, method="something/else"),
    "examples": signature({"inputs": STRING}, {"z": FLOAT}, method="tensorflow/serving/classify"),
}
OUTPUTS = {"answer": texts(b"46"), "sure": floats(0.5), "z": floats(1), "y": floats(3)}
UNDECODABLE = tensor_pb2.TensorProto(dtype=0)


def run(name="", output_filter=(), servable=None, timeout=None, options=None, **inputs):
    request = predict_pb2.PredictRequest(output_filter=output_filter)
    request.model_spec.name = "m"
    request.model_spec.version_label = "stable"
    request.model_spec.signature_name = name
    for alias, array in inputs.items():
        tensor = array if isinstance(array, tensor_pb2.TensorProto) else tensors.encode(array)
        request.inputs[alias].CopyFrom(tensor)
    servable = servable or ScriptedServable(SIGNATURES, **OUTPUTS)
    return predict(servable, 7, request, options=options or InferenceOptions(), timeout=timeout)


def test_replies_name_the_version_and_signature_and_no_label():
    response = run(q=texts(b"12+34"))
    assert response.model_spec.name == "m"
    assert response.model_spec.WhichOneof("version_choice") == "version"
    assert response.model_spec.version.value == 7
    assert response.model_spec.signature_name == "serving_default"
    assert set(response.outputs) == {"answer", "sure"}
    assert response.outputs["answer"].string_val == [b"46"]
    assert response.outputs["sure"].float_val == [0.5]


def test_an_output_filter_selects_the_fetches():
    servable = ScriptedServable(SIGNATURES, **OUTPUTS)
    response = run(q=texts(b"1"), output_filter=["sure"], servable=servable, timeout=3.5)
    assert set(response.outputs) == {"sure"}
    assert servable.fetched == [["sure:0"]]
    assert servable.timeouts == [3.5]


def test_signature_defaults_replace_missing_inputs():
    servable = ScriptedServable(SIGNATURES, **OUTPUTS)
    run("scaled", a=floats(5), servable=servable)
    run("scaled", a=floats(5), k=floats(9), servable=servable)
    assert servable.fed == [{"a:0": [5], "k:0": [2]}, {"a:0": [5], "k:0": [9]}]


ONE = floats(1)


def test_an_unknown_signature_is_a_failed_precondition():
    assert refusal(run, "none") == (
        Code.FAILED_PRECONDITION,
        'Serving signature key "none" not found.',
    )


@pytest.mark.parametrize(
    ("arguments", "inputs", "message"),
    [
        (
            ["two"],
            {"x": ONE},
            (
                "input size does not match signature: 1!=2 len({x}) != len({x,y}). "
                "Sent extra: {}. Missing but required: {y}."
            ),
        ),
        (
            ["scaled"],
            {"a": ONE, "y": ONE, "z": ONE},
            (
                "input size does not match signature: 3!=2 len({a,y,z}) != len({a,k}). "
                "Sent extra: {y,z}. Missing but required: {k}."
            ),
        ),
        (["two"], {"x": UNDECODABLE, "w": ONE}, "tensor parsing error: x"),
        (
            ["two"],
            {"y": UNDECODABLE, "w": ONE},
            (
                "Signature input alias: x(feed name: x:0) not found in request and no default "
                "value provided. Inputs expected to be in the request {w,y}, or default input "
                "alias set: "
            ),
        ),
        (
            ["scaled", ["none"]],
            {"a": ONE, "b": ONE},
            "Inputs contains invalid name. Used request inputs: a, request input: a,b",
        ),
        (
            ["two", ["z", "none", "z"]],
            {"x": ONE, "y": ONE},
            (
                "output tensor alias not found in signature: none "
                "Outputs expected to be in the set {z}."
            ),
        ),
        (["two", ["z", "z"]], {"x": ONE, "y": ONE}, "duplicate output tensor alias: z"),
        (["one_twice"], {"a": ONE, "b": ONE}, 'Endpoint "a:0" fed more than once.'),
        (
            ["one_twice", ["none"]],
            {"a": ONE, "b": ONE},
            (
                "output tensor alias not found in signature: none "
                "Outputs expected to be in the set {z}."
            ),
        ),
    ],
)
def test_the_first_failed_check_is_the_error(arguments, inputs, message):
    assert refusal(run, *arguments, **inputs) == (Code.INVALID_ARGUMENT, message)


def test_method_names_are_checked_only_with_the_option():
    run("odd", x=ONE)
    checking = InferenceOptions(check_method_names=True)
    assert refusal(run, "odd", x=ONE, options=checking) == (
        Code.INTERNAL,
        (
            "Expected prediction signature method_name to be one of {tensorflow/serving/predict, "
            "tensorflow/serving/classify, tensorflow/serving/regress}. Was: something/else"
        ),
    )
    run("examples", inputs=texts(b""), options=checking)


def test_replies_carry_raw_bytes_with_the_option():
    response = run(q=texts(b"1"), options=InferenceOptions(as_tensor_content=True))
    assert response.outputs["answer"].tensor_content == b"\x0246"
    assert not response.outputs["answer"].string_val
    assert response.outputs["sure"].tensor_content == floats(0.5).tobytes()


def test_successful_runs_are_counted():
    def count():
        cell = metrics.RUNTIME_LATENCY.labels("m", "Predict", "TF1")
        return cell.count

    before = count()
    run(q=texts(b"1"))
    refusal(run, "none")
    assert count() == before + 1
