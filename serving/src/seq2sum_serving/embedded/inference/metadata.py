"""GetModelMetadata: the signatures of a version."""

from __future__ import annotations

from collections.abc import Sequence

from tensorflow_serving.apis import get_model_metadata_pb2

from seq2sum_serving.embedded.errors import invalid_argument
from seq2sum_serving.embedded.inference.servable import Servable

SIGNATURE_FIELD = "signature_def"
"""The only supported metadata field."""


def check_fields(fields: Sequence[str]) -> None:
    """Checks the requested metadata fields, before the model is looked up.

    Raises:
        ServingError: INVALID_ARGUMENT: no field, or one other than `signature_def`.
    """
    if not fields:
        raise invalid_argument("GetModelMetadataRequest must specify at least one metadata_field")
    for field in fields:
        if field != SIGNATURE_FIELD:
            raise invalid_argument(f"Metadata field {field} is not supported")


def metadata(
    servable: Servable, version: int, request: get_model_metadata_pb2.GetModelMetadataRequest
) -> get_model_metadata_pb2.GetModelMetadataResponse:
    """Returns all signatures of a version, whichever signature the request names."""
    response = get_model_metadata_pb2.GetModelMetadataResponse()
    response.model_spec.name = request.model_spec.name
    response.model_spec.version.value = version
    signatures = get_model_metadata_pb2.SignatureDefMap()
    for name, signature in servable.signatures.items():
        signatures.signature_def[name].CopyFrom(signature)
    response.metadata[SIGNATURE_FIELD].Pack(signatures)
    return response
