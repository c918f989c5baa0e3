"""Every overlay of serving/kubernetes renders to valid objects that fit together."""

from __future__ import annotations

import copy
import itertools
import json
import re

import jsonschema
import kubernetes_validate
import pytest
from deploy.kubernetes_manifests import (
    all_pods,
    configs,
    named,
    of_kind,
    overlay,
    pods,
    server,
)
from deploy.kubernetes_schemas import validate
from deploy.kubernetes_variants import VARIANTS, variant

OLDEST, NEWEST = "1.30", "1.37"
"""Kubernetes versions: the first one with every field that is used, and the current one."""
NAMESPACE = '"namespace": "seq2sum"'
SECRETS = {"seq2sum-server-tls", "seq2sum-client-tls"}
"""Created by hand, and used in components/tls."""


@pytest.fixture(params=VARIANTS)
def objects(request):
    return variant(request.param)


def example(kind):
    """An object of a kind, from the last variant that has one."""
    *_, found = (each for name in VARIANTS for each in of_kind(variant(name), kind))
    return found


@pytest.mark.slow
def test_the_oldest_and_the_newest_kubernetes_accept_every_object():
    everything = itertools.chain.from_iterable(map(variant, VARIANTS))
    # Objects that several variants share are validated once.
    texts = {json.dumps(each).replace('"namespace": "sums"', NAMESPACE) for each in everything}
    for text in texts:
        for version in (OLDEST, NEWEST):
            validate(json.loads(text), version)


@pytest.mark.parametrize(
    ("kind", "path"),
    [
        ("Deployment", "spec"),
        ("NetworkPolicy", "spec"),
        ("HorizontalPodAutoscaler", "spec"),
        ("ServiceMonitor", "spec.endpoints.0"),
        ("ServiceMonitor", "spec.endpoints.0.relabelings.0"),
        ("PrometheusRule", "spec.groups.0.rules.0"),
        ("InferenceService", "spec.predictor"),
        ("InferenceService", "spec.predictor.containers.0"),
        ("Gateway", "spec.listeners.0"),
        ("GRPCRoute", "spec.rules.0.matches.0"),
        ("HTTPRoute", "spec.rules.0.backendRefs.0"),
    ],
)
def test_an_unknown_field_is_rejected(kind, path):
    invalid = copy.deepcopy(example(kind))
    parent = invalid
    for step in path.split("."):
        parent = parent[int(step)] if step.isdecimal() else parent[step]
    parent["intervall"] = "5s"
    with pytest.raises((jsonschema.ValidationError, kubernetes_validate.ValidationError)):
        validate(invalid, NEWEST)


def test_all_objects_are_in_one_namespace(objects):
    (namespace,) = of_kind(objects, "Namespace")
    name = namespace["metadata"]["name"]
    assert {each["metadata"]["namespace"] for each in objects if each["kind"] != "Namespace"} == {
        name
    }


def test_selectors_match_the_pods_of_their_component(objects):
    for deployment in of_kind(objects, "Deployment"):
        labels = deployment["spec"]["template"]["metadata"]["labels"]
        assert deployment["spec"]["selector"]["matchLabels"].items() <= labels.items()
    for service in of_kind(objects, "Service"):
        found = [
            each.name for each in all_pods(objects) if each.matches(service["spec"]["selector"])
        ]
        assert found == [service["metadata"]["labels"]["app.kubernetes.io/component"]]
    for budget in of_kind(objects, "PodDisruptionBudget"):
        selector = budget["spec"]["selector"]["matchLabels"]
        (found,) = (each.name for each in all_pods(objects) if each.matches(selector))
        assert budget["metadata"]["name"] == f"seq2sum-{found}"
    spread = pods(objects, "serving").spec["topologySpreadConstraints"]
    assert all(
        pods(objects, "serving").matches(each["labelSelector"]["matchLabels"]) for each in spread
    )


def test_headless_services_have_the_port_numbers_of_their_pods(objects):
    for service in of_kind(objects, "Service"):
        (behind,) = (
            each for each in all_pods(objects) if each.matches(service["spec"]["selector"])
        )
        for port in service["spec"]["ports"]:
            # A headless name resolves to pods, without a proxy that could map the port.
            assert behind.ports[port["targetPort"]] == port["port"]
        name = service["metadata"]["name"]
        assert ("clusterIP" not in service["spec"]) == (name == "seq2sum-router")
        assert service["spec"].get("publishNotReadyAddresses", False) == (
            name == "seq2sum-candidate"
        )


def test_probes_use_ports_and_files_of_their_container(objects):
    for pod in all_pods(objects):
        for container in pod.spec["containers"]:
            for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
                spec = container.get(probe, {})
                for handler in ("grpc", "httpGet", "tcpSocket"):
                    if handler in spec:
                        port = spec[handler]["port"]
                        assert port in pod.ports or port in pod.ports.values()
                if "exec" in spec:
                    shell, script = spec["exec"]["command"]
                    assert shell == "bash"
                    assert script in configs(pod, objects, container)


def test_images_are_pinned(objects):
    for pod in all_pods(objects):
        for container in pod.containers:
            assert re.fullmatch(r"[\w./-]+:v?\d+\.\d+\.\d+", container["image"]), container["image"]


def test_pods_meet_the_restricted_pod_security_standard(objects):
    (namespace,) = of_kind(objects, "Namespace")
    assert namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"
    for pod in all_pods(objects):
        security = pod.spec["securityContext"]
        assert security["runAsNonRoot"] is True
        assert security["runAsUser"] == 65534  # the user of all pods with the model volume
        assert security["fsGroup"] == 65534
        assert security["seccompProfile"] == {"type": "RuntimeDefault"}
        assert pod.spec["automountServiceAccountToken"] is False
        assert not pod.spec.keys() & {"hostNetwork", "hostPID", "hostIPC"}
        for container in pod.containers:
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }


def test_every_container_has_requests_and_a_memory_limit(objects):
    for pod in all_pods(objects):
        for container in pod.containers:
            resources = container["resources"]
            assert set(resources["requests"]) == {"cpu", "memory"}
            assert set(resources["limits"]) == {"memory"}
            assert bytes_of(resources["requests"]["memory"]) <= bytes_of(
                resources["limits"]["memory"]
            )


def test_volumes_have_existing_sources_and_mounts_are_not_nested(objects):
    claims = {each["metadata"]["name"] for each in of_kind(objects, "PersistentVolumeClaim")}
    maps = {each["metadata"]["name"] for each in of_kind(objects, "ConfigMap")}
    for pod in all_pods(objects):
        for volume in pod.spec["volumes"]:
            for source in volume.get("projected", {"sources": [volume]})["sources"]:
                if (claim := source.get("persistentVolumeClaim")) is not None:
                    assert claim["claimName"] in claims
                if (config := source.get("configMap")) is not None:
                    assert config["name"] in maps
                if (secret := source.get("secret")) is not None:
                    assert (secret.get("secretName") or secret["name"]) in SECRETS
        for container in pod.containers:
            paths = [mount["mountPath"] for mount in container["volumeMounts"]]
            # A nested mount point would have to be created in a read-only volume.
            assert not any(inner.startswith(f"{outer}/") for inner in paths for outer in paths), (
                paths
            )


def test_only_rollouts_and_init_containers_can_write_to_the_model_volume(objects):
    writers = {
        container["name"]
        for pod in all_pods(objects)
        for container in pod.containers
        for mount in container["volumeMounts"]
        if mount["name"] == "models" and not mount.get("readOnly")
    }
    assert writers == {"rollout", "first-models-config", "first-candidate-config"}


def test_production_has_capacity_without_one_of_its_replicas():
    objects = overlay("production")
    autoscaler = named(objects, "HorizontalPodAutoscaler", "seq2sum-serving")["spec"]
    deployment = named(objects, "Deployment", "seq2sum-serving")
    budget = named(objects, "PodDisruptionBudget", "seq2sum-serving")["spec"]
    # A number in the Deployment would override the autoscaler's at each apply.
    assert "replicas" not in deployment["spec"]
    assert autoscaler["scaleTargetRef"]["name"] == deployment["metadata"]["name"]
    least, most = autoscaler["minReplicas"], autoscaler["maxReplicas"]
    assert 3 <= least < most
    assert budget["maxUnavailable"] < least
    (metric,) = autoscaler["metrics"]
    resource = metric["containerResource"]
    assert resource["container"] == server(objects)["name"]
    assert (
        resource["name"] in server(objects)["resources"]["requests"]
    )  # the base of the utilization
    utilization = resource["target"]["averageUtilization"]
    assert utilization * least / (least - 1) < 100  # the others can take over its calls


def test_the_local_overlay_runs_on_a_single_node():
    objects = overlay("local")
    assert named(objects, "Deployment", "seq2sum-serving")["spec"]["replicas"] == 1
    (claim,) = of_kind(objects, "PersistentVolumeClaim")
    assert claim["spec"]["accessModes"] == ["ReadWriteOnce"]
    assert "storageClassName" not in claim["spec"]
    assert not of_kind(objects, "HorizontalPodAutoscaler", "ServiceMonitor", "PrometheusRule")


def test_kserve_has_the_same_pods_as_production():
    objects = overlay("kserve")
    kserve, base = pods(objects, "serving").spec, pods(overlay("production"), "serving").spec
    (predictor,), (container,) = kserve["containers"], base["containers"]
    assert predictor["name"] == "kserve-container"
    assert predictor["ports"][0]["name"] == "rest"  # behind port 80 of KServe's Service
    renamed = {"name": container["name"], "ports": container["ports"]}
    assert predictor | renamed == container
    for field in base.keys() - {"containers"}:
        assert kserve[field] == base[field], field
    assert kserve["minReplicas"] > 1


def bytes_of(quantity):
    number, unit = re.fullmatch(r"(\d+)(Mi|Gi)", quantity).groups()
    return int(number) << {"Mi": 20, "Gi": 30}[unit]
