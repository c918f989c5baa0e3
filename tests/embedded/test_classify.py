"""Classify: accepted signatures and outputs."""

from __future__ import annotations

import numpy as np
import pytest
from seq2sum_serving.embedded.errors import Code
from seq2sum_serving.embedded.inference.classify import classify
from seq2sum_serving.embedded.inference.options import InferenceOptions
from support.scripted_servable import FLOAT, STRING, ScriptedServable, floats, signature, texts
from support.serving_errors import refusal
from tensorflow_serving.apis import classification_pb2

pytestmark = pytest.mark.tensorflow

INPUT = {"inputs": STRING}
BOTH = {"classes": STRING, "scores": FLOAT}
SIGNATURES = {
    "serving_default": signature(INPUT, BOTH),
    "labels": signature(INPUT, {"classes": STRING}),
    "scores": signature(INPUT, {"scores": FLOAT, "more": FLOAT}),
    "inputs": signature({"inputs": STRING, "more": STRING}, BOTH),
    "outputs": signature(INPUT, BOTH | {"more": FLOAT}),
    "input": signature({"x": STRING}, BOTH),
    "others": signature(INPUT, {"outputs": FLOAT}),
}
LABELS = texts([b"low", b"high"], [b"low", b"\xff"])
SCORES = floats([0.25, 0.75], [0.5, 0.5])


def run(name="", examples=2, options=None, context=None, servable=None, **outputs):
    request = classification_pb2.ClassificationRequest()
    request.model_spec.name = "m"
    request.model_spec.signature_name = name
    given = request.input.example_list
    if context is not None:
        given = request.input.example_list_with_context
        given.context.features.feature["c"].int64_list.value.append(context)
    for number in range(examples):
        given.examples.add().features.feature["x"].float_list.value.append(number)
    servable = servable or ScriptedServable(
        SIGNATURES, **({"classes": LABELS, "scores": SCORES} | outputs)
    )
    return classify(servable, 7, request, options=options or InferenceOptions(), timeout=None)


def invalid_argument(*arguments, **keywords):
    """Returns the message of the INVALID_ARGUMENT error that a request gets."""
    code, message = refusal(run, *arguments, **keywords)
    assert code is Code.INVALID_ARGUMENT
    return message


def rows(response):
    return [
        [(entry.label, entry.score) for entry in each.classes]
        for each in response.result.classifications
    ]


def test_classify_returns_labels_and_scores():
    response = run()
    assert rows(response) == [
        [(b"low", 0.25), (b"high", 0.75)],
        [(b"low", 0.5), (b"\xff", 0.5)],
    ]
    assert response.model_spec.version.value == 7
    assert response.model_spec.signature_name == "serving_default"


def test_classify_returns_labels_or_scores_alone():
    assert rows(run("labels"))[0] == [(b"low", 0), (b"high", 0)]
    assert rows(run("scores"))[0] == [(b"", 0.25), (b"", 0.75)]


def test_a_context_precedes_each_example():
    servable = ScriptedServable(SIGNATURES, classes=LABELS, scores=SCORES)
    run(servable=servable, context=5)
    run(servable=servable)
    with_context, alone = (feeds["inputs:0"] for feeds in servable.fed)
    context = with_context[0].removesuffix(alone[0])
    assert context
    assert with_context == [context + example for example in alone]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("none", "No signature was found with the name: none"),
        ("inputs", "Expected one input Tensor."),
        ("outputs", "Expected one or two output Tensors, found 3"),
    ],
)
def test_invalid_signatures_are_refused_before_empty_input(name, message):
    assert invalid_argument(name, examples=0) == message


def test_errors_show_a_signature_with_other_aliases():
    assert invalid_argument("input").startswith(
        'No classification inputs found in SignatureDef: inputs {\n  key: "x"\n'
    )
    assert invalid_argument("others").startswith(
        "Expected classification signature outputs to contain at least one of "
        '"classes" or "scores". Signature was: inputs {\n'
    )


def test_empty_input_is_refused():
    assert invalid_argument(examples=0) == "Input is empty."
    assert invalid_argument(examples=0, context=1) == "Input is empty."


@pytest.mark.parametrize(
    ("outputs", "message"),
    [
        (
            {"classes": texts(b"a", b"b")},
            "Expected Tensor shape: [batch_size num_classes] but got [2]",
        ),
        (
            {"scores": np.zeros([2, 2])},
            "Expected scores Tensor of DT_FLOAT. Got: DT_DOUBLE",
        ),
        (
            {"classes": floats([1, 2], [3, 4])},
            "Expected classes Tensor of DT_STRING. Got: DT_FLOAT",
        ),
        ({"scores": SCORES[:1]}, "Expected scores output batch size of 2. Got: 1"),
        (
            {"scores": SCORES[:, :1]},
            "Tensors class and score should match in dim_size(1). Got 2 vs. 1",
        ),
    ],
)
def test_outputs_with_wrong_shapes_or_dtypes_are_refused(outputs, message):
    assert invalid_argument(**outputs) == message


def test_the_method_name_is_checked_only_with_the_option():
    assert invalid_argument(options=InferenceOptions(check_method_names=True)) == (
        "Expected classification signature method_name to be tensorflow/serving/classify. "
        "Was: tensorflow/serving/predict"
    )
