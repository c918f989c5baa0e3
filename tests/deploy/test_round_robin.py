"""The SDK balances calls over all addresses of a host name without Envoy, with three real servers.

`tests/client/test_balancing.py` covers fake servers. The real ones have the flags that make it work
in production: a server's connections end after a while, and then clients resolve the name again.
"""

from __future__ import annotations

import pytest
import seq2sum
from deploy.balancing_load import TASKS, THREADS, Load
from deploy.balancing_replicas import Replicas, docker_name_server

pytestmark = pytest.mark.embedded  # replicas on different addresses need --host


@pytest.fixture(scope="module")
def replicas(tiny_version, tmp_path_factory):
    folder = tmp_path_factory.mktemp("replicas")
    with Replicas((1, 2, 3), folder=folder, version=tiny_version) as replicas:
        yield replicas


@pytest.fixture
def name_server(replicas):
    replicas.run(1, 2, 3)  # the previous test may have killed some
    with docker_name_server(replicas.hosts(1, 2, 3)) as server:
        yield server


def test_no_call_fails_when_a_server_is_killed_and_restarted(replicas, name_server):
    with Load(name_server.target(replicas.port)) as load:
        load.until_answered_by(1, 2, 3)
        replicas[2].kill()
        load.until_answered_by(1, 3)
        replicas.run(2)
        load.until_answered_by(1, 2, 3)
    assert load.failed == [], load.summary


def test_an_added_server_gets_its_share_of_the_calls(replicas, name_server):
    name_server.names.addresses = replicas.hosts(1, 3)
    with Load(name_server.target(replicas.port)) as load:
        load.until_answered_by(1, 3)
        name_server.names.addresses = replicas.hosts(1, 2, 3)
        load.until_answered_by(1, 2, 3)
        shares = load.next_calls(300)
        assert shares[2] > 0.2 * shares.total(), f"expected about a third: {shares}"
    assert load.failed == [], load.summary


def test_without_retries_only_calls_in_flight_on_a_killed_server_fail(replicas, name_server):
    with Load(name_server.target(replicas.port), retry=seq2sum.Retry(max_attempts=1)) as load:
        load.until_answered_by(1, 2, 3)
        replicas[2].kill()
        load.until_answered_by(1, 3)
    assert {call.error.partition("(")[0] for call in load.failed} <= {"Unavailable"}, load.summary
    assert len(load.failed) <= THREADS + TASKS, load.summary
