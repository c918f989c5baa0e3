"""Predict: any signature, tensors in and tensors out.

The checks are in the order of TensorFlow Serving (servables/tensorflow/predict_util.cc), because
the first failure is the error that the caller gets. Shapes and dtypes are checked only by the
graph, when it runs.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

from tensorflow_serving.apis import predict_pb2

from seq2sum_serving.embedded.errors import Code, ServingError, invalid_argument
from seq2sum_serving.embedded.inference import runtime, signatures, tensor_bytes, tensors
from seq2sum_serving.embedded.inference.options import InferenceOptions
from seq2sum_serving.embedded.inference.servable import Servable

API = "Predict"
METHODS = (signatures.PREDICT, signatures.CLASSIFY, signatures.REGRESS)
"""Method names of the signatures that Predict accepts, if method names are checked."""


class Output(NamedTuple):
    """An output of a signature."""

    alias: str
    key: bytes
    """The alias in a serialized response."""
    name: str
    """Name of the tensor."""
    dtype: int


@dataclass(slots=True)
class Signature:
    """The parts of a SignatureDef that each request needs, read once."""

    method_name: str
    inputs: list[tuple[str, str]]
    """Alias and tensor name, sorted by alias."""
    defaults: Mapping[str, Any]
    """TensorProtos by alias."""
    fed: int
    """Number of tensors that are fed."""
    outputs: dict[str, Output]
    """By alias, sorted."""
    all_outputs: list[Output]
    all_fetches: list[str]
    """Tensor names of all outputs."""


@dataclass(slots=True)
class PredictCall:
    """A request that fits its signature."""

    feeds: dict[str, Any]
    """Arrays by tensor name."""
    outputs: Sequence[Output]
    fetches: list[str]
    """Names of the tensors to return."""
    spec: Any
    """The request's ModelSpec."""
    version: int
    as_content: bool

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
        for output, array in zip(self.outputs, arrays, strict=True):
            tensor = written[output.alias]
            tensors.write(array, tensor, as_content=self.as_content, dtype=output.dtype)
        signatures.fill_model_spec(response.model_spec, requested=self.spec, version=self.version)
        return response

    def serialized(self, arrays: Sequence[Any]) -> bytes:
        """Returns the serialized response with the fetched arrays.

        Raises:
            ValueError: It exceeds protobuf's limit.
        """
        spec, as_content = self.spec, self.as_content
        outputs = [
            (output.key, tensor_bytes.tensor(array, as_content=as_content, dtype=output.dtype))
            for output, array in zip(self.outputs, arrays, strict=True)
        ]
        name = signatures.name_of(spec)
        return tensor_bytes.response(
            outputs, tensor_bytes.model_spec(spec.name, self.version, name)
        )


_SIGNATURES: WeakKeyDictionary[Servable, dict[str, Signature]] = WeakKeyDictionary()


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
    return call.response(run(servable, call, timeout))


def run(servable: Servable, call: PredictCall, timeout: float | None) -> Any:
    """Returns the arrays that a call fetches; raises ServingError if the run failed."""
    return runtime.run(
        servable, call.feeds, call.fetches, model=call.model, api=API, timeout=timeout
    )


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
    signature = _signature(servable, name)
    if options.check_method_names and signature.method_name not in METHODS:
        raise ServingError(
            Code.INTERNAL,
            "Expected prediction signature method_name to be one of "
            f"{{{', '.join(METHODS)}}}. Was: {signature.method_name}",
        )
    feeds = _feeds(signature, request.inputs)
    outputs, fetches = signature.all_outputs, signature.all_fetches
    if request.output_filter:
        outputs = _filtered(signature.outputs, request.output_filter)
        fetches = [output.name for output in outputs]
    if len(feeds) < signature.fed:
        raise _fed_twice(feed for _, feed in signature.inputs)
    return PredictCall(feeds, outputs, fetches, spec, version, options.as_tensor_content)


def _signature(servable: Servable, name: str) -> Signature:
    known = _SIGNATURES.get(servable)
    if known is None:
        known = _SIGNATURES.setdefault(servable, {})
    signature = known.get(name)
    if signature is None:
        definition = servable.signatures.get(name)
        if definition is None:
            raise ServingError(
                Code.FAILED_PRECONDITION, f'Serving signature key "{name}" not found.'
            )
        signature = known[name] = _read(definition)
    return signature


def _read(definition: Any) -> Signature:
    outputs = [
        Output(alias, tensor_bytes.key(alias), info.name, info.dtype)
        for alias, info in sorted(definition.outputs.items())
    ]
    inputs = [(alias, info.name) for alias, info in sorted(definition.inputs.items())]
    return Signature(
        method_name=definition.method_name,
        inputs=inputs,
        defaults=definition.defaults,
        fed=len(inputs),
        outputs={output.alias: output for output in outputs},
        all_outputs=outputs,
        all_fetches=[output.name for output in outputs],
    )


def _feeds(signature: Signature, inputs: Mapping[str, Any]) -> dict[str, Any]:
    """Returns arrays by tensor name, defaults included."""
    expected, defaults = signature.inputs, signature.defaults
    if len(inputs) > len(expected) or (len(inputs) < len(expected) and not defaults):
        names = {alias for alias, _ in expected}
        raise invalid_argument(
            f"input size does not match signature: {len(inputs)}!={len(expected)} "
            f"len({_set(inputs)}) != len({_set(names)}). "
            f"Sent extra: {_set(inputs.keys() - names)}. "
            f"Missing but required: {_set(names - inputs.keys())}."
        )
    feeds: dict[str, Any] = {}
    used = []
    for alias, feed in expected:
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


def _filtered(outputs: Mapping[str, Output], output_filter: Sequence[str]) -> list[Output]:
    """Returns the outputs in the filter."""
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
    return [outputs[alias] for alias in output_filter]


def _set(names: Iterable[str]) -> str:
    return "{" + ",".join(sorted(names)) + "}"
