"""The server under test, called through TensorFlow Serving's own stubs."""

from __future__ import annotations

import concurrent.futures

import grpc
import pytest
import seq2sum
import tensorflow as tf
from support.raw_requests import predict_request
from tensorflow_serving.apis import (
    get_model_metadata_pb2,
    get_model_status_pb2,
    model_service_pb2_grpc,
    predict_pb2,
    prediction_service_pb2_grpc,
)

pytestmark = [pytest.mark.tensorflow, pytest.mark.server]


@pytest.fixture(scope="module")
def channel(shared_server):
    with grpc.insecure_channel(shared_server.target) as channel:
        yield channel


@pytest.fixture(scope="module")
def prediction(channel):
    """tensorflow-serving-api's own stub."""
    return prediction_service_pb2_grpc.PredictionServiceStub(channel)


def test_stock_stub_gets_correct_answers(prediction):
    response = prediction.Predict(predict_request("3+4", "9+9", "nonsense"), timeout=60)
    assert tf.make_ndarray(response.outputs["answers"]).tolist() == [b"7", b"18", b""]
    assert tf.make_ndarray(response.outputs["status"]).tolist() == [0, 0, 1]
    assert response.model_spec.version.value == 1
    assert response.model_spec.signature_name == "serving_default"


def test_every_signature_is_served(prediction):
    request = predict_request("3+4", signature="probabilities")
    outputs = prediction.Predict(request, timeout=60).outputs
    assert tf.make_ndarray(outputs["probabilities"]).shape == (1, 2, 12)
    request = predict_request("3+4", signature="one_hot")
    outputs = prediction.Predict(request, timeout=60).outputs
    assert tf.make_ndarray(outputs["one_hot"]).shape == (1, 3, 12)


def test_output_filter_selects_outputs(prediction):
    request = predict_request("3+4")
    request.output_filter.append("answers")
    assert list(prediction.Predict(request, timeout=60).outputs) == ["answers"]


def test_metadata_returns_the_signatures(prediction):
    request = get_model_metadata_pb2.GetModelMetadataRequest(metadata_field=["signature_def"])
    request.model_spec.name = "seq2sum"
    response = prediction.GetModelMetadata(request, timeout=60)
    signatures = get_model_metadata_pb2.SignatureDefMap()
    assert response.metadata["signature_def"].Unpack(signatures)
    assert {"serving_default", "probabilities", "one_hot"} <= set(signatures.signature_def)
    inputs = signatures.signature_def["serving_default"].inputs
    assert inputs["questions"].dtype == tf.string.as_datatype_enum


def test_status_returns_the_version(channel):
    stub = model_service_pb2_grpc.ModelServiceStub(channel)
    request = get_model_status_pb2.GetModelStatusRequest()
    request.model_spec.name = "seq2sum"
    [row] = stub.GetModelStatus(request, timeout=60).model_version_status
    assert (row.version, row.state, row.status.error_code) == (1, row.AVAILABLE, 0)


FAILING = [
    (predict_pb2.PredictRequest(), "INVALID_ARGUMENT", "Missing ModelSpec"),
    (predict_request(name=""), "INVALID_ARGUMENT", "ModelSpec has no name specified."),
    (
        predict_request(name="nope"),
        "NOT_FOUND",
        "Servable not found for request: Latest(nope)",
    ),
    (
        predict_request(version=0),
        "NOT_FOUND",
        "Servable not found for request: Specific(seq2sum, 0)",
    ),
    (
        predict_request(signature="nope"),
        "FAILED_PRECONDITION",
        'Serving signature key "nope" not found.',
    ),
]


@pytest.mark.parametrize(("request_", "code", "message"), FAILING)
def test_invalid_request_has_tensorflow_servings_error(prediction, request_, code, message):
    with pytest.raises(grpc.RpcError) as caught:
        prediction.Predict(request_, timeout=60)
    assert (caught.value.code().name, caught.value.details()) == (code, message)


@pytest.mark.parametrize("method", ["/tensorflow.serving.Nope/Nope", "/x/y"])
def test_unknown_method_is_unimplemented(channel, method):
    with pytest.raises(grpc.RpcError) as caught:
        channel.unary_unary(method)(b"", timeout=60)
    assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED


def test_unparsable_request_is_an_internal_error(channel, prediction):
    call = channel.unary_unary("/tensorflow.serving.PredictionService/Predict")
    with pytest.raises(grpc.RpcError) as caught:
        call(b"\xff\xff\xff", timeout=60)
    assert caught.value.code() is grpc.StatusCode.INTERNAL
    assert prediction.Predict(predict_request("1+1"), timeout=60).outputs  # the server goes on


def test_wrong_dtype_is_not_cast(prediction):
    request = predict_request()
    request.inputs["questions"].CopyFrom(tf.make_tensor_proto([1.0]))
    with pytest.raises(grpc.RpcError) as caught:
        prediction.Predict(request, timeout=60)
    assert caught.value.details() == "Expects arg[0] to be string but float is provided"


def test_concurrent_callers_get_their_own_answers(shared_server):
    with seq2sum.Client(shared_server.target) as client:

        def is_correct(number):
            question = f"{number % 10}+{number // 10 % 10}"
            return client.add(question).value == number % 10 + number // 10 % 10

        with concurrent.futures.ThreadPoolExecutor(16) as pool:
            assert all(pool.map(is_correct, range(400)))
