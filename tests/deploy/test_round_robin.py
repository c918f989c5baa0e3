"""The SDK balances by itself over all addresses of a name: three servers, under traffic, no Envoy.

`tests/client/test_balancing.py` shows it on fake servers. These are embedded ones, with the
flags that make it work in production: a server's connections end by themselves after a while, and
that is when clients look for servers that were added.
"""

from __future__ import annotations

import pytest
import seq2sum
from deploy.balancing_load import TASKS, THREADS, Load
from deploy.balancing_names import NameServer
from deploy.balancing_replicas import Replicas

pytestmark = pytest.mark.embedded  # replicas on addresses of their own need --host


@pytest.fixture(scope="module")
def replicas(small_version, tmp_path_factory):
    folder = tmp_path_factory.mktemp("replicas")
    with Replicas((1, 2, 3), folder=folder, version=small_version) as found:
        yield found


@pytest.fixture
def name_server(replicas):
    replicas.run(1, 2, 3)  # the test before may have killed some
    with NameServer(replicas.hosts(1, 2, 3)) as server:
        yield server


def test_no_call_fails_when_a_server_is_killed_and_comes_back(replicas, name_server):
    with Load(name_server.target(replicas.port)) as load:
        load.until_answered_by(1, 2, 3)
        replicas[2].kill()
        load.until_answered_by(1, 3)
        replicas.run(2)
        load.until_answered_by(1, 2, 3)
    assert load.failed == [], load.told


def test_a_server_that_is_added_gets_its_share_though_no_other_has_gone(replicas, name_server):
    name_server.names.addresses = replicas.hosts(1, 3)
    with Load(name_server.target(replicas.port)) as load:
        load.until_answered_by(1, 3)
        name_server.names.addresses = replicas.hosts(1, 2, 3)
        load.until_answered_by(1, 2, 3)
        shares = load.some(300)
        assert shares[2] > 0.2 * shares.total(), f"a third is its share: {shares}"
    assert load.failed == [], load.told


def test_without_retries_no_call_is_lost_but_those_under_way_on_the_server(replicas, name_server):
    with Load(name_server.target(replicas.port), retry=seq2sum.Retry(max_attempts=1)) as load:
        load.until_answered_by(1, 2, 3)
        replicas[2].kill()
        load.until_answered_by(1, 3)
    assert {call.error.partition("(")[0] for call in load.failed} <= {"Unavailable"}, load.told
    assert len(load.failed) <= THREADS + TASKS, load.told
