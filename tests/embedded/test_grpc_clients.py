"""Third-party clients: stock stubs, the health and reflection protocols, a UNIX socket."""

from __future__ import annotations

import grpc
import pytest
import tensorflow as tf
from google.protobuf import descriptor_pb2, descriptor_pool, json_format, message_factory
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from support import servers
from support.raw_requests import predict_request
from tensorflow_serving.apis import (
    get_model_status_pb2,
    model_management_pb2,
    model_service_pb2_grpc,
    prediction_service_pb2_grpc,
)

pytestmark = [pytest.mark.tensorflow, pytest.mark.server]

PREDICTION_SERVICE = "tensorflow.serving.PredictionService"


class ReflectionClient:
    """A client that learns methods and messages by reflection, as grpcurl does."""

    def __init__(self, channel):
        self.channel = channel
        self.stub = reflection_pb2_grpc.ServerReflectionStub(channel)
        self.pool = descriptor_pool.DescriptorPool()
        self.files = set()

    def services(self):
        listed = self._reflect(list_services="").list_services_response
        return [service.name for service in listed.service]

    def call(self, service, name, content):
        """Calls a method with JSON, and returns JSON."""
        self._learn(self._reflect(file_containing_symbol=service))
        method = self.pool.FindServiceByName(service).methods_by_name[name]
        request, response = map(
            message_factory.GetMessageClass, (method.input_type, method.output_type)
        )
        reply = self.channel.unary_unary(
            f"/{service}/{name}", request.SerializeToString, response.FromString
        )(json_format.ParseDict(content, request()), timeout=60)
        return json_format.MessageToDict(reply, preserving_proto_field_name=True)

    def _learn(self, response):
        """Adds the files of a response to the pool, each after the files that it imports."""
        for raw in response.file_descriptor_response.file_descriptor_proto:
            file = descriptor_pb2.FileDescriptorProto.FromString(raw)
            if file.name not in self.files:
                self.files.add(file.name)
                for other in file.dependency:
                    self._learn(self._reflect(file_by_filename=other))
                self.pool.Add(file)

    def _reflect(self, **fields):
        request = reflection_pb2.ServerReflectionRequest(**fields)
        [response] = self.stub.ServerReflectionInfo(iter([request]), timeout=60)
        assert not response.HasField("error_response"), response
        return response


@pytest.fixture
def channel(shared_server):
    with grpc.insecure_channel(shared_server.target) as channel:
        yield channel


def test_reflection_describes_methods_and_messages(channel):
    client = ReflectionClient(channel)
    assert {PREDICTION_SERVICE, "tensorflow.serving.ModelService"} <= set(client.services())
    response = client.call(
        PREDICTION_SERVICE,
        "Predict",
        {
            "model_spec": {"name": "seq2sum"},
            "inputs": {
                "questions": {
                    "dtype": "DT_STRING",
                    "tensor_shape": {"dim": [{"size": "1"}]},
                    "string_val": ["Mys0"],  # 3+4
                }
            },
            "output_filter": ["answers"],
        },
    )
    assert response["outputs"]["answers"]["string_val"] == ["Nw=="]  # 7
    status = client.call(
        "tensorflow.serving.ModelService", "GetModelStatus", {"model_spec": {"name": "seq2sum"}}
    )
    [row] = status["model_version_status"]
    assert (row["version"], row["state"]) == ("1", "AVAILABLE")


def test_health_is_unimplemented_without_its_flag(channel):
    with pytest.raises(grpc.RpcError) as caught:
        health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(), timeout=60)
    assert (caught.value.code(), caught.value.details()) == (grpc.StatusCode.UNIMPLEMENTED, "")


@pytest.fixture(scope="module")
def socket_server(small_version, tmp_path_factory):
    """A server with a UNIX socket and the health service, and the address of the socket."""
    folder = tmp_path_factory.mktemp("socket")
    server = servers.Server.launch(
        small_version.parent,
        folder,
        flags=[
            f"--grpc_socket_path={folder}/socket",
            "--enable_grpc_healthcheck_service",
            "--grpc_channel_arguments=grpc.max_connection_age_ms=600000",
        ],
        forked=True,
    )
    try:
        yield server.wait_until_open(), f"unix:{folder}/socket"
    finally:
        server.stop()


def test_unix_socket_and_health_are_served(socket_server):
    server, address = socket_server
    for target in (address, server.target):
        with grpc.insecure_channel(target) as channel:
            stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)
            response = stub.Predict(predict_request("3+4"), timeout=60)
            assert tf.make_ndarray(response.outputs["answers"]).tolist() == [b"7"]
    with grpc.insecure_channel(address) as channel:
        health = health_pb2_grpc.HealthStub(channel)
        for name in ("", "ModelService", "PredictionService"):
            reply = health.Check(health_pb2.HealthCheckRequest(service=name), timeout=60)
            assert reply.status == reply.SERVING
        for name in (PREDICTION_SERVICE, "seq2sum"):
            with pytest.raises(grpc.RpcError) as caught:
                health.Check(health_pb2.HealthCheckRequest(service=name), timeout=60)
            assert caught.value.code() is grpc.StatusCode.NOT_FOUND
            assert caught.value.details() == "service name unknown"
        [first] = [next(iter(health.Watch(health_pb2.HealthCheckRequest(), timeout=60)))]
        assert first.status == first.SERVING


def test_stock_model_service_stub_reloads_and_returns_states(socket_server, small_version):
    _, address = socket_server
    with grpc.insecure_channel(address) as channel:
        models = model_service_pb2_grpc.ModelServiceStub(channel)
        request = model_management_pb2.ReloadConfigRequest()
        for name in ("seq2sum", "other"):
            request.config.model_config_list.config.add(
                name=name, base_path=str(small_version.parent), model_platform="tensorflow"
            )
        response = models.HandleReloadConfigRequest(request, timeout=60)
        assert response.status.error_code == 0
        status = get_model_status_pb2.GetModelStatusRequest()
        status.model_spec.name = "other"
        [row] = models.GetModelStatus(status, timeout=60).model_version_status
        assert (row.version, row.state) == (1, row.AVAILABLE)
        stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)
        assert stub.Predict(predict_request("1+1", name="other"), timeout=60).outputs
