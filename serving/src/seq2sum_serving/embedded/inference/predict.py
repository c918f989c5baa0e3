"""Predict: any signature, tensors in and tensors out.

The checks are in the order of TensorFlow Serving (servables/tensorflow/predict_util.cc), because
the first failure is the error that the caller gets. Shapes and dtypes are checked only by the
graph, when it runs.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tensorflow_serving.apis import predict_pb2

from seq2sum_serving.embedded.errors import Code, ServingError, invalid_argument
from seq2sum_serving.embedded.inference import runtime, signatures, tensors
from seq2sum_serving.embedded.inference.options import InferenceOptions
from seq2sum_serving.embedded.inference.servable import Servable

API = "Predict"
METHODS = (signatures.PREDICT, signatures.CLASSIFY, signatures.REGRESS)
"""Method names of the signatures that Predict accepts, if method names are checked."""


@dataclass(frozen=True, slots=True)
class PredictCall:
    """A request that fits its signature."""

    feeds: dict[str, Any]
    """Arrays by tensor name."""
    outputs: Sequence[tuple[str, Any]]
    """Alias and TensorInfo of each output."""
    spec: Any
    """The request's ModelSpec."""
    version: int
    as_content: bool

    @property
    def fetches(self) -> list[str]:
        """Names of the tensors to return."""
        return [info.name for _, info in self.outputs]

    @property
    def model(self) -> str:
        """The model's name in the request."""
        name: str = self.spec.name
        return name

    @property
    def has_rows(self) -> bool:
        """Whether every input has at least one row."""
        return all(array.ndim and len(array) for array in self.feeds.values())

    def response(self, arrays: Sequence[Any]) -> predict_pb2.PredictResponse:
        """Returns the response with the fetched arrays."""
        response = predict_pb2.PredictResponse()
        written = response.outputs
        for (alias, info), array in zip(self.outputs, arrays, strict=True):
            tensors.write(array, written[alias], as_content=self.as_content, dtype=info.dtype)
        signatures.fill_model_spec(response.model_spec, requested=self.spec, version=self.version)
        return response


def predict(
    servable: Servable,
    version: int,
    request: predict_pb2.PredictRequest,
    *,
    options: InferenceOptions,
    timeout: float | None,
) -> predict_pb2.PredictResponse:
    """Runs a signature of a version; `timeout` limits the run of the graph, in seconds.

    Raises:
        ServingError: The request does not fit the signature, or the run failed.
    """
    call = prepare(servable, version, request, options)
    arrays = runtime.run(
        servable, call.feeds, call.fetches, model=call.model, api=API, timeout=timeout
    )
    return call.response(arrays)


def prepare(
    servable: Servable,
    version: int,
    request: predict_pb2.PredictRequest,
    options: InferenceOptions,
) -> PredictCall:
    """Checks a request and reads its inputs.

    Raises:
        ServingError: The request does not fit the signature.
    """
    spec = request.model_spec
    name = signatures.name_of(spec)
    signature = servable.signatures.get(name)
    if signature is None:
        raise ServingError(Code.FAILED_PRECONDITION, f'Serving signature key "{name}" not found.')
    if options.check_method_names and signature.method_name not in METHODS:
        raise ServingError(
            Code.INTERNAL,
            "Expected prediction signature method_name to be one of "
            f"{{{', '.join(METHODS)}}}. Was: {signature.method_name}",
        )
    feeds = _feeds(signature, request.inputs)
    outputs = signature.outputs
    aliases = _aliases(outputs, request.output_filter)
    if len(feeds) < len(signature.inputs):
        raise _fed_twice(info.name for info in signature.inputs.values())
    pairs = [(alias, outputs[alias]) for alias in aliases]
    return PredictCall(feeds, pairs, spec, version, options.as_tensor_content)


def _feeds(signature: Any, inputs: Mapping[str, Any]) -> dict[str, Any]:
    """Returns arrays by tensor name, defaults included."""
    expected, defaults = signature.inputs, signature.defaults
    if len(inputs) > len(expected) or (len(inputs) < len(expected) and not defaults):
        raise invalid_argument(
            f"input size does not match signature: {len(inputs)}!={len(expected)} "
            f"len({_set(inputs)}) != len({_set(expected)}). "
            f"Sent extra: {_set(inputs.keys() - expected.keys())}. "
            f"Missing but required: {_set(expected.keys() - inputs.keys())}."
        )
    feeds: dict[str, Any] = {}
    used = []
    for alias in sorted(expected):
        feed = expected[alias].name
        if alias in inputs:
            tensor = inputs[alias]
            used.append(alias)
        elif alias in defaults:
            tensor = defaults[alias]
        else:
            raise invalid_argument(
                f"Signature input alias: {alias}(feed name: {feed}) not found in "
                "request and no default value provided. Inputs expected to be in the request "
                f"{_set(inputs)}, or default input alias set: {','.join(sorted(defaults))}"
            )
        try:
            feeds[feed] = tensors.decode(tensor)
        except ValueError as error:
            raise invalid_argument(f"tensor parsing error: {alias}") from error
    if len(used) != len(inputs):
        raise invalid_argument(
            f"Inputs contains invalid name. Used request inputs: {','.join(used)}, "
            f"request input: {','.join(sorted(inputs))}"
        )
    return feeds


def _fed_twice(names: Iterable[str]) -> ServingError:
    """Returns the error for a tensor under two aliases (signatures/same-tensor-twice)."""
    [(name, _)] = Counter(names).most_common(1)
    endpoint = name if ":" in name else f"{name}:0"
    return invalid_argument(f'Endpoint "{endpoint}" fed more than once.')


def _aliases(outputs: Mapping[str, Any], output_filter: Sequence[str]) -> list[str]:
    """Returns the outputs to fetch: those in the filter, or all."""
    if not output_filter:
        return sorted(outputs)
    checked: set[str] = set()
    for alias in output_filter:
        if alias not in outputs:
            raise invalid_argument(
                f"output tensor alias not found in signature: {alias} "
                f"Outputs expected to be in the set {_set(outputs)}."
            )
        if alias in checked:
            raise invalid_argument(f"duplicate output tensor alias: {alias}")
        checked.add(alias)
    return list(output_filter)


def _set(names: Iterable[str]) -> str:
    return "{" + ",".join(sorted(names)) + "}"
