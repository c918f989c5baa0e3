"""MultiInference: results of all tasks from a single run."""

from __future__ import annotations

import pytest
from seq2sum_serving.embedded.errors import Code
from seq2sum_serving.embedded.inference.multi_inference import model_of, multi_inference
from seq2sum_serving.embedded.inference.options import InferenceOptions
from seq2sum_serving.embedded.inference.signatures import CLASSIFY, PREDICT, REGRESS
from seq2sum_serving.embedded.monitoring import metrics
from support.scripted_servable import FLOAT, STRING, ScriptedServable, floats, signature
from support.serving_errors import refusal
from tensorflow_serving.apis import inference_pb2

pytestmark = pytest.mark.tensorflow

INPUT = {"inputs": STRING}
OTHER = signature(INPUT, {"outputs": FLOAT})
OTHER.inputs["inputs"].name = "other:0"
SIGNATURES = {
    "serving_default": signature(INPUT, {"scores": FLOAT}),
    "regress": signature(INPUT, {"outputs": FLOAT}),
    "other": OTHER,
}
BOTH = [("", CLASSIFY), ("regress", REGRESS)]


def request_of(*tasks, examples=1, models="mmmm"):
    request = inference_pb2.MultiInferenceRequest()
    for model, (name, method) in zip(models, tasks, strict=False):
        task = request.tasks.add(method_name=method)
        task.model_spec.name = model.strip()
        task.model_spec.signature_name = name
    for _ in range(examples):
        request.input.example_list.examples.add()
    return request


def run(*tasks, servable=None, **keywords):
    servable = servable or ScriptedServable(SIGNATURES, scores=floats([0.5]), outputs=floats(8))
    request = request_of(*tasks, **keywords)
    return multi_inference(servable, 7, request, options=InferenceOptions(), timeout=None)


def test_all_tasks_share_a_run():
    servable = ScriptedServable(SIGNATURES, scores=floats([0.5]), outputs=floats(8))
    first, second = run(*BOTH, servable=servable).results
    assert first.classification_result.classifications[0].classes[0].score == 0.5
    assert second.regression_result.regressions[0].value == 8
    assert first.model_spec.signature_name == "serving_default"
    assert second.model_spec.version.value == 7
    assert servable.fetched == [["outputs:0", "scores:0"]]


def test_examples_are_fed_to_the_input_of_every_signature():
    servable = ScriptedServable(SIGNATURES, outputs=floats(8))
    run(("other", REGRESS), ("regress", REGRESS), servable=servable)
    assert servable.fed == [{"inputs:0": [b""], "other:0": [b""]}]


def test_examples_are_counted_once():
    def total():
        return metrics.REQUEST_EXAMPLE_COUNT_TOTAL.labels("m").value

    before = total()
    run(*BOTH, examples=1)
    assert total() == before + 1


def test_the_first_task_names_the_model():
    assert model_of(request_of(*BOTH, models="ab")).name == "a"
    assert model_of(request_of()).name == ""


@pytest.mark.parametrize(
    ("tasks", "keywords", "message"),
    [
        (BOTH, {"models": "m "}, "Found ModelSpec with an empty model name."),
        (
            BOTH,
            {"models": "mn"},
            "All ModelSpecs in a MultiInferenceRequest must access the same model name.",
        ),
        (
            [("", CLASSIFY), ("serving_default", CLASSIFY)],
            {},
            "Duplicate evaluation of signature: serving_default",
        ),
        ([("none", CLASSIFY)], {}, "Requested signature not found in model graph: none"),
        (BOTH, {"examples": 0}, "Input is empty."),
    ],
)
def test_invalid_tasks_are_refused(tasks, keywords, message):
    assert refusal(run, *tasks, **keywords) == (Code.INVALID_ARGUMENT, message)


@pytest.mark.parametrize("method", [PREDICT, ""])
def test_tasks_of_other_methods_are_unimplemented(method):
    assert refusal(run, ("regress", method)) == (
        Code.UNIMPLEMENTED,
        f"Unsupported signature method_name: {method}",
    )
