"""MultiInference: several signatures on the same tf.Examples, in one run of the graph.

The examples are fed to the input of every signature. 2.20.0 accepts signatures with different
inputs, 2.18.1 refused them (recorded case classify-regress/multi-inputs-differ).
"""

from __future__ import annotations

from typing import Any

from tensorflow_serving.apis import inference_pb2, model_pb2

from seq2sum_serving.embedded.errors import Code, ServingError, invalid_argument
from seq2sum_serving.embedded.inference import byte_labels, signatures
from seq2sum_serving.embedded.inference.classify import classify
from seq2sum_serving.embedded.inference.examples_method import INPUTS, serialize_examples
from seq2sum_serving.embedded.inference.options import InferenceOptions
from seq2sum_serving.embedded.inference.regress import regress
from seq2sum_serving.embedded.inference.servable import Servable
from seq2sum_serving.embedded.monitoring import metrics

METHODS = {signatures.CLASSIFY: classify, signatures.REGRESS: regress}
"""Methods by the `method_name` of a task; that of the task's signature is ignored."""


def model_of(request: inference_pb2.MultiInferenceRequest) -> model_pb2.ModelSpec:
    """Returns the model and version of the first task, which all tasks use."""
    return request.tasks[0].model_spec if request.tasks else model_pb2.ModelSpec()


def multi_inference(
    servable: Servable,
    version: int,
    request: inference_pb2.MultiInferenceRequest,
    *,
    options: InferenceOptions,
    timeout: float | None,
) -> Any:
    """Returns a MultiInferenceResponse of `byte_labels` with the results of all tasks.

    Raises:
        ServingError: A task is invalid, the request has no examples, or the run failed.
    """
    feeds, fetches = _check(servable, request, options)
    examples = serialize_examples(request.input)
    outputs = servable.run(dict.fromkeys(feeds, examples), fetches, timeout=timeout)
    model = model_of(request).name
    metrics.REQUEST_EXAMPLE_COUNTS.labels(model).observe(len(examples))
    metrics.REQUEST_EXAMPLE_COUNT_TOTAL.labels(model).inc(len(examples))

    arrays = dict(zip(fetches, outputs, strict=True))
    response = byte_labels.MultiInferenceResponse()
    for task in request.tasks:
        result = response.results.add()
        signature = servable.signatures[signatures.name_of(task.model_spec)]
        method = METHODS[task.method_name]
        method.write(arrays, signature, len(examples), getattr(result, method.task_result))
        signatures.fill_model_spec(result.model_spec, requested=task.model_spec, version=version)
    return response


def _check(
    servable: Servable, request: inference_pb2.MultiInferenceRequest, options: InferenceOptions
) -> tuple[list[str], list[str]]:
    """Returns the tensors to feed and the tensors to fetch for all tasks."""
    model = ""
    names: set[str] = set()
    feeds: set[str] = set()
    fetches: set[str] = set()
    for task in request.tasks:
        spec = task.model_spec
        if not spec.name:
            raise invalid_argument("Found ModelSpec with an empty model name.")
        if model and model != spec.name:
            raise invalid_argument(
                "All ModelSpecs in a MultiInferenceRequest must access the same model name."
            )
        model = spec.name
        name = signatures.name_of(spec)
        if name in names:
            raise invalid_argument(f"Duplicate evaluation of signature: {name}")
        names.add(name)
        signature = servable.signatures.get(name)
        if signature is None:
            raise invalid_argument(f"Requested signature not found in model graph: {name}")
        method = METHODS.get(task.method_name)
        if method is None:
            raise ServingError(
                Code.UNIMPLEMENTED, f"Unsupported signature method_name: {task.method_name}"
            )
        fetches.update(method.check(signature, options))
        feeds.add(signature.inputs[INPUTS].name)
    return sorted(feeds), sorted(fetches)
