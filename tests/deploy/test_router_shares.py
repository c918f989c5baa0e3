"""The shares of a real Envoy; after enough calls they are within a percentage point of the weight.

The servers of both groups are listeners of the same Envoy that reply at once, so that tens of
thousands of calls take seconds.
"""

from __future__ import annotations

import re
import subprocess

import pytest
from deploy import envoy_configuration
from deploy.balancing_replicas import docker_name_server
from deploy.envoy_configuration import CANDIDATE, REST, STABLE
from deploy.envoy_process import Envoy
from seq2sum_serving.deployment.routers.envoy import EnvoyRouter
from seq2sum_serving.deployment.routers.router import Shares
from support import deployed, servers
from support.system import needs

pytestmark = [pytest.mark.server, pytest.mark.slow, needs("h2load")]

HOSTS = {STABLE: "127.0.0.1", CANDIDATE: "127.0.0.2"}
POINT = 0.01
DEVIATIONS = 4
"""A test makes so many calls that one point is this many standard deviations of the share."""
PATHS = {
    "gRPC": "/tensorflow.serving.PredictionService/Predict",
    "REST": "/v1/models/seq2sum:predict",
}
GRPC_OPTIONS = ("--header", "content-type: application/grpc", "--header", "te: trailers")


@pytest.fixture(scope="module")
def envoy(tmp_path_factory):
    ports = {"replica_port": servers.free_port(), "rest_port": servers.free_port()}

    def add_servers(config):
        for group, rest in REST.items():
            for name in (group, rest):
                del envoy_configuration.cluster(config, name)["health_checks"]
        listeners = config["static_resources"]["listeners"]
        listeners += [server(host, port) for host in HOSTS.values() for port in ports.values()]

    with (
        docker_name_server([HOSTS[STABLE]], [HOSTS[CANDIDATE]]) as names,
        Envoy(
            tmp_path_factory.mktemp("envoy"),
            name_server_port=names.port,
            configure=add_servers,
            **ports,
        ) as envoy,
    ):
        deployed.until(lambda: all(map(envoy.serving, HOSTS)))
        yield envoy


@pytest.fixture
def router(envoy):
    return EnvoyRouter(envoy.routes, envoy.metrics)


def server(host, port):
    """Returns a listener that replies 200 to everything."""
    reply = {"match": {"prefix": "/"}, "direct_response": {"status": 200}}
    manager = {
        "@type": "type.googleapis.com/envoy.extensions.filters.network"
        ".http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": f"server-{host}-{port}",
        "route_config": {"virtual_hosts": [{"name": "all", "domains": ["*"], "routes": [reply]}]},
        "http_filters": [
            {
                "name": "envoy.filters.http.router",
                "typed_config": {
                    "@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router"
                },
            }
        ],
    }
    return {
        "name": f"server-{host}-{port}",
        "address": {"socket_address": {"address": host, "port_value": port}},
        "filter_chains": [
            {
                "filters": [
                    {
                        "name": "envoy.filters.network.http_connection_manager",
                        "typed_config": manager,
                    }
                ]
            }
        ],
    }


def call(envoy, protocol, count):
    """Makes calls, and returns how many each group got."""
    names = {group: group if protocol == "gRPC" else REST[group] for group in HOSTS}
    before = {group: envoy.statistic("upstream_rq_total", name) for group, name in names.items()}
    # REST calls, too, use HTTP/2, which is faster, and have no bodies: the servers read none.
    load = ["--requests", count, "--clients", 2, "--max-concurrent-streams", 64]
    options = GRPC_OPTIONS if protocol == "gRPC" else ()
    done = subprocess.run(
        ["h2load", *map(str, load), *options, f"http://{envoy.target}{PATHS[protocol]}"],
        capture_output=True,
        text=True,
        check=True,
    )
    [succeeded] = re.findall(r"(\d+) succeeded, 0 failed, 0 errored", done.stdout)
    assert int(succeeded) == count, done.stdout
    return {
        group: envoy.statistic("upstream_rq_total", name) - before[group]
        for group, name in names.items()
    }


def enough(percent):
    """Returns a number of calls after which the share is within a point of its expectation."""
    share = percent / 100
    return max(2000, round(share * (1 - share) * (DEVIATIONS / POINT) ** 2))


@pytest.mark.parametrize(
    ("protocol", "percent"),
    [
        *(("gRPC", percent) for percent in (0, 1, 5, 10, 50, 90, 100)),
        *(("REST", percent) for percent in (0, 10, 50, 100)),
    ],
)
def test_the_candidate_group_gets_its_share(envoy, router, protocol, percent):
    router.write(Shares(candidate=percent))
    count = enough(percent)
    calls = call(envoy, protocol, count)
    assert sum(calls.values()) == count
    assert abs(calls[CANDIDATE] / count - percent / 100) <= (POINT if 0 < percent < 100 else 0)


@pytest.mark.parametrize("protocol", PATHS)
def test_copies_are_made_of_the_mirrored_share_only(envoy, router, protocol):
    router.write(Shares(mirror=5))
    count = enough(5)
    calls = call(envoy, protocol, count)
    assert calls[STABLE] == count, "the stable group answers all calls"
    assert abs(calls[CANDIDATE] / count - 0.05) <= POINT
