"""The data plane: what Predict and GetModelMetadata do with one version, by TF Serving's rules.

The checks come in TensorFlow Serving's order, because the first one that fails decides which
error a caller sees.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from numpy.typing import NDArray
from tensorflow.core.framework import types_pb2
from tensorflow_serving.apis import get_model_metadata_pb2, predict_pb2

from seq2sum_serving.embedded import tensors
from seq2sum_serving.embedded.errors import Code, ServingError
from seq2sum_serving.embedded.saved_model import SavedModel

DEFAULT_SIGNATURE = "serving_default"
SIGNATURE_FIELD = "signature_def"


def predict(
    model: SavedModel, version: int, request: predict_pb2.PredictRequest
) -> predict_pb2.PredictResponse:
    """Runs a signature.

    Raises:
        ServingError: The request does not fit the signature, or the graph raised.
    """
    name = request.model_spec.signature_name or DEFAULT_SIGNATURE
    signature = model.signatures.get(name)
    if signature is None:
        raise ServingError(Code.FAILED_PRECONDITION, f'Serving signature key "{name}" not found.')
    feeds = _feeds(signature, request.inputs)
    aliases = _outputs(signature, request.output_filter)
    _check_dtypes(signature, feeds)
    fetched = model.run(feeds, [signature.outputs[alias].name for alias in aliases])

    response = predict_pb2.PredictResponse()
    for alias, array in zip(aliases, fetched, strict=True):
        tensors.write(array, response.outputs[alias])
    response.model_spec.name = request.model_spec.name
    response.model_spec.version.value = version
    response.model_spec.signature_name = name
    return response


def metadata(
    model: SavedModel, version: int, request: get_model_metadata_pb2.GetModelMetadataRequest
) -> get_model_metadata_pb2.GetModelMetadataResponse:
    """The signatures of a version."""
    response = get_model_metadata_pb2.GetModelMetadataResponse()
    response.model_spec.name = request.model_spec.name
    response.model_spec.version.value = version
    signatures = get_model_metadata_pb2.SignatureDefMap()
    for name, signature in model.signatures.items():
        signatures.signature_def[name].CopyFrom(signature)
    response.metadata[SIGNATURE_FIELD].Pack(signatures)
    return response


def check_metadata_fields(fields: Sequence[str]) -> None:
    """Refuses a metadata request for anything but signatures, before the model is looked up."""
    if not fields:
        raise ServingError(
            Code.INVALID_ARGUMENT,
            "GetModelMetadataRequest must specify at least one metadata_field",
        )
    for field in fields:
        if field != SIGNATURE_FIELD:
            raise ServingError(Code.INVALID_ARGUMENT, f"Metadata field {field} is not supported")


def _feeds(signature: Any, inputs: Mapping[str, Any]) -> dict[str, NDArray[Any]]:
    """Arrays by tensor name, defaults filled in."""
    wanted, defaults = signature.inputs, signature.defaults
    extra, missing = inputs.keys() - wanted.keys(), wanted.keys() - inputs.keys()
    required = missing - defaults.keys()
    if len(inputs) > len(wanted) or (len(inputs) < len(wanted) and not defaults):
        raise ServingError(
            Code.INVALID_ARGUMENT,
            f"input size does not match signature: {len(inputs)}!={len(wanted)} "
            f"len({_set(inputs)}) != len({_set(wanted)}). Sent extra: {_set(extra)}. "
            f"Missing but required: {_set(required)}.",
        )
    feeds: dict[str, NDArray[Any]] = {}
    for alias in sorted(wanted):
        tensor = inputs[alias] if alias in inputs else defaults.get(alias)
        if tensor is None:
            raise ServingError(
                Code.INVALID_ARGUMENT,
                f"Signature input alias: {alias}(feed name: {wanted[alias].name}) not found in "
                "request and no default value provided. Inputs expected to be in the request "
                f"{_set(inputs)}, or default input alias set: {','.join(sorted(defaults))}",
            )
        try:
            feeds[wanted[alias].name] = tensors.decode(tensor)
        except ValueError as error:
            raise ServingError(Code.INVALID_ARGUMENT, f"tensor parsing error: {alias}") from error
    if extra:
        used = ",".join(sorted(wanted.keys() & inputs.keys()))
        raise ServingError(
            Code.INVALID_ARGUMENT,
            f"Inputs contains invalid name. Used request inputs: {used}, "
            f"request input: {','.join(sorted(inputs))}",
        )
    return feeds


def _outputs(signature: Any, wanted: Sequence[str]) -> list[str]:
    """Aliases to fetch: those of the filter, or all."""
    known = signature.outputs
    for place, alias in enumerate(wanted):
        if alias not in known:
            raise ServingError(
                Code.INVALID_ARGUMENT,
                f"output tensor alias not found in signature: {alias} "
                f"Outputs expected to be in the set {_set(known)}.",
            )
        if alias in wanted[:place]:
            raise ServingError(Code.INVALID_ARGUMENT, f"duplicate output tensor alias: {alias}")
    return list(wanted) or sorted(known)


def _check_dtypes(signature: Any, feeds: Mapping[str, NDArray[Any]]) -> None:
    """No dtype is ever cast; the position is that among the sorted tensor names."""
    dtypes = {info.name: info.dtype for info in signature.inputs.values()}
    for place, name in enumerate(sorted(feeds)):
        found = tensors.datatype(feeds[name])
        if found != dtypes[name]:
            wanted, given = (
                types_pb2.DataType.Name(dtype).removeprefix("DT_").lower()
                for dtype in (dtypes[name], found)
            )
            raise ServingError(
                Code.INVALID_ARGUMENT,
                f"Expects arg[{place}] to be {wanted} but {given} is provided",
            )


def _set(names: Iterable[str]) -> str:
    return "{" + ",".join(sorted(names)) + "}"
