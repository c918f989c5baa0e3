"""Converts status and metadata messages to JSON text, with all fields of every message."""

from __future__ import annotations

import json
from typing import Any

from google.protobuf import json_format
from google.protobuf.message import Message
from tensorflow_serving.apis import get_model_metadata_pb2, get_model_status_pb2

from seq2sum_serving.embedded.errors import Code, ServingError

SIGNATURE_FIELD = "signature_def"
"""The only field of metadata."""

_SINGLE, _DOUBLE = (6, 9), (15, 17)
"""Significant digits: first attempt, and always sufficient."""
_DOUBLE_FIELDS = ("double_val", "dcomplex_val")


def status_text(response: get_model_status_pb2.GetModelStatusResponse) -> str:
    """Returns the body of a status reply."""
    return _to_json(response)


def metadata_text(response: get_model_metadata_pb2.GetModelMetadataResponse) -> str:
    """Returns the body of a metadata reply, with the signatures nested in two keys.

    Raises:
        ServingError: INTERNAL: the metadata is not a SignatureDefMap.
    """
    signatures = get_model_metadata_pb2.SignatureDefMap()
    if not response.metadata[SIGNATURE_FIELD].Unpack(signatures):
        raise ServingError(Code.INTERNAL, "Failed to unpack 'Any' object to 'SignatureDefMap'.")
    return (
        f'{{\n"model_spec":{_to_json(response.model_spec)},\n'
        f'"metadata": {{"signature_def": {_to_json(signatures)}}}\n}}\n'
    )


def _to_json(message: Message) -> str:
    value: dict[str, Any] = json_format.MessageToDict(
        message, preserving_proto_field_name=True, always_print_fields_with_no_presence=True
    )
    return json.dumps(_with_cpp_floats(value, _SINGLE), indent=1, ensure_ascii=False) + "\n"


def _with_cpp_floats(value: Any, digits: tuple[int, int]) -> Any:
    """Replaces floats by numbers that print as in C++: 2 instead of 2.0."""
    if isinstance(value, dict):
        return {
            name: _with_cpp_floats(member, _DOUBLE if name in _DOUBLE_FIELDS else digits)
            for name, member in value.items()
        }
    if isinstance(value, list):
        return [_with_cpp_floats(element, digits) for element in value]
    if not isinstance(value, float):
        return value
    short, full = (f"{value:.{count}g}" for count in digits)
    return json.loads(short if float(short) == value else full)
