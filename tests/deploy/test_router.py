"""The real Envoy with the shipped configuration in front of a stable and a candidate server.

Version 1 is the stable one; the candidate server has version 2 only, so that an answer identifies
the group. test_router_shares.py measures the shares.
"""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import grpc
import pytest
from deploy.balancing_replicas import Replicas, docker_name_server
from deploy.envoy_configuration import CANDIDATE, REST, STABLE
from deploy.envoy_process import Envoy
from deploy.router_callers import RouterCallers, predict, predict_by_rest
from seq2sum_serving.deployment.errors import Failed, UsageError
from seq2sum_serving.deployment.routers import envoy_routes
from seq2sum_serving.deployment.routers.envoy import EnvoyRouter
from seq2sum_serving.deployment.routers.router import Shares
from support import deployed, servers

pytestmark = pytest.mark.embedded  # servers on different addresses need --host

MANY = 150
"""Enough calls of each kind that at 50 % both groups answer some of them."""
IN_FLIGHT = 40
"""More than the retries that Envoy allows by default, or as a share of the calls."""
KEYS = [f"user {number}" for number in range(40)]
GROUPS = (STABLE, CANDIDATE, *REST.values())


@pytest.fixture(scope="module")
def replicas(tiny_version, tmp_path_factory):
    folder = tmp_path_factory.mktemp("replicas")
    with Replicas((1, 2), folder=folder, version=tiny_version, rest=True) as replicas:
        replicas.run(1, 2)
        yield replicas


@pytest.fixture(scope="module")
def envoy(replicas, tmp_path_factory):
    with (
        docker_name_server(replicas.hosts(1), replicas.hosts(2)) as names,
        Envoy(
            tmp_path_factory.mktemp("envoy"),
            replica_port=replicas.port,
            rest_port=replicas.rest_port,
            name_server_port=names.port,
        ) as envoy,
    ):
        deployed.until(lambda: all(map(envoy.serving, GROUPS)))
        yield envoy


@pytest.fixture
def router(envoy, replicas):
    """The router; afterwards both servers run and the stable one gets everything."""
    router = EnvoyRouter(envoy.routes, envoy.metrics)
    yield router
    router.write(Shares())
    replicas.run(1, 2)
    deployed.until(lambda: all(map(envoy.serving, GROUPS)))


@pytest.fixture
def channel(envoy):
    with grpc.insecure_channel(envoy.target) as channel:
        yield channel


def calls(envoy, cluster):
    """Returns the number of calls to the servers of a cluster."""
    return envoy.statistic("upstream_rq_total", cluster)


def has_in_flight(envoy, cluster, count):
    return envoy.statistic("upstream_rq_active", cluster) >= count


def get(envoy, path):
    with urllib.request.urlopen(f"http://{envoy.target}{path}", timeout=20) as reply:
        return json.load(reply)


def test_no_call_fails_while_shares_change(envoy, router):
    with RouterCallers(envoy.target) as callers:
        for percent in (0, 1, 50, 100, 10, 90, 50, 0):
            before = calls(envoy, REST[STABLE]), calls(envoy, REST[CANDIDATE])
            router.write(Shares(candidate=percent))
            callers.next_calls(5)  # calls that were in flight
            versions = callers.next_calls(MANY)
            if percent in (0, 100):
                assert set(versions) == {1 if percent == 0 else 2}, (percent, versions)
            if percent == 50:
                assert set(versions) == {1, 2}
                after = calls(envoy, REST[STABLE]), calls(envoy, REST[CANDIDATE])
                assert after[0] > before[0], "the stable group answers REST"
                assert after[1] > before[1], "the candidate group answers REST"
    assert callers.failed == []


def test_calls_with_the_same_key_stay_in_a_group_while_its_share_grows(envoy, router, channel):
    answered = {}
    for percent in (30, 60):
        router.write(Shares(candidate=percent))
        answered[percent] = {key: {predict(channel, key) for _ in range(3)} for key in KEYS}
        assert all(len(versions) == 1 for versions in answered[percent].values())
        assert len(set.union(*answered[percent].values())) == 2, "both groups have some keys"
    moved = Counter((*answered[30][key], *answered[60][key]) for key in KEYS)
    assert moved[2, 1] == 0, moved
    assert moved[1, 2] > 0, moved
    # A key belongs to the same group in REST.
    keys = [key for key in KEYS if answered[60][key] == {2}]
    before = calls(envoy, REST[CANDIDATE])
    for key in keys:
        predict_by_rest(envoy.target, key=key)
    assert calls(envoy, REST[CANDIDATE]) - before == len(keys)
    assert {predict(channel) for _ in range(50)} == {1, 2}, "without a key it is random"


def test_replies_to_mirrored_calls_are_discarded(envoy, router):
    before = {name: calls(envoy, name) for name in GROUPS}
    router.write(Shares(mirror=100))
    with RouterCallers(envoy.target) as callers:
        callers.next_calls(20)
    assert callers.failed == []
    assert {call.version for call in callers.calls if call.protocol == "gRPC"} == {1}
    made = Counter(call.protocol for call in callers.calls)
    expected = {
        name: before[name] + made["REST" if name in REST.values() else "gRPC"] for name in GROUPS
    }
    deployed.until(lambda: {name: calls(envoy, name) for name in GROUPS} == expected)


def test_no_call_fails_when_the_candidate_server_is_killed_during_its_share(
    envoy, router, replicas
):
    router.write(Shares(candidate=50))
    with RouterCallers(envoy.target) as callers:
        assert set(callers.next_calls(MANY)) == {1, 2}
        replicas[2].kill()
        callers.next_calls(MANY)
        assert set(callers.next_calls(MANY)) == {1}
        assert not envoy.serving(CANDIDATE)
        replicas.run(2)
        deployed.until(lambda: set(callers.next_calls(MANY)) == {1, 2})
    assert callers.failed == []


def test_all_calls_in_flight_on_a_killed_candidate_server_are_retried(
    envoy, router, replicas, channel
):
    router.write(Shares(candidate=100))
    with ThreadPoolExecutor(2 * IN_FLIGHT) as pool:
        replicas[2].server.freeze()
        versions = [pool.submit(predict, channel) for _ in range(IN_FLIGHT)]
        answers = [pool.submit(predict_by_rest, envoy.target) for _ in range(IN_FLIGHT)]
        for name in (CANDIDATE, REST[CANDIDATE]):
            deployed.until(partial(has_in_flight, envoy, name, IN_FLIGHT))
        replicas[2].kill()
        assert {version.result() for version in versions} == {1}
        assert {answer.result() for answer in answers} == {None}


def test_the_stable_group_answers_everything_without_a_candidate_group(replicas, tmp_path):
    with (
        docker_name_server(replicas.hosts(1)) as names,
        Envoy(
            tmp_path,
            replica_port=replicas.port,
            rest_port=replicas.rest_port,
            name_server_port=names.port,
        ) as envoy,
    ):
        EnvoyRouter(envoy.routes, envoy.metrics).write(Shares(candidate=100, mirror=50))
        with RouterCallers(envoy.target) as callers:
            assert set(callers.next_calls(20)) == {1}
        assert callers.failed == []


def test_paths_that_name_a_version_go_to_the_stable_group(envoy, router):
    router.write(Shares(candidate=100))
    candidate, stable = calls(envoy, REST[CANDIDATE]), calls(envoy, REST[STABLE])
    predict_by_rest(envoy.target, "/versions/1")
    [status] = get(envoy, "/v1/models/seq2sum")["model_version_status"]
    assert status["version"] == "1"
    assert get(envoy, "/v1/models/seq2sum/metadata")["model_spec"]["version"] == "1"
    with pytest.raises(urllib.error.HTTPError, match="400"):  # the stable server has no labels
        predict_by_rest(envoy.target, "/labels/canary")
    assert calls(envoy, REST[STABLE]) == stable + 4
    assert calls(envoy, REST[CANDIDATE]) == candidate
    with pytest.raises(urllib.error.HTTPError, match="400"):  # nor has the candidate server
        predict_by_rest(envoy.target, "/labels/stable")
    assert calls(envoy, REST[CANDIDATE]) == candidate + 1


@pytest.mark.parametrize(
    "path", ["/", "/v1/models", "/monitoring/prometheus/metrics", "/V1/models/seq2sum", "/ready"]
)
def test_other_paths_are_refused(envoy, path):
    before = calls(envoy, REST[STABLE]), calls(envoy, REST[CANDIDATE])
    with pytest.raises(urllib.error.HTTPError, match="404") as caught:
        get(envoy, path)
    assert b"the router passes" in caught.value.read()
    assert (calls(envoy, REST[STABLE]), calls(envoy, REST[CANDIDATE])) == before


def test_rejected_routes_are_an_error_and_the_previous_ones_stay(
    envoy, router, channel, monkeypatch
):
    router.write(Shares(candidate=100))
    render = envoy_routes.render
    with monkeypatch.context() as patch:
        patch.setattr(
            envoy_routes, "render", lambda *args: render(*args).replace("safe_regex", "nonsense")
        )
        with pytest.raises(Failed, match=rf"Envoy {envoy.metrics} rejected the file.*its log"):
            router.write(Shares(candidate=0))
    assert {predict(channel) for _ in range(20)} == {2}
    with pytest.raises(Failed, match="still has version"):
        router.check_in_force()
    router.write(Shares())
    router.check_in_force()
    assert {predict(channel) for _ in range(20)} == {1}


def test_invalid_routes_keep_the_previous_ones_and_missing_ones_send_all_to_stable(
    envoy, router, channel
):
    router.write(Shares(candidate=100))
    envoy.routes.write_text("not JSON")
    with pytest.raises(UsageError, match=r"invalid routes .*: delete it"):
        router.read()
    deployed.until(lambda: "not JSON" in (envoy.routes.parent / "router/routes.json").read_text())
    assert {predict(channel) for _ in range(20)} == {2}, "the previous routes stay"
    envoy.routes.unlink()
    assert router.read() == Shares()
    deployed.until(lambda: {predict(channel) for _ in range(20)} == {1})
    router.check_in_force()


@pytest.mark.usefixtures("router")
def test_error_names_the_envoy_that_is_down(envoy, channel):
    down = f"127.0.0.1:{servers.free_port()}"
    both = EnvoyRouter(envoy.routes, f"{envoy.metrics},{down}", timeout=1)
    with pytest.raises(Failed, match=rf"Envoy {down} .*Connection refused\)$") as caught:
        both.write(Shares(candidate=100))
    assert envoy.metrics not in str(caught.value)
    assert {predict(channel) for _ in range(20)} == {2}, "the other one has the routes"
