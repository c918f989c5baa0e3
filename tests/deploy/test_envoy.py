"""The real Envoy with the configuration that is shipped, in front of three servers, with traffic.

The clients make no second attempt: what fails is seen, and what does not fail is Envoy's doing.
"""

from __future__ import annotations

import signal
import time
import urllib.error
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import grpc
import pytest
import seq2sum
from deploy.balancing_load import LONGEST, Load
from deploy.balancing_names import NameServer
from deploy.balancing_replicas import Replicas
from deploy.balancing_stand_in import StandIn
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

pytestmark = pytest.mark.embedded  # replicas on addresses of their own need --host

ONCE = {"retry": seq2sum.Retry(attempts=1), "timeout": 20.0}
"""A client that makes no second attempt."""
MANY = 200
"""Calls after which one that gets any would have got some."""
STREAK = 15
"""Failures in a row; ten take a replica out, if they are of that kind."""
SPARED = sorted(
    set(grpc.StatusCode)
    - {grpc.StatusCode.OK, grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED},
    key=lambda code: code.value[0],
)
"""What speaks against a call, and not against the replica that refused it."""
LARGE, KEPT = 20_000_000, 3_000_000
"""Bytes of a request that passes, and of one that is kept for a second attempt, too."""
THREADS_OF_ENVOY = 2
"""Each learns of an ejection by itself: a call may be on its way."""


@pytest.fixture(scope="module")
def replicas(small_version, tmp_path_factory):
    folder = tmp_path_factory.mktemp("replicas")
    with Replicas((1, 2, 3), folder=folder, version=small_version) as found:
        found.run(1, 2, 3)
        yield found


@pytest.fixture(scope="module")
def name_server(replicas):
    with NameServer(replicas.hosts(1, 2, 3)) as server:
        yield server


@pytest.fixture(scope="module")
def balancer(replicas, name_server, tmp_path_factory):
    where = {"replica_port": replicas.port, "name_server_port": name_server.port}
    with Envoy(tmp_path_factory.mktemp("envoy"), **where) as started:
        yield started


@pytest.fixture
def name(balancer, replicas, name_server):
    """Gives the name other addresses, and waits until Envoy has those and no others serve."""

    def give(*hosts):
        name_server.names.addresses = list(hosts)
        deployed.until(lambda: serving(balancer) == set(hosts))

    yield give
    replicas.run(1, 2, 3)
    give(*replicas.hosts(1, 2, 3))


@pytest.fixture
def envoy(balancer, name):  # noqa: ARG001 after the test all is as it was
    return balancer


@pytest.fixture
def client(balancer):
    with seq2sum.Client(balancer.target, **ONCE) as opened:
        yield opened


@pytest.fixture
def stand_in(replicas):
    """A fourth replica that does as it is told; the name does not have it yet."""
    with StandIn(4, host="127.0.0.4", port=replicas.port) as started:
        yield started


def serving(envoy):
    return {address for address, host in envoy.hosts().items() if host.serves}


def given(envoy):
    """Calls that replicas were given, all together."""
    return sum(host.calls for host in envoy.hosts().values())


def asked(envoy, size):
    """The reply to a Predict of a question of so many bytes."""
    request = PREDICT.request()
    request.model_spec.name = contract.MODEL_NAME
    tensor = request.inputs[contract.QUESTIONS.name]
    tensor.dtype = tensor_pb2.DT_STRING
    tensor.tensor_shape.dim.add(size=1)
    tensor.string_val.append(b"4" * size)
    with grpc.insecure_channel(envoy.target) as channel:
        return bound(channel)[PREDICT.path](request, timeout=20)


def ejections(envoy):
    return envoy.count("outlier_detection.ejections_enforced_total")


def test_calls_are_spread_evenly(envoy):
    with Load(envoy.target, **ONCE) as load:
        seen = load.some(600)
    assert set(seen) == {1, 2, 3}
    assert min(seen.values()) > 0.25 * seen.total(), load.told
    assert load.failed == [], load.told


def test_no_call_fails_when_a_replica_is_killed_and_comes_back(envoy, replicas):
    retries = envoy.retries()
    with Load(envoy.target, **ONCE) as load:
        load.until_answered_by(1, 2, 3)
        replicas[2].kill()
        load.until_answered_by(1, 3)
        dead = replicas[2].host
        deployed.until(lambda: not envoy.hosts()[dead].healthy)
        given = envoy.hosts()[dead].calls
        load.some(MANY)
        assert envoy.hosts()[dead].calls == given, "what is dead gets no calls"
        replicas.run(2)
        load.until_answered_by(1, 2, 3)
    assert load.failed == [], load.told
    assert envoy.retries() > retries, "some call was under way"


def test_no_call_fails_when_a_replica_is_added_and_taken_away(envoy, name, replicas):
    name(*replicas.hosts(1, 3))
    with Load(envoy.target, **ONCE) as load:
        load.until_answered_by(1, 3)
        name(*replicas.hosts(1, 2, 3))
        shares = load.some(300)
        assert shares[2] > 0.2 * shares.total(), f"a third is its share: {shares}"
        name(*replicas.hosts(1, 3))
        load.until_answered_by(1, 3)  # though the second is as well as ever
        seen = load.some(MANY)
        assert set(seen) == {1, 3}, seen
    assert load.failed == [], load.told


def test_calls_that_hang_with_their_replica_are_answered_by_another(envoy, replicas):
    with Load(envoy.target, **ONCE) as load:
        load.until_answered_by(1, 2, 3)
        began = time.monotonic()
        replicas[3].freeze()
        try:
            load.until_answered_by(1, 2)
            stuck = replicas[3].host
            deployed.until(lambda: not envoy.hosts()[stuck].healthy)
        finally:
            replicas[3].thaw()
        load.until_answered_by(1, 2, 3)
    hung = [call for call in load.calls if call.begin + call.seconds > began]
    longest = max(call.seconds for call in hung)
    assert load.failed == [], load.told
    assert 0.5 < longest < ONCE["timeout"] / 2, f"the longest took {longest:.1f} s"


def test_a_replica_that_refuses_calls_is_taken_out_though_it_is_healthy(
    envoy, name, replicas, stand_in
):
    name(*replicas.hosts(1, 2, 3), stand_in.host)
    before = ejections(envoy)
    with Load(envoy.target, **ONCE) as load:
        load.until_answered_by(1, 2, 3, 4)
        stand_in.status = grpc.StatusCode.UNAVAILABLE
        deployed.until(lambda: envoy.hosts()[stand_in.host].ejected)
        assert envoy.hosts()[stand_in.host].healthy
        asked = stand_in.asked
        load.some(MANY)
        assert stand_in.asked <= asked + THREADS_OF_ENVOY, "what is out gets no calls"
        stand_in.status = None
        load.until_answered_by(1, 2, 3, 4)
    assert load.failed == [], load.told
    assert ejections(envoy) > before


def test_no_other_refusal_takes_a_replica_out_or_is_asked_again(
    envoy, name, client, replicas, stand_in
):
    name(*replicas.hosts(1, 2), stand_in.host)
    before, retries = ejections(envoy), envoy.retries()
    for code in SPARED:
        stand_in.status, stand_in.asked, refused = code, 0, Counter()
        while stand_in.asked < STREAK:
            try:
                client.add("4+5")
            except seq2sum.CallError as error:
                refused[error.code] += 1
        assert refused == {code: STREAK}, "each call was made once"
    assert (ejections(envoy), envoy.retries()) == (before, retries)


def test_bad_questions_and_wrong_calls_cost_nobody_anything(envoy, client):
    before = ejections(envoy)
    for _ in range(STREAK):
        with pytest.raises(seq2sum.InvalidQuestion):
            client.add("4+x")
        with pytest.raises(seq2sum.VersionNotFound):
            client.add("4+5", version=77)
    assert ejections(envoy) == before
    assert len(serving(envoy)) == 3


def test_a_call_ends_at_its_deadline_and_is_not_asked_again(envoy, name, client, stand_in):
    name(stand_in.host)
    before = ejections(envoy)
    stand_in.hold.clear()
    for asked in range(1, 13):
        began = time.monotonic()
        with pytest.raises(seq2sum.DeadlineExceeded):
            client.add("4+5", timeout=0.1)
        assert time.monotonic() - began < 1
        assert stand_in.asked == asked
    deployed.until(lambda: envoy.count("upstream_rq_active") == 0)
    assert ejections(envoy) == before, "callers in a hurry speak against nobody"


def test_a_request_of_any_size_passes(envoy):
    reply = asked(envoy, LARGE)
    assert list(reply.outputs[contract.STATUS.name].int_val) == [contract.Status.MALFORMED]


def test_a_large_request_that_is_refused_is_asked_again(envoy, name, replicas, stand_in):
    name(*replicas.hosts(1), stand_in.host)
    stand_in.status = grpc.StatusCode.UNAVAILABLE
    while not stand_in.asked:
        asked(envoy, KEPT)


def test_nobody_reconfigures_a_server_through_it(envoy):
    before = given(envoy)
    told = deployed.reload(envoy, "")
    assert told.startswith("PERMISSION_DENIED not through the load balancer"), told
    assert given(envoy) == before


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
def test_what_is_not_meant_for_clients_ends_there_and_says_so(envoy, path, code):
    before = given(envoy)
    with grpc.insecure_channel(envoy.target) as channel, pytest.raises(grpc.RpcError) as caught:
        channel.unary_unary(path)(b"", timeout=5)
    assert (caught.value.code(), "load balancer" in caught.value.details()) == (code, True)
    assert given(envoy) == before


def test_status_metadata_health_and_reflection_pass(envoy, client):
    [version] = client.versions()
    assert version.version in {1, 2, 3}
    assert client.describe().digits >= 1
    with grpc.insecure_channel(envoy.target) as channel:
        health = health_pb2_grpc.HealthStub(channel)
        asked = health_pb2.HealthCheckRequest(service="PredictionService")
        assert health.Check(asked, timeout=5).status == health_pb2.HealthCheckResponse.SERVING
        services = ProtoReflectionDescriptorDatabase(channel).get_services()
        assert "tensorflow.serving.PredictionService" in services


def test_callers_cannot_change_its_mind(name, client, stand_in):
    name(stand_in.host)
    stand_in.status = grpc.StatusCode.INTERNAL
    mine = [("x-envoy-retry-grpc-on", "internal"), ("x-envoy-max-retries", "5")]
    with pytest.raises(seq2sum.CallError):
        client.add("4+5", metadata=mine)
    assert stand_in.asked == 1


def test_its_log_has_the_calls_that_failed_and_no_others(envoy, client):
    client.add("4+5")
    with grpc.insecure_channel(envoy.target) as channel, pytest.raises(grpc.RpcError):
        channel.unary_unary("/seq2sum.Test/Logged")(b"", timeout=5)
    [failure] = deployed.until(lambda: envoy.failures(method="/seq2sum.Test/Logged"))
    assert failure["status"] == "Unimplemented"
    assert failure["caller"].startswith("127.0.0.1:")
    assert envoy.failures(status="OK") == []


def test_its_metrics_are_there_for_prometheus_and_nothing_else_is(envoy):
    assert 'envoy_cluster_upstream_rq_total{envoy_cluster_name="replica"}' in envoy.ask(
        "/stats/prometheus", METRICS
    )
    for path, body in [("/config_dump", None), ("/stats/prometheus", b""), ("/quitquitquit", b"")]:
        with pytest.raises(urllib.error.HTTPError, match="404"):
            envoy.ask(path, METRICS, body)


def test_it_lets_calls_end_before_it_stops(stand_in, replicas, tmp_path):
    with (
        NameServer([stand_in.host]) as names,
        Envoy(tmp_path, replica_port=replicas.port, name_server_port=names.port) as envoy,
        seq2sum.Client(envoy.target, **ONCE) as client,
        ThreadPoolExecutor(1) as elsewhere,
    ):
        stand_in.hold.clear()
        under_way = elsewhere.submit(client.add, "4+5")
        deployed.until(lambda: stand_in.asked)
        envoy.process.send_signal(signal.SIGTERM)
        deployed.until(lambda: not envoy.listens)
        assert envoy.process.poll() is None
        stand_in.hold.set()
        assert under_way.result(LONGEST).value == 9
        assert envoy.process.wait(LONGEST) == 0
        assert "draining" in envoy.log.read_text()
