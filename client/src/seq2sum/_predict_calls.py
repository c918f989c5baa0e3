"""Predict calls of any model: inputs checked by the signature, outputs as tensors. No I/O."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from seq2sum._calls import Call
from seq2sum._dtypes import shape_text
from seq2sum._errors import UnexpectedResponse
from seq2sum._methods import PREDICT
from seq2sum._nested_lists import InvalidValue
from seq2sum._prediction import Prediction
from seq2sum._servable import Servable
from seq2sum._tensor_decoding import tensor
from seq2sum._tensor_encoding import fill
from seq2sum._versions import ModelMetadata, SignatureSpec
from seq2sum.protocol import predict_pb2

DEFAULT_SIGNATURE = "serving_default"
"""The signature that servers use if a request names none."""


@dataclass(frozen=True, slots=True)
class PreparedPredict:
    """A Predict whose inputs fit a signature, for any servable."""

    request: predict_pb2.PredictRequest
    """The inputs and the names of the outputs."""
    metadata: ModelMetadata
    """The signatures by which the inputs were checked."""
    signature: str
    """The name of the signature."""

    @property
    def spec(self) -> SignatureSpec:
        """The signature."""
        return self.metadata.signatures[self.signature]

    def __call__(self, servable: Servable) -> Call[Prediction]:
        """Returns the call."""
        sent = self.request
        if sent.HasField("model_spec"):  # the call is repeated, and the first may be in flight
            sent = predict_pb2.PredictRequest()
            sent.CopyFrom(self.request)
        spec = sent.model_spec
        servable.fill(spec)
        spec.signature_name = self.signature
        return Call(PREDICT, servable, sent, self._read)

    def _read(self, response: predict_pb2.PredictResponse) -> Prediction:
        return _prediction(response, self.metadata, self.spec, self.request.output_filter)


def predict(
    inputs: Any,
    metadata: ModelMetadata,
    *,
    signature: str = DEFAULT_SIGNATURE,
    outputs: Collection[str] | None = None,
) -> PreparedPredict:
    """Returns a Predict call for the model versions that have these signatures.

    Args:
        inputs: Values by input name; or one value, for a signature with one input.
        metadata: The signatures.
        signature: The name of one of them.
        outputs: The outputs to return; None for all.

    Raises:
        InvalidValue: The signature does not exist, or the inputs or outputs do not fit it.
    """
    spec, wanted = checked_names(metadata, signature, outputs)
    named = _named_inputs(inputs, spec, signature)
    request = predict_pb2.PredictRequest()
    request.output_filter.extend(wanted)
    for name, value in named.items():
        try:
            fill(request.inputs[name], value, spec.inputs[name])
        except InvalidValue as error:
            raise InvalidValue(
                f"invalid input {name!r} of signature {signature!r}: {error}"
            ) from error
    return PreparedPredict(request, metadata, signature)


def checked_names(
    metadata: ModelMetadata, signature: str, outputs: Collection[str] | None
) -> tuple[SignatureSpec, list[str]]:
    """Returns a signature and the outputs to request from it; none for all.

    Raises:
        InvalidValue: The signature does not exist, or does not have one of the outputs.
    """
    spec = _signature(metadata, signature)
    return spec, [] if outputs is None else _wanted_outputs(outputs, spec, signature)


def _signature(metadata: ModelMetadata, name: str) -> SignatureSpec:
    if not isinstance(name, str):
        raise InvalidValue(f"invalid signature {name!r}: expected the name of one")
    if (found := metadata.signatures.get(name)) is not None:
        return found
    known = list(metadata.signatures)
    advice = f"give signature=, one of {known}" if known else "it has no signatures"
    raise InvalidValue(f"version {metadata.version} has no signature {name!r}: {advice}")


def _named_inputs(inputs: Any, spec: SignatureSpec, signature: str) -> Mapping[str, Any]:
    """Returns the inputs by name, after checking the names."""
    if isinstance(inputs, dict) and inputs.keys() == spec.inputs.keys():
        return inputs
    expected = list(spec.inputs)
    if not isinstance(inputs, Mapping):
        if len(expected) == 1:
            return {expected[0]: inputs}
        raise InvalidValue(
            f"signature {signature!r} has {len(expected)} inputs: give a mapping with {expected}"
        )
    problems = []
    if missing := [name for name in expected if name not in inputs and name not in spec.optional]:
        problems.append(f"missing {missing}")
    if unknown := [name for name in inputs if name not in spec.inputs]:
        problems.append(f"unknown {unknown}")
    if problems:
        raise InvalidValue(
            f"inputs {' and '.join(problems)}: signature {signature!r} has {expected}"
        )
    return inputs


def _wanted_outputs(outputs: Collection[str], spec: SignatureSpec, signature: str) -> list[str]:
    """Returns the outputs to request."""
    if not isinstance(outputs, str | Collection):
        raise InvalidValue(f"invalid outputs {outputs!r}: expected names of outputs")
    wanted = [outputs] if isinstance(outputs, str) else list(outputs)
    unknown = [name for name in wanted if not isinstance(name, str) or name not in spec.outputs]
    if unknown or not wanted:
        problem = f"unknown outputs {unknown}" if unknown else "no outputs"
        raise InvalidValue(f"{problem}: signature {signature!r} has {list(spec.outputs)}")
    return list(dict.fromkeys(wanted))


def _prediction(
    response: predict_pb2.PredictResponse,
    metadata: ModelMetadata,
    spec: SignatureSpec,
    wanted: Sequence[str],
) -> Prediction:
    """Returns the content of a reply.

    Raises:
        UnexpectedResponse: An output is missing or not readable, or is not of the dtype that the
            signature declares.
    """
    protos = response.outputs
    version = response.model_spec.version.value
    declared = spec.outputs if version == metadata.version else {}
    outputs = {}
    for name in sorted(protos):
        found = outputs[name] = tensor(protos[name], name)
        if name in declared and declared[name].dtype != found.dtype:
            raise UnexpectedResponse(
                f"output {name!r} is {found.dtype} {shape_text(found.shape)}, but the "
                f"signature declares {declared[name].dtype}"
            )
    if missing := [name for name in wanted or declared if name not in outputs]:
        raise UnexpectedResponse(f"the reply lacks the outputs {missing}; it has {list(outputs)}")
    return Prediction(outputs, version)
