"""Requests that the real Envoy with the shipped configuration accepts, rejects, logs and counts."""

from __future__ import annotations

import signal
import urllib.error
from concurrent.futures import ThreadPoolExecutor

import grpc
import pytest
import seq2sum
from deploy.balancing_fake_replica import FakeReplica
from deploy.balancing_load import TIMEOUT
from deploy.balancing_replicas import Replicas, docker_name_server
from deploy.envoy_configuration import METRICS
from deploy.envoy_process import Envoy
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import (
    ProtoReflectionDescriptorDatabase,
)
from seq2sum._methods import PREDICT, bound
from seq2sum.addition import contract
from seq2sum.protocol import tensor_pb2
from support import deployed

pytestmark = pytest.mark.embedded  # replicas on different addresses need --host

NO_RETRY = {"retry": seq2sum.Retry(max_attempts=1), "timeout": 20.0}
LARGE, RETRIABLE = 20_000_000, 3_000_000
"""Bytes of a request that passes, and of one that Envoy also keeps for a retry."""


@pytest.fixture(scope="module")
def replica(tiny_version, tmp_path_factory):
    """A real server."""
    folder = tmp_path_factory.mktemp("replica")
    with Replicas([1], folder=folder, version=tiny_version) as replicas:
        replicas.run(1)
        yield replicas


@pytest.fixture
def fake_replica(replica):
    with FakeReplica(2, host="127.0.0.2", port=replica.port) as fake:
        yield fake


@pytest.fixture(scope="module")
def envoy(replica, tmp_path_factory):
    """Envoy in front of the real server."""
    with (
        docker_name_server(replica.hosts(1)) as names,
        Envoy(
            tmp_path_factory.mktemp("envoy"),
            replica_port=replica.port,
            name_server_port=names.port,
        ) as envoy,
    ):
        deployed.until(envoy.serving)
        yield envoy


@pytest.fixture
def fake_envoy(fake_replica, replica, tmp_path):
    """Envoy in front of the fake replica."""
    with (
        docker_name_server([fake_replica.host]) as names,
        Envoy(tmp_path, replica_port=replica.port, name_server_port=names.port) as envoy,
    ):
        deployed.until(envoy.serving)
        yield envoy


def predict(envoy, size):
    """Returns the reply to a Predict call whose question has this many bytes."""
    request = PREDICT.request()
    request.model_spec.name = contract.MODEL_NAME
    tensor = request.inputs[contract.QUESTIONS.name]
    tensor.dtype = tensor_pb2.DT_STRING
    tensor.tensor_shape.dim.add(size=1)
    tensor.string_val.append(b"4" * size)
    with grpc.insecure_channel(envoy.target) as channel:
        return bound(channel)[PREDICT.path](request, timeout=20)


def test_a_large_request_passes(envoy):
    reply = predict(envoy, LARGE)
    assert list(reply.outputs[contract.STATUS.name].int_val) == [contract.Status.MALFORMED]


def test_a_large_request_is_retried(replica, fake_replica, tmp_path):
    with (
        docker_name_server([*replica.hosts(1), fake_replica.host]) as names,
        Envoy(tmp_path, replica_port=replica.port, name_server_port=names.port) as envoy,
    ):
        deployed.until(lambda: len(envoy.serving()) == 2)
        fake_replica.status = grpc.StatusCode.UNAVAILABLE
        while not fake_replica.calls:
            predict(envoy, RETRIABLE)


def test_status_metadata_health_and_reflection_pass(envoy):
    with seq2sum.Client(envoy.target, **NO_RETRY) as client:
        [version] = client.versions()
        assert version.version == 1
    with seq2sum.ModelClient(envoy.target, model="seq2sum", **NO_RETRY) as client:
        assert "questions" in client.describe().signatures["serving_default"].inputs
    with grpc.insecure_channel(envoy.target) as channel:
        health = health_pb2_grpc.HealthStub(channel)
        request = health_pb2.HealthCheckRequest(service="PredictionService")
        assert health.Check(request, timeout=5).status == health_pb2.HealthCheckResponse.SERVING
        services = ProtoReflectionDescriptorDatabase(channel).get_services()
        assert "tensorflow.serving.PredictionService" in services


def test_a_reload_is_rejected(envoy):
    before = envoy.calls()
    error = deployed.reload(envoy, "")
    assert error.startswith("PERMISSION_DENIED not through the router"), error
    assert envoy.calls() == before


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("/tensorflow.ProfilerService/Profile", grpc.StatusCode.PERMISSION_DENIED),
        ("/tensorflow.serving.ModelService/Whatever", grpc.StatusCode.PERMISSION_DENIED),
        ("/tensorflow.serving.SessionService/SessionRun", grpc.StatusCode.UNIMPLEMENTED),
        ("/grpc.health.v1.Health/Watch", grpc.StatusCode.UNIMPLEMENTED),
        ("/", grpc.StatusCode.UNIMPLEMENTED),
    ],
)
def test_other_methods_are_rejected_with_a_reason(envoy, path, code):
    before = envoy.calls()
    with grpc.insecure_channel(envoy.target) as channel, pytest.raises(grpc.RpcError) as caught:
        channel.unary_unary(path)(b"", timeout=5)
    assert (caught.value.code(), "the router" in caught.value.details()) == (code, True)
    assert envoy.calls() == before


def test_callers_cannot_override_the_retry_policy(fake_envoy, fake_replica):
    fake_replica.status = grpc.StatusCode.INTERNAL
    headers = [("x-envoy-retry-grpc-on", "internal"), ("x-envoy-max-retries", "5")]
    with (
        seq2sum.Client(fake_envoy.target, **NO_RETRY) as client,
        pytest.raises(seq2sum.CallError),
    ):
        client.add("4+5", metadata=headers)
    assert fake_replica.calls == 1


def test_the_log_contains_failed_calls_only(envoy):
    with seq2sum.Client(envoy.target, **NO_RETRY) as client:
        client.add("4+5")
    with grpc.insecure_channel(envoy.target) as channel, pytest.raises(grpc.RpcError):
        channel.unary_unary("/seq2sum.Test/Logged")(b"", timeout=5)
    [entry] = deployed.until(lambda: envoy.log_entries(method="/seq2sum.Test/Logged"))
    assert entry["status"] == "Unimplemented"
    assert entry["caller"].startswith("127.0.0.1:")
    assert envoy.log_entries(status="OK") == []


def test_the_metrics_port_serves_metrics_only(envoy):
    metric = 'envoy_cluster_upstream_rq_total{envoy_cluster_name="stable"}'
    assert metric in envoy.http("/stats/prometheus", METRICS)
    for path, body in [("/config_dump", None), ("/stats/prometheus", b""), ("/quitquitquit", b"")]:
        with pytest.raises(urllib.error.HTTPError, match="404"):
            envoy.http(path, METRICS, body)


def test_calls_in_flight_complete_before_envoy_stops(fake_envoy, fake_replica):
    with (
        seq2sum.Client(fake_envoy.target, **NO_RETRY) as client,
        ThreadPoolExecutor(1) as thread,
    ):
        fake_replica.may_reply.clear()
        call = thread.submit(client.add, "4+5")
        deployed.until(lambda: fake_replica.calls)
        fake_envoy.process.send_signal(signal.SIGTERM)
        deployed.until(lambda: not fake_envoy.is_listening)
        assert fake_envoy.process.poll() is None
        fake_replica.may_reply.set()
        assert call.result(TIMEOUT).value == 9
        assert fake_envoy.process.wait(TIMEOUT) == 0
        assert "draining" in fake_envoy.log.read_text()
