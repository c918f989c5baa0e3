"""The router: Envoy with the files of serving/envoy, in front of both groups."""

from __future__ import annotations

import re

import pytest
import yaml
from deploy import compose_file
from deploy.kubernetes_manifests import OVERLAYS, configs, named, overlay, pods
from support.paths import ROOT

ENVOY = ROOT / "serving" / "envoy"
CONFIG = yaml.safe_load((ENVOY / "router.yaml").read_text())


@pytest.fixture(params=OVERLAYS)
def objects(request):
    return overlay(request.param)


@pytest.fixture
def router(objects):
    (container,) = pods(objects, "router").spec["containers"]
    return container


def port_of(address):
    return address["address"]["socket_address"]["port_value"]


def test_image_command_and_files_are_those_of_compose(objects, router):
    compose = compose_file.services()["router"]
    assert router["image"] == compose["image"]
    assert router["command"] == compose["entrypoint"]
    assert "./serving/envoy:/etc/envoy:ro" in compose["volumes"]
    files = configs(pods(objects, "router"), objects, router)
    assert files == {
        f"/etc/envoy/{name}": (ENVOY / name).read_text()
        for name in ("router.yaml", "routes.json", "start.sh")
    }


def test_ports_are_those_of_envoy_and_of_the_services(objects):
    listeners = {each["name"]: port_of(each) for each in CONFIG["static_resources"]["listeners"]}
    assert pods(objects, "router").ports == {
        "calls": listeners["router"],
        "metrics": listeners["metrics"],
    }
    for name, port in (("seq2sum-router", "calls"), ("seq2sum-router-metrics", "metrics")):
        (found,) = named(objects, "Service", name)["spec"]["ports"]
        assert (found["targetPort"], found["port"]) == (port, pods(objects, "router").ports[port])
    # The rest of Envoy's admin interface can stop it.
    assert CONFIG["admin"]["address"]["socket_address"]["address"] == "127.0.0.1"


def test_addresses_of_the_groups_are_names_and_ports_of_headless_services(objects):
    addresses = set()
    for cluster in CONFIG["static_resources"]["clusters"]:
        for locality in cluster.get("load_assignment", {}).get("endpoints", ()):
            (endpoint,) = locality["lb_endpoints"]
            address = endpoint["endpoint"]["address"]["socket_address"]
            addresses.add((address["address"], address["port_value"]))
    expected = {("127.0.0.1", port_of(CONFIG["admin"]))}
    for name in ("seq2sum-serving", "seq2sum-candidate"):
        spec = named(objects, "Service", name)["spec"]
        assert spec["clusterIP"] == "None"  # Envoy balances calls over the addresses
        expected |= {(name, port["port"]) for port in spec["ports"]}
    assert addresses == expected


def test_rollouts_ask_every_envoy_for_its_routes(objects):
    (tools,) = pods(objects, "rollout").spec["containers"]
    variables = {each["name"]: each.get("value") for each in tools["env"]}
    assert variables["ROUTER"] == "envoy"
    service = named(objects, "Service", "seq2sum-router-metrics")["spec"]
    (port,) = service["ports"]
    assert service["clusterIP"] == "None"
    assert variables["ENVOY_ADMIN"] == f"dns:///seq2sum-router-metrics:{port['port']}"


def test_start_script_finds_the_routes_of_rollouts(router):
    script = (ENVOY / "start.sh").read_text()
    assert "routes=${ROUTES:-/models/${MODEL:-seq2sum}.routes.json}" in script
    assert {each["name"] for each in router["env"]} == {"MODEL"}
    mounts = {each["mountPath"]: each.get("readOnly", False) for each in router["volumeMounts"]}
    assert mounts["/models"] is True
    copy = re.search(r"ROUTES_COPY:-(/\w+)/", script)[1]
    assert mounts[copy] is False


def test_a_terminating_router_has_time_to_drain(objects, router):
    wait = router["lifecycle"]["preStop"]["sleep"]["seconds"]
    drain = int(re.search(r"DRAIN_SECONDS:-(\d+)", (ENVOY / "start.sh").read_text())[1])
    assert wait + drain < pods(objects, "router").spec["terminationGracePeriodSeconds"]


@pytest.mark.parametrize("name", ["production", "kserve"])
def test_one_router_is_left_while_another_one_is_replaced(name):
    spec = named(overlay(name), "Deployment", "seq2sum-router")["spec"]
    budget = named(overlay(name), "PodDisruptionBudget", "seq2sum-router")["spec"]
    assert budget["maxUnavailable"] < spec["replicas"]
    assert spec["strategy"]["rollingUpdate"] == {"maxSurge": 1, "maxUnavailable": 0}
