"""MultiInference: several signatures on the same tf.Examples, in one run of the graph.

The examples are fed to the input of every signature: 2.20.0 lets the inputs differ, where 2.18.1
refused that (recorded case classify-regress/multi-inputs-differ).
"""

from __future__ import annotations

from typing import Any

from tensorflow_serving.apis import inference_pb2, model_pb2

from seq2sum_serving.embedded.errors import Code, ServingError
from seq2sum_serving.embedded.inference import byte_labels, examples, signatures
from seq2sum_serving.embedded.inference.classify import classify
from seq2sum_serving.embedded.inference.examples_method import INPUTS
from seq2sum_serving.embedded.inference.options import InferenceOptions
from seq2sum_serving.embedded.inference.regress import regress
from seq2sum_serving.embedded.inference.servable import Servable
from seq2sum_serving.embedded.monitoring import metrics

METHODS = {signatures.CLASSIFY: classify, signatures.REGRESS: regress}
"""What a task may ask for; what its signature is for does not count."""


def model_of(request: inference_pb2.MultiInferenceRequest) -> model_pb2.ModelSpec:
    """Which model and version to ask: what the first task says, for all of them."""
    return request.tasks[0].model_spec if request.tasks else model_pb2.ModelSpec()


def multi_inference(
    servable: Servable,
    version: int,
    request: inference_pb2.MultiInferenceRequest,
    *,
    options: InferenceOptions,
    timeout: float | None,
) -> Any:
    """Returns a MultiInferenceResponse with byte labels: the signatures of all tasks, run at once.

    Raises:
        ServingError: A task does not fit, there is no example, or the graph raised.
    """
    feeds, fetches = _check(servable, request, options)
    inputs = examples.serialized(request.input)
    fetched = servable.run(dict.fromkeys(feeds, inputs), fetches, timeout=timeout)
    model = model_of(request).name
    metrics.REQUEST_EXAMPLE_COUNTS.labels(model).observe(len(inputs))
    metrics.REQUEST_EXAMPLE_COUNT_TOTAL.labels(model).inc(len(inputs))

    arrays = dict(zip(fetches, fetched, strict=True))
    response = byte_labels.MultiInferenceResponse()
    for task in request.tasks:
        result = response.results.add()
        signature = servable.signatures[signatures.name_of(task.model_spec)]
        method = METHODS[task.method_name]
        method.write(arrays, signature, len(inputs), getattr(result, method.task_result))
        signatures.fill_model_spec(result.model_spec, requested=task.model_spec, version=version)
    return response


def _check(
    servable: Servable, request: inference_pb2.MultiInferenceRequest, options: InferenceOptions
) -> tuple[list[str], list[str]]:
    """The tensors to feed and those to fetch, of all tasks."""
    model = ""
    seen: set[str] = set()
    feeds: set[str] = set()
    fetches: set[str] = set()
    for task in request.tasks:
        spec = task.model_spec
        if not spec.name:
            raise _refused("Found ModelSpec with an empty model name.")
        if model and model != spec.name:
            raise _refused(
                "All ModelSpecs in a MultiInferenceRequest must access the same model name."
            )
        model = spec.name
        name = signatures.name_of(spec)
        if name in seen:
            raise _refused(f"Duplicate evaluation of signature: {name}")
        seen.add(name)
        signature = servable.signatures.get(name)
        if signature is None:
            raise _refused(f"Requested signature not found in model graph: {name}")
        method = METHODS.get(task.method_name)
        if method is None:
            raise ServingError(
                Code.UNIMPLEMENTED, f"Unsupported signature method_name: {task.method_name}"
            )
        fetches.update(method.check(signature, options))
        feeds.add(signature.inputs[INPUTS].name)
    return sorted(feeds), sorted(fetches)


def _refused(message: str) -> ServingError:
    return ServingError(Code.INVALID_ARGUMENT, message)
