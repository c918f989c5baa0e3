"""The real Envoy with the shipped configuration balances calls over three servers.

The clients do not retry: failed calls are visible, and only Envoy can prevent them.
"""

from __future__ import annotations

import time
from collections import Counter

import grpc
import pytest
import seq2sum
from deploy.balancing_fake_replica import FakeReplica
from deploy.balancing_load import Load
from deploy.balancing_replicas import Replicas, docker_name_server
from deploy.envoy_process import Envoy
from support.deployed import until

pytestmark = pytest.mark.embedded  # replicas on different addresses need --host

NO_RETRY = {"retry": seq2sum.Retry(max_attempts=1), "timeout": 20.0}
MANY = 200
"""Enough calls that every replica in the rotation gets some of them."""
STREAK = 15
"""Number of failures in a row; ten eject a replica, if their status code counts."""
NOT_EJECTING = sorted(
    set(grpc.StatusCode)
    - {grpc.StatusCode.OK, grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED},
    key=lambda code: code.value[0],
)
"""Status codes that are caused by the call, and not by the replica."""
WORKER_THREADS = 2
"""Each learns of an ejection separately, so each may send one more call to the ejected replica."""


@pytest.fixture(scope="module")
def replicas(tiny_version, tmp_path_factory):
    folder = tmp_path_factory.mktemp("replicas")
    with Replicas((1, 2, 3), folder=folder, version=tiny_version) as replicas:
        replicas.run(1, 2, 3)
        yield replicas


@pytest.fixture(scope="module")
def name_server(replicas):
    with docker_name_server(replicas.hosts(1, 2, 3)) as server:
        yield server


@pytest.fixture(scope="module")
def envoy_process(replicas, name_server, tmp_path_factory):
    ports = {"replica_port": replicas.port, "name_server_port": name_server.port}
    with Envoy(tmp_path_factory.mktemp("envoy"), **ports) as envoy:
        yield envoy


@pytest.fixture
def resolve_to(envoy_process, replicas, name_server):
    """Changes the addresses of the host name, and waits until exactly those serve."""

    def change(*hosts):
        name_server.names.addresses = list(hosts)
        until(lambda: envoy_process.serving() == set(hosts))

    yield change
    replicas.run(1, 2, 3)
    change(*replicas.hosts(1, 2, 3))


@pytest.fixture
def envoy(envoy_process, resolve_to):  # noqa: ARG001 restores the replicas after the test
    return envoy_process


@pytest.fixture
def client(envoy_process):
    with seq2sum.Client(envoy_process.target, **NO_RETRY) as client:
        yield client


@pytest.fixture
def fake_replica(replicas):
    """A fourth replica, which the host name does not resolve to yet."""
    with FakeReplica(4, host="127.0.0.4", port=replicas.port) as replica:
        yield replica


def ejections(envoy):
    return envoy.statistic("outlier_detection.ejections_enforced_total")


def test_calls_are_spread_evenly(envoy):
    with Load(envoy.target, **NO_RETRY) as load:
        shares = load.next_calls(600)
    assert set(shares) == {1, 2, 3}
    assert min(shares.values()) > 0.25 * shares.total(), load.summary
    assert load.failed == [], load.summary


def test_no_call_fails_when_a_replica_is_killed_and_restarted(envoy, replicas):
    retries = envoy.retries()
    with Load(envoy.target, **NO_RETRY) as load:
        load.until_answered_by(1, 2, 3)
        replicas[2].kill()
        load.until_answered_by(1, 3)
        killed = replicas[2].host
        until(lambda: not envoy.hosts()[killed].healthy)
        calls = envoy.hosts()[killed].calls
        load.next_calls(MANY)
        assert envoy.hosts()[killed].calls == calls, "an unhealthy replica gets no calls"
        replicas.run(2)
        load.until_answered_by(1, 2, 3)
    assert load.failed == [], load.summary
    assert envoy.retries() > retries, "no call was in flight"


def test_no_call_fails_when_a_replica_is_added_and_removed(envoy, resolve_to, replicas):
    resolve_to(*replicas.hosts(1, 3))
    with Load(envoy.target, **NO_RETRY) as load:
        load.until_answered_by(1, 3)
        resolve_to(*replicas.hosts(1, 2, 3))
        shares = load.next_calls(300)
        assert shares[2] > 0.2 * shares.total(), f"expected about a third: {shares}"
        resolve_to(*replicas.hosts(1, 3))
        load.until_answered_by(1, 3)  # although the second one is still healthy
        shares = load.next_calls(MANY)
        assert set(shares) == {1, 3}, shares
    assert load.failed == [], load.summary


def test_calls_to_a_stuck_replica_are_retried_on_another(envoy, replicas):
    with Load(envoy.target, **NO_RETRY) as load:
        load.until_answered_by(1, 2, 3)
        start = time.monotonic()
        replicas[3].server.freeze()
        try:
            load.until_answered_by(1, 2)
            until(lambda: not envoy.hosts()[replicas[3].host].healthy)
        finally:
            replicas[3].server.thaw()
        load.until_answered_by(1, 2, 3)
    longest = max(call.seconds for call in load.calls if call.begin + call.seconds > start)
    assert load.failed == [], load.summary
    assert 0.5 < longest < NO_RETRY["timeout"] / 2, f"the longest call took {longest:.1f} s"


def test_a_replica_that_fails_with_unavailable_is_ejected_although_it_is_healthy(
    envoy, resolve_to, replicas, fake_replica
):
    resolve_to(*replicas.hosts(1, 2, 3), fake_replica.host)
    before = ejections(envoy)
    with Load(envoy.target, **NO_RETRY) as load:
        load.until_answered_by(1, 2, 3, 4)
        fake_replica.status = grpc.StatusCode.UNAVAILABLE
        until(lambda: envoy.hosts()[fake_replica.host].ejected)
        assert envoy.hosts()[fake_replica.host].healthy
        calls = fake_replica.calls
        load.next_calls(MANY)
        assert fake_replica.calls <= calls + WORKER_THREADS, "an ejected replica gets no calls"
        fake_replica.status = None
        load.until_answered_by(1, 2, 3, 4)
    assert load.failed == [], load.summary
    assert ejections(envoy) > before


def test_other_status_codes_neither_eject_a_replica_nor_are_retried(
    envoy, resolve_to, client, replicas, fake_replica
):
    resolve_to(*replicas.hosts(1, 2), fake_replica.host)
    before = ejections(envoy), envoy.retries()
    for code in NOT_EJECTING:
        fake_replica.status, fake_replica.calls, errors = code, 0, Counter()
        while fake_replica.calls < STREAK:
            try:
                client.add("4+5")
            except seq2sum.CallError as error:
                errors[error.code] += 1
        assert errors == {code: STREAK}, "each call was made once"
    assert (ejections(envoy), envoy.retries()) == before


def test_invalid_requests_do_not_eject_a_replica(envoy, client):
    before = ejections(envoy)
    for _ in range(STREAK):
        with pytest.raises(seq2sum.InvalidQuestion):
            client.add("4+x")
        with pytest.raises(seq2sum.VersionNotFound):
            client.add("4+5", version=77)
    assert ejections(envoy) == before
    assert len(envoy.serving()) == 3


def test_a_call_that_exceeds_its_deadline_is_not_retried_and_does_not_eject(
    envoy, resolve_to, client, fake_replica
):
    resolve_to(fake_replica.host)
    before = ejections(envoy)
    fake_replica.may_reply.clear()
    for calls in range(1, 13):
        start = time.monotonic()
        with pytest.raises(seq2sum.DeadlineExceeded):
            client.add("4+5", timeout=0.1)
        assert time.monotonic() - start < 1
        assert fake_replica.calls == calls
    until(lambda: envoy.statistic("upstream_rq_active") == 0)
    assert ejections(envoy) == before
