"""Status and metadata messages to JSON text, with every field of every message written out."""

from __future__ import annotations

import json
from typing import Any

from google.protobuf import json_format
from google.protobuf.message import Message
from tensorflow_serving.apis import get_model_metadata_pb2, get_model_status_pb2

from seq2sum_serving.embedded.errors import Code, ServingError

SIGNATURE_FIELD = "signature_def"
"""The one field of metadata there is."""

_SINGLE, _DOUBLE = (6, 9), (15, 17)
"""Significant digits: those that are tried first, and those that always do."""
_DOUBLE_FIELDS = ("double_val", "dcomplex_val")


def status_text(response: get_model_status_pb2.GetModelStatusResponse) -> str:
    """The body of a status reply."""
    return _written(response)


def metadata_text(response: get_model_metadata_pb2.GetModelMetadataResponse) -> str:
    """The body of a metadata reply; the signatures lie two keys deep.

    Raises:
        ServingError: INTERNAL: the metadata holds something else.
    """
    signatures = get_model_metadata_pb2.SignatureDefMap()
    if not response.metadata[SIGNATURE_FIELD].Unpack(signatures):
        raise ServingError(Code.INTERNAL, "Failed to unpack 'Any' object to 'SignatureDefMap'.")
    return (
        f'{{\n"model_spec":{_written(response.model_spec)},\n'
        f'"metadata": {{"signature_def": {_written(signatures)}}}\n}}\n'
    )


def _written(message: Message) -> str:
    value: dict[str, Any] = json_format.MessageToDict(
        message, preserving_proto_field_name=True, always_print_fields_with_no_presence=True
    )
    return json.dumps(_as_in_cpp(value, _SINGLE), indent=1, ensure_ascii=False) + "\n"


def _as_in_cpp(value: Any, digits: tuple[int, int]) -> Any:
    """The same value with floats that print as C++ prints them: 2 and not 2.0."""
    if isinstance(value, dict):
        return {
            name: _as_in_cpp(member, _DOUBLE if name in _DOUBLE_FIELDS else digits)
            for name, member in value.items()
        }
    if isinstance(value, list):
        return [_as_in_cpp(element, digits) for element in value]
    if not isinstance(value, float):
        return value
    few, all_of_them = (f"{value:.{count}g}" for count in digits)
    return json.loads(few if float(few) == value else all_of_them)
