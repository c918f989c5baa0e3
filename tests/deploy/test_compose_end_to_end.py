"""The services of docker-compose.yml at work: their very flags and files start seq2sum-serve."""

from __future__ import annotations

import shutil
import subprocess
import sys
import urllib.request

import grpc
import pytest
import seq2sum
from deploy.compose_deployment import Deployment
from grpc_health.v1 import health_pb2, health_pb2_grpc
from support import broken_models
from support.paths import ROOT

pytestmark = pytest.mark.embedded


@pytest.fixture(scope="module")
def version(small_version, tmp_path_factory):
    """A version without warm-up, which loads in half the time."""
    folder = tmp_path_factory.mktemp("quick") / "version"
    return shutil.copytree(
        small_version, folder, ignore=shutil.ignore_patterns(broken_models.WARM_UP)
    )


@pytest.fixture(scope="module")
def deployment(version, tmp_path_factory):
    """A machine on which `train` has ended, with versions 1 and 2 on disk."""
    deployed = Deployment(tmp_path_factory.mktemp("machine"))
    deployed.publish(version, 1)
    done = deployed.fill()
    assert done.returncode == 0, done.stderr
    deployed.publish(version, 2)
    yield deployed
    deployed.stop()


@pytest.fixture(scope="module")
def serving(deployment):
    return deployment.start("serving")


@pytest.fixture
def client(serving):
    with seq2sum.Client(serving.target) as client:
        yield client


def test_the_first_version_is_served_by_label_and_nothing_else_is(client):
    assert client.add("2+3", label="stable").version == 1
    assert client.add("2+3", label="canary").version == 1
    assert [(entry.version, entry.state.name) for entry in client.versions()] == [(1, "AVAILABLE")]


def test_it_is_healthy(deployment, serving):
    done = deployment.healthy("serving", serving)
    assert (done.returncode, done.stderr) == (0, "")


def test_load_balancers_find_it_well(serving):
    with grpc.insecure_channel(serving.target) as channel:
        stub = health_pb2_grpc.HealthStub(channel)
        reply = stub.Check(health_pb2.HealthCheckRequest(service="PredictionService"), timeout=10)
    assert reply.status == health_pb2.HealthCheckResponse.SERVING


def test_its_metrics_can_be_scraped(serving, client):
    client.add("2+3")
    url = f"{serving.url}/monitoring/prometheus/metrics"
    with urllib.request.urlopen(url, timeout=10) as response:
        page = response.read().decode()
    assert ':tensorflow:serving:request_count{model_name="seq2sum",status="OK"}' in page
    assert ":tensorflow:serving:batching_session:queuing_latency_count" in page


def test_a_rollout_moves_the_label_and_a_rollback_moves_it_back(deployment, serving, client):
    done = deployment.rollout("promote", "2", "--skip-gates", targets=serving.target)
    assert done.returncode == 0, done.stderr
    assert client.add("2+3", label="stable").version == 2
    assert deployment.healthy("serving", serving).returncode == 0
    status = deployment.rollout("status", targets=serving.target)
    assert status.returncode == 0, status.stderr
    done = deployment.rollout("rollback", "--reason", "to see it", targets=serving.target)
    assert done.returncode == 0, done.stderr
    assert client.add("2+3", label="stable").version == 1


def test_train_changes_nothing_when_it_is_started_again(deployment, serving):  # noqa: ARG001
    before = deployment.record.read_text()
    done = deployment.fill()
    assert (done.returncode, deployment.record.read_text()) == (0, before)


def test_a_server_that_is_restarted_has_the_labels_of_its_file(deployment, serving):
    serving.process.kill()
    serving.process.wait()
    again = deployment.start("serving")
    with seq2sum.Client(again.target) as client:
        assert client.add("2+3", label="stable").version == 1


def test_the_same_with_tls_in_both_directions(deployment):
    certs = [sys.executable, ROOT / "tools" / "certs.py", "--out", deployment.certificates]
    made = subprocess.run(certs, capture_output=True, text=True, check=False)
    assert made.returncode == 0, made.stderr
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
    assert deployment.healthy("serving-tls", server).returncode == 0
    options = ["--ca", "ca.pem", "--cert", "client.pem", "--key", "client.key"]
    options = [str(deployment.certificates / word) if word[0] != "-" else word for word in options]
    status = deployment.rollout("status", *options, targets=target)
    assert status.returncode == 0, status.stderr
