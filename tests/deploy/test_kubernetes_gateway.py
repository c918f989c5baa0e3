"""The component `gateway`: routes of Gateway API that treat calls as the router does."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess

import pytest
import yaml
from deploy.kubernetes_manifests import KUBECTL, named, overlay, rendered
from deploy.kubernetes_variants import variant
from support import doc_snippets
from support.paths import ROOT

SHARE, STABLE, REFUSED = "share", "stable", "refused"
PREDICTION = "/tensorflow.serving.PredictionService"
CALLS = {
    **{
        ("grpc", f"{PREDICTION}/{method}"): SHARE
        for method in ("Predict", "Classify", "Regress", "MultiInference")
    },
    ("grpc", f"{PREDICTION}/GetModelMetadata"): STABLE,
    ("grpc", "/tensorflow.serving.ModelService/GetModelStatus"): STABLE,
    ("grpc", "/tensorflow.serving.ModelService/HandleReloadConfigRequest"): REFUSED,
    ("grpc", "/tensorflow.ProfilerService/Profile"): REFUSED,
    ("grpc", "/grpc.health.v1.Health/Check"): STABLE,
    ("grpc", "/grpc.health.v1.Health/Watch"): REFUSED,
    ("grpc", "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo"): STABLE,
    ("grpc", "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo"): STABLE,
    **{
        ("POST", f"/v1/models/seq2sum{label}:{verb}"): SHARE
        for label in ("", "/labels/stable")
        for verb in ("predict", "classify", "regress")
    },
    ("POST", "/v1/models/seq2sum/labels/canary:predict"): STABLE,
    ("POST", "/v1/models/seq2sum/labels/stable2:predict"): STABLE,
    ("POST", "/v1/models/seq2sum/versions/2:predict"): STABLE,
    ("GET", "/v1/models/seq2sum"): STABLE,
    ("GET", "/v1/models/seq2sum/labels/stable/metadata"): STABLE,
    ("GET", "/v1/models/seq2sum/versions/2"): STABLE,
    ("GET", "/monitoring/prometheus/metrics"): REFUSED,
    ("POST", "/"): REFUSED,
}
"""The expected outcome of calls, by `grpc` or HTTP method, and path: answered by the group that the
shares choose, always by the stable group, or refused."""


def gateway_outcome(kind, path):
    """Returns the outcome according to the routes of the Gateway; the most specific match wins."""
    name = "GRPCRoute" if kind == "grpc" else "HTTPRoute"
    rules = named(variant("gateway"), name, "seq2sum")["spec"]["rules"]
    found = [
        (rank, rule)
        for rule in rules
        for match in rule["matches"]
        if (rank := (grpc_rank if kind == "grpc" else rest_rank)(match, kind, path))
    ]
    if not found:
        return REFUSED
    _, rule = max(found, key=lambda each: each[0])
    return SHARE if len(rule["backendRefs"]) > 1 else STABLE


def grpc_rank(match, _, path):
    service, method = path[1:].split("/")
    wanted = match["method"]
    return wanted["service"] == service and wanted.get("method", method) == method


def rest_rank(match, method, path):
    value = match["path"]["value"]
    if match["method"] != method:
        return 0
    if match["path"]["type"] == "Exact":
        return 1000 * (value == path)
    return len(value) * (path == value or path.startswith(f"{value.rstrip('/')}/"))


def router_outcome(kind, path):
    """Returns the outcome according to Envoy's routes; the first match wins."""
    routes = json.loads((ROOT / "serving" / "envoy" / "routes.json").read_text())
    ((host,),) = (each["virtual_hosts"] for each in routes["resources"])
    for route in host["routes"]:
        match = route["match"]
        if "grpc" in match and kind != "grpc":
            continue
        regex = match.get("safe_regex", {}).get("regex")
        if (
            match.get("path") == path
            or path.startswith(match.get("prefix", "\0"))
            or (regex and re.fullmatch(regex, path))
        ):
            if "direct_response" in route:
                return REFUSED
            return SHARE if "weighted_clusters" in route["route"] else STABLE
    raise AssertionError("the last route matches everything")


@pytest.mark.parametrize("call", CALLS, ids=" ".join)
def test_gateway_and_router_treat_a_call_alike(call):
    assert gateway_outcome(*call) == CALLS[call]
    assert router_outcome(*call) == CALLS[call]


@pytest.mark.parametrize(("kind", "port"), [("GRPCRoute", "grpc"), ("HTTPRoute", "rest")])
def test_candidate_group_gets_no_calls_without_a_rollout(kind, port):
    objects = variant("gateway")
    first, *others = named(objects, kind, "seq2sum")["spec"]["rules"]
    weights = {each["name"]: each["weight"] for each in first["backendRefs"]}
    assert weights == {"seq2sum-serving": 100, "seq2sum-candidate": 0}
    for rule in others:
        assert [each["name"] for each in rule["backendRefs"]] == ["seq2sum-serving"]
    for rule in (first, *others):
        for backend in rule["backendRefs"]:
            service = named(objects, "Service", backend["name"])
            ports = {each["port"]: each["name"] for each in service["spec"]["ports"]}
            assert ports[backend["port"]] == port


def test_each_route_has_a_listener_for_its_kind_only():
    objects = variant("gateway")
    gateway = named(objects, "Gateway", "seq2sum")["spec"]
    listeners = {
        each["name"]: [kind["kind"] for kind in each["allowedRoutes"]["kinds"]]
        for each in gateway["listeners"]
    }
    assert len({each["port"] for each in gateway["listeners"]}) == 2
    for kind in ("GRPCRoute", "HTTPRoute"):
        (parent,) = named(objects, kind, "seq2sum")["spec"]["parentRefs"]
        assert parent["name"] == "seq2sum"
        assert listeners[parent["sectionName"]] == [kind]


def test_paths_have_the_name_of_the_model(tmp_path):
    for folder in ("config", "envoy", "kubernetes"):
        shutil.copytree(ROOT / "serving" / folder, tmp_path / folder)
    model = tmp_path / "kubernetes" / "base" / "model.env"
    model.write_text(model.read_text().replace("MODEL=seq2sum", "MODEL=sentiment"))
    mine = tmp_path / "kubernetes" / "overlays" / "mine"
    mine.mkdir()
    (mine / "kustomization.yaml").write_text(
        "namespace: seq2sum\nresources: [../production]\ncomponents: [../../components/gateway]\n"
    )
    share, _ = named(rendered(mine), "HTTPRoute", "seq2sum")["spec"]["rules"]
    assert {match["path"]["value"] for match in share["matches"]} == {
        path.replace("seq2sum", "sentiment")
        for (kind, path), outcome in CALLS.items()
        if kind == "POST" and outcome == SHARE
    }


def test_the_production_overlay_has_no_gateway():
    kinds = {each["kind"] for each in overlay("production")}
    assert not kinds & {"Gateway", "GRPCRoute", "HTTPRoute"}


@pytest.mark.parametrize("kind", ["GRPCRoute", "HTTPRoute"])
def test_the_command_of_the_readme_sets_the_weights(tmp_path, kind):
    lines = doc_snippets.commands(doc_snippets.text("serving/kubernetes/README.md"))
    (path,) = (line.removeprefix("path=") for line in lines if line.startswith("path="))
    (line,) = (line.replace("$path", path) for line in lines if " patch " in line)
    words = shlex.split(line)
    kinds, name, *options = words[words.index("patch") + 1 :]
    assert kind.lower() in kinds.split(",")
    file = tmp_path / "route.yaml"
    file.write_text(yaml.safe_dump(named(variant("gateway"), kind, name)))
    done = subprocess.run(
        [KUBECTL, "patch", "--local", "-f", file, *options, "-o", "yaml"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    before, after = yaml.safe_load(file.read_text()), yaml.safe_load(done.stdout)
    backends = after["spec"]["rules"][0]["backendRefs"]
    assert [each["weight"] for each in backends] == [90, 10]
    for backend, weight in zip(backends, (100, 0), strict=True):
        backend["weight"] = weight
    assert after == before  # nothing else changes
