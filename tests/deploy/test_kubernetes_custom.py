"""A user's overlay with TLS, as in the example of serving/kubernetes/README.md."""

from __future__ import annotations

import pytest
from deploy.kubernetes_manifests import all_pods, of_kind, pods
from deploy.kubernetes_variants import custom, variant


@pytest.fixture(scope="module")
def objects():
    return custom()


@pytest.mark.parametrize("component", ["serving", "candidate"])
def test_the_tls_component_mounts_the_files_of_the_servers(objects, component):
    pod = pods(objects, component)
    (container,) = pod.spec["containers"]
    assert "--ssl_config_file=/etc/seq2sum/tls/ssl.config" in container["args"]
    (config,) = (volume for volume in pod.spec["volumes"] if volume["name"] == "config")
    secret = config["projected"]["sources"][-1]["secret"]
    assert [item["path"] for item in secret["items"]] == ["tls/ssl.config"]
    assert secret["items"][0]["mode"] == 0o440  # not readable by others
    # The gRPC probes of the kubelet do not support TLS.
    assert "grpc" not in container["livenessProbe"]


def test_the_tls_component_mounts_the_files_of_the_probe(objects):
    (probe,) = pods(objects, "probe").spec["containers"]
    mounts = {mount["mountPath"] for mount in probe["volumeMounts"]}
    for flag in ("--ca", "--cert", "--key"):
        (path,) = (each.split("=")[1] for each in probe["args"] if each.startswith(f"{flag}="))
        assert path.rpartition("/")[0] in mounts
    assert "--server-name=seq2sum-serving" in probe["args"]


@pytest.mark.parametrize("name", ["custom", "gateway"])
def test_tls_and_gateway_leave_no_trace_of_the_router(name):
    rendered = variant(name)
    assert "router" not in {each.name for each in all_pods(rendered)}
    assert not [each for each in rendered if "router" in each["metadata"]["name"]]
    (tools,) = pods(rendered, "rollout").spec["containers"]
    variables = {each["name"]: each.get("value") for each in tools["env"]}
    assert variables["ROUTER"] == "none"
    assert "ENVOY_ADMIN" not in variables


def test_an_overlay_can_change_registry_storage_class_and_namespace(objects):
    (tools,) = pods(objects, "rollout").spec["containers"]
    assert tools["image"] == "registry.example/seq2sum/tools:0.1.0"
    (claim,) = of_kind(objects, "PersistentVolumeClaim")
    assert claim["spec"]["storageClassName"] == "nfs"
    assert of_kind(objects, "Namespace")[0]["metadata"]["name"] == "sums"
