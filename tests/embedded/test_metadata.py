"""GetModelMetadata: signatures, and nothing else."""

from __future__ import annotations

import pytest
from seq2sum_serving.embedded.errors import Code, ServingError
from seq2sum_serving.embedded.inference.metadata import check_fields, metadata
from support.scripted_servable import FLOAT, STRING, ScriptedServable, signature
from tensorflow_serving.apis import get_model_metadata_pb2


def test_all_signatures_are_answered_with_the_version_and_no_signature_name():
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
    found = get_model_metadata_pb2.SignatureDefMap()
    assert packed.Unpack(found)
    assert dict(found.signature_def) == signatures


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ([], "GetModelMetadataRequest must specify at least one metadata_field"),
        (["signature_def", "none"], "Metadata field none is not supported"),
    ],
)
def test_other_fields_are_refused(fields, message):
    with pytest.raises(ServingError) as caught:
        check_fields(fields)
    assert (caught.value.code, caught.value.message) == (Code.INVALID_ARGUMENT, message)


def test_the_field_may_be_named_twice():
    check_fields(["signature_def", "signature_def"])
