"""Statuses and signatures of model versions, read from replies."""

from __future__ import annotations

import pytest
import seq2sum
from seq2sum import _calls
from seq2sum._servable import Servable
from seq2sum.addition import calls
from seq2sum.protocol import model_metadata_pb2, model_status_pb2

LATEST = Servable("seq2sum")


def test_statuses_are_sorted_newest_first_with_their_errors():
    response = model_status_pb2.GetModelStatusResponse()
    response.model_version_status.add(
        version=1, state=model_status_pb2.ModelVersionStatus.AVAILABLE
    )
    bad = response.model_version_status.add(
        version=2, state=model_status_pb2.ModelVersionStatus.END
    )
    bad.status.error_message = "broken"
    odd = response.model_version_status.add(version=3)
    odd.state = 77
    assert _calls.statuses(LATEST).read(response) == [
        seq2sum.VersionStatus(3, seq2sum.State.UNKNOWN),
        seq2sum.VersionStatus(2, seq2sum.State.END, "broken"),
        seq2sum.VersionStatus(1, seq2sum.State.AVAILABLE),
    ]


def metadata(described, name="tensorflow.serving.SignatureDefMap"):
    signatures = model_metadata_pb2.SignatureDefMap()
    for signature, parts in described.items():
        for kind, tensors in parts.items():
            for alias, (dtype, shape) in tensors.items():
                info = getattr(signatures.signature_def[signature], kind)[alias]
                info.dtype = dtype
                if shape is None:
                    info.tensor_shape.unknown_rank = True
                for size in shape or ():
                    info.tensor_shape.dim.add(size=size)
    response = model_metadata_pb2.GetModelMetadataResponse()
    response.model_spec.version.value = 5
    packed = response.metadata["signature_def"]
    packed.type_url = f"type.googleapis.com/{name}"
    packed.value = signatures.SerializeToString()
    return response


def test_description_of_another_model_lists_missing_tensors():
    other = metadata(
        {
            "serving_default": {
                "inputs": {"questions": (7, (-1,))},
                "outputs": {"answers": (7, None), "status": (9, (-1,))},
            }
        }
    )
    found = calls.describe(LATEST).result(other, target="t")
    assert found.version == 5
    assert found.digits is None
    assert found.signatures["serving_default"].outputs["answers"].shape is None
    assert found.missing == (
        "DT_FLOAT confidence of signature serving_default",
        "DT_INT32 status of signature serving_default",
        "signature probabilities",
        "signature one_hot",
    )


def test_description_leaves_out_internal_signatures():
    names = ("__saved_model_init_op", "__saved_model_train_op", "serving_default", "__mine")
    part = {"inputs": {}, "outputs": {"x": (9, ())}}
    found = calls.describe(LATEST).result(metadata(dict.fromkeys(names, part)), target="t")
    assert list(found.signatures) == ["__mine", "serving_default"]


@pytest.mark.parametrize(
    "response",
    [
        model_metadata_pb2.GetModelMetadataResponse(),
        metadata({}, name="something.Else"),
    ],
)
def test_metadata_without_signatures_is_unexpected(response):
    with pytest.raises(seq2sum.UnexpectedResponse, match="no signatures"):
        calls.describe(LATEST).result(response, target="t")
