"""Classify: which signatures it takes, and what it makes of their outputs."""

from __future__ import annotations

import numpy as np
import pytest
from seq2sum_serving.embedded.errors import Code, ServingError
from seq2sum_serving.embedded.inference.classify import classify
from seq2sum_serving.embedded.inference.options import InferenceOptions
from support.scripted_servable import FLOAT, STRING, ScriptedServable, floats, signature, texts
from tensorflow_serving.apis import classification_pb2

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


def ask(name="", examples=2, options=None, context=None, servable=None, **outputs):
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


def refusal(*arguments, **keywords):
    with pytest.raises(ServingError) as caught:
        ask(*arguments, **keywords)
    assert caught.value.code is Code.INVALID_ARGUMENT
    return caught.value.message


def rows(response):
    return [
        [(found.label, found.score) for found in each.classes]
        for each in response.result.classifications
    ]


def test_labels_and_scores_come_together():
    response = ask()
    assert rows(response) == [
        [(b"low", 0.25), (b"high", 0.75)],
        [(b"low", 0.5), (b"\xff", 0.5)],
    ]
    assert response.model_spec.version.value == 7
    assert response.model_spec.signature_name == "serving_default"


def test_one_of_them_is_enough():
    assert rows(ask("labels"))[0] == [(b"low", 0), (b"high", 0)]
    assert rows(ask("scores"))[0] == [(b"", 0.25), (b"", 0.75)]


def test_a_context_is_put_before_each_example():
    servable = ScriptedServable(SIGNATURES, classes=LABELS, scores=SCORES)
    ask(servable=servable, context=5)
    ask(servable=servable)
    with_context, alone = (asked["inputs:0"] for asked in servable.fed)
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
def test_other_signatures_are_refused_even_without_examples(name, message):
    assert refusal(name, examples=0) == message


def test_a_refused_signature_is_shown():
    assert refusal("input").startswith(
        'No classification inputs found in SignatureDef: inputs {\n  key: "x"\n'
    )
    assert refusal("others").startswith(
        "Expected classification signature outputs to contain at least one of "
        '"classes" or "scores". Signature was: inputs {\n'
    )


def test_no_examples_are_refused():
    assert refusal(examples=0) == "Input is empty."
    assert refusal(examples=0, context=1) == "Input is empty."


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
def test_outputs_of_another_form_are_refused(outputs, message):
    assert refusal(**outputs) == message


def test_the_method_is_looked_at_only_when_asked_to():
    assert refusal(options=InferenceOptions(check_method_names=True)) == (
        "Expected classification signature method_name to be tensorflow/serving/classify. "
        "Was: tensorflow/serving/predict"
    )
