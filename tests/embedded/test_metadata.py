"""GetModelMetadata: the signatures of a version."""

from __future__ import annotations

import pytest
from seq2sum_serving.embedded.errors import Code
from seq2sum_serving.embedded.inference.metadata import check_fields, metadata
from support.scripted_servable import FLOAT, STRING, ScriptedServable, signature
from support.serving_errors import refusal
from tensorflow_serving.apis import get_model_metadata_pb2

pytestmark = pytest.mark.tensorflow


def test_metadata_has_all_signatures_and_the_version():
    signatures = {
        "a": signature({"x": STRING}, {"y": FLOAT}),
        "__saved_model_init_op": signature({}, {}),
    }
    request = get_model_metadata_pb2.GetModelMetadataRequest()
    request.model_spec.name = "m"
    request.model_spec.signature_name = "none"
    response = metadata(ScriptedServable(signatures), 7, request)
    assert response.model_spec.name == "m"
    assert response.model_spec.version.value == 7
    assert not response.model_spec.signature_name
    packed = response.metadata["signature_def"]
    assert packed.type_url.endswith("/tensorflow.serving.SignatureDefMap")
    unpacked = get_model_metadata_pb2.SignatureDefMap()
    assert packed.Unpack(unpacked)
    assert dict(unpacked.signature_def) == signatures


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ([], "GetModelMetadataRequest must specify at least one metadata_field"),
        (["signature_def", "none"], "Metadata field none is not supported"),
    ],
)
def test_unsupported_fields_are_refused(fields, message):
    assert refusal(check_fields, fields) == (Code.INVALID_ARGUMENT, message)


def test_a_repeated_field_is_accepted():
    check_fields(["signature_def", "signature_def"])
