"""Replies of the fake server for any model: a function in place of each signature."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from seq2sum._calls import SIGNATURE_DEF, SIGNATURE_DEF_MAP
from seq2sum._nested_lists import InvalidValue
from seq2sum._tensor import Tensor
from seq2sum._tensor_decoding import tensor
from seq2sum._tensor_encoding import fill
from seq2sum._versions import TensorSpec
from seq2sum.protocol import model_metadata_pb2, model_status_pb2, predict_pb2, tensor_pb2


@dataclass(frozen=True, slots=True)
class FakeSignature:
    """A signature of a fake model, and the function that answers its calls."""

    function: Callable[[dict[str, Tensor]], Any]
    """Takes the inputs by name; returns the outputs by name, or the value of the only output.
    Values may be anything that `ModelClient.predict` accepts. If it raises ValueError, the call
    fails with INVALID_ARGUMENT; if its outputs are not as declared, with INTERNAL."""
    inputs: Mapping[str, TensorSpec]
    """The declared inputs, by name; dtypes are TensorFlow's names, like DT_FLOAT."""
    outputs: Mapping[str, TensorSpec]
    """The declared outputs, by name."""


DTYPE_NAMES = frozenset(tensor_pb2.DataType.keys())


class InvalidOutput(Exception):
    """The function of a fake signature returned something that is not declared."""


def check(name: str, signature: FakeSignature) -> None:
    """Checks a signature and its tensors.

    Raises:
        TypeError: It is not a `FakeSignature`, or a tensor is not a `TensorSpec`.
        ValueError: A dtype is not one of TensorFlow's names.
    """
    if not isinstance(signature, FakeSignature):
        raise TypeError(f"invalid signature {name!r} {signature!r}: expected a FakeSignature")
    for side, specs in (("input", signature.inputs), ("output", signature.outputs)):
        for alias, spec in specs.items():
            place = f"{side} {alias!r} of signature {name!r}"
            if not isinstance(spec, TensorSpec):
                raise TypeError(f"invalid {place} {spec!r}: expected a TensorSpec")
            if spec.dtype not in DTYPE_NAMES:
                raise ValueError(
                    f"invalid dtype {spec.dtype!r} of {place}: expected a name like DT_FLOAT"
                )


def predict(
    request: predict_pb2.PredictRequest, version: int, name: str, signature: FakeSignature
) -> predict_pb2.PredictResponse:
    """Returns the reply to a Predict.

    Raises:
        InvalidValue: The request does not fit the signature, or the function raised ValueError.
        InvalidOutput: The function's outputs do not fit the signature.
    """
    found = inputs(request)
    if found.keys() != signature.inputs.keys():
        raise InvalidValue(
            f"inputs {sorted(found)} do not match those of signature {name!r}: "
            f"{sorted(signature.inputs)}"
        )
    for alias, spec in signature.inputs.items():
        if found[alias].dtype != spec.dtype:
            raise InvalidValue(f"input {alias!r} is {found[alias].dtype}: expected {spec.dtype}")
    try:
        outputs = signature.function(found)
    except ValueError as error:
        raise InvalidValue(str(error)) from error
    if not isinstance(outputs, Mapping) and len(signature.outputs) == 1:
        outputs = dict.fromkeys(signature.outputs, outputs)
    if not isinstance(outputs, Mapping) or not outputs.keys() >= signature.outputs.keys():
        found_names = sorted(outputs) if isinstance(outputs, Mapping) else type(outputs).__name__
        raise InvalidOutput(
            f"the function of signature {name!r} returned {found_names}: expected a mapping with "
            f"{sorted(signature.outputs)}"
        )
    response = predict_pb2.PredictResponse()
    response.model_spec.CopyFrom(request.model_spec)
    response.model_spec.version.value = version
    response.model_spec.signature_name = name
    for alias in request.output_filter or signature.outputs:
        if alias not in signature.outputs:
            raise InvalidValue(f"output {alias!r} is not among {sorted(signature.outputs)}")
        try:
            fill(response.outputs[alias], outputs[alias], signature.outputs[alias])
        except InvalidValue as error:
            raise InvalidOutput(
                f"the function of signature {name!r} returned an invalid output {alias!r}: {error}"
            ) from error
    return response


def inputs(request: predict_pb2.PredictRequest) -> dict[str, Tensor]:
    """Returns the inputs of a request, by name."""
    return {name: tensor(request.inputs[name], name) for name in sorted(request.inputs)}


def states(versions: Sequence[int]) -> model_status_pb2.GetModelStatusResponse:
    """Returns a reply in which all versions are AVAILABLE."""
    response = model_status_pb2.GetModelStatusResponse()
    for version in versions:
        entry = response.model_version_status.add(
            version=version, state=model_status_pb2.ModelVersionStatus.AVAILABLE
        )
        entry.status.SetInParent()
    return response


def metadata(
    model: str, version: int, signatures: Mapping[str, tuple[Mapping[str, TensorSpec], ...]]
) -> model_metadata_pb2.GetModelMetadataResponse:
    """Returns the reply to a GetModelMetadata; signatures are pairs of inputs and outputs."""
    found = model_metadata_pb2.SignatureDefMap()
    for name, (declared_inputs, declared_outputs) in signatures.items():
        declared = found.signature_def[name]
        sides = (declared.inputs, declared_inputs), (declared.outputs, declared_outputs)
        for side, specs in sides:
            for alias, spec in specs.items():
                number = tensor_pb2.DataType.Value(spec.dtype)
                side[alias].dtype = number  # type: ignore[assignment]  # a plain integer
                shape = side[alias].tensor_shape
                shape.unknown_rank = spec.shape is None
                for size in spec.shape or ():
                    shape.dim.add(size=size)
    response = model_metadata_pb2.GetModelMetadataResponse()
    response.model_spec.name = model
    response.model_spec.version.value = version
    packed = response.metadata[SIGNATURE_DEF]
    packed.type_url = f"type.googleapis.com/{SIGNATURE_DEF_MAP}"
    packed.value = found.SerializeToString()
    return response
