"""The services of docker-compose.yml, as processes of seq2sum-serve with their flags and files."""

from __future__ import annotations

import subprocess
import sys
import urllib.request

import grpc
import pytest
import seq2sum
from deploy.compose_deployment import Deployment
from grpc_health.v1 import health_pb2, health_pb2_grpc
from support.paths import ROOT

pytestmark = pytest.mark.embedded


@pytest.fixture(scope="module")
def deployment(tiny_version, tmp_path_factory):
    """A deployment after `train`, with versions 1 and 2 on disk."""
    deployed = Deployment(tmp_path_factory.mktemp("machine"))
    deployed.publish(tiny_version, 1)
    done = deployed.fill()
    assert done.returncode == 0, done.stderr
    deployed.publish(tiny_version, 2)
    yield deployed
    deployed.stop()


@pytest.fixture(scope="module")
def serving(deployment):
    return deployment.start("serving")


@pytest.fixture
def client(serving):
    with seq2sum.Client(serving.target) as client:
        yield client


def test_only_the_first_version_is_served(client):
    assert client.add("2+3", label="stable").version == 1
    assert client.add("2+3", label="canary").version == 1
    assert [(entry.version, entry.state.name) for entry in client.versions()] == [(1, "AVAILABLE")]


def test_the_health_check_succeeds(deployment, serving):
    done = deployment.health_check("serving", serving)
    assert (done.returncode, done.stderr) == (0, "")


def test_the_grpc_health_service_reports_serving(serving):
    with grpc.insecure_channel(serving.target) as channel:
        stub = health_pb2_grpc.HealthStub(channel)
        reply = stub.Check(health_pb2.HealthCheckRequest(service="PredictionService"), timeout=10)
    assert reply.status == health_pb2.HealthCheckResponse.SERVING


def test_metrics_can_be_scraped(serving, client):
    client.add("2+3")
    url = f"{serving.url}/monitoring/prometheus/metrics"
    with urllib.request.urlopen(url, timeout=10) as response:
        page = response.read().decode()
    assert ':tensorflow:serving:request_count{model_name="seq2sum",status="OK"}' in page
    assert ":tensorflow:serving:batching_session:queuing_latency_count" in page


def test_promote_moves_the_label_and_rollback_moves_it_back(deployment, serving, client):
    done = deployment.rollout("promote", "2", "--without-gates", targets=serving.target)
    assert done.returncode == 0, done.stderr
    assert client.add("2+3", label="stable").version == 2
    assert deployment.health_check("serving", serving).returncode == 0
    status = deployment.rollout("status", targets=serving.target)
    assert status.returncode == 0, status.stderr
    done = deployment.rollout("rollback", "--reason", "to see it", targets=serving.target)
    assert done.returncode == 0, done.stderr
    assert client.add("2+3", label="stable").version == 1


def test_train_changes_nothing_when_it_runs_again(deployment, serving):  # noqa: ARG001
    before = deployment.config.read_text()
    done = deployment.fill()
    assert (done.returncode, deployment.config.read_text()) == (0, before)


def test_a_restarted_server_has_the_labels_of_its_model_config_file(deployment, serving):
    serving.process.kill()
    serving.process.wait()
    again = deployment.start("serving")
    with seq2sum.Client(again.target) as client:
        assert client.add("2+3", label="stable").version == 1


def test_the_tls_server_requires_a_client_certificate(deployment):
    certs = [sys.executable, ROOT / "tools" / "certs.py", "--out", deployment.certificates]
    done = subprocess.run(certs, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    server = deployment.start("serving-tls")
    files = {
        "ca": deployment.certificates / "ca.pem",
        "certificate": deployment.certificates / "client.pem",
        "key": deployment.certificates / "client.key",
    }
    target = f"localhost:{server.port}"
    with seq2sum.Client(target, tls=seq2sum.TLS(**files)) as client:
        assert client.add("2+3", label="stable").value == 5
    with seq2sum.Client(target, timeout=2) as client, pytest.raises(seq2sum.Unavailable):
        client.add("2+3")
    assert deployment.health_check("serving-tls", server).returncode == 0
    options = ["--ca", "ca.pem", "--cert", "client.pem", "--key", "client.key"]
    options = [str(deployment.certificates / word) if word[0] != "-" else word for word in options]
    status = deployment.rollout("status", *options, targets=target)
    assert status.returncode == 0, status.stderr
