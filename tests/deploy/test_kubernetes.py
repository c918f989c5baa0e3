"""serving/kubernetes as a whole: every overlay is rendered, valid, and fits together."""

from __future__ import annotations

import copy
import itertools
import json
import os
import re

import jsonschema
import kubernetes_validate
import pytest
from deploy.kubernetes_manifests import (
    KUBERNETES,
    OVERLAYS,
    all_pods,
    configs,
    named,
    of_kind,
    overlay,
    pods,
    rendered,
    server,
)
from deploy.kubernetes_schemas import validate

OLDEST, NEWEST = "1.30", "1.37"
"""Of Kubernetes: the first with every field that is used, and the one that is current."""
SAME = '"namespace": "seq2sum"'
SECRETS = {"seq2sum-server-tls", "seq2sum-client-tls"}
"""Made by hand, and named in components/tls."""
OWN = """\
apiVersion: kustomize.config.k8s.io/v1beta1
kind: Kustomization
namespace: sums
resources: [{production}]
components: [{tls}]
images:
  - {{name: seq2sum/tools, newName: registry.example/seq2sum/tools}}
patches:
  - target: {{kind: PersistentVolumeClaim, name: seq2sum-models}}
    patch: |
      - {{op: replace, path: /spec/storageClassName, value: nfs}}
"""
"""An overlay as README.md says to write one: with a registry, a storage class, a namespace, TLS."""


@pytest.fixture(scope="module")
def own(tmp_path_factory):
    folder = tmp_path_factory.mktemp("own")
    production, tls = (
        os.path.relpath(KUBERNETES / where, folder.resolve())
        for where in ("overlays/production", "components/tls")
    )
    (folder / "kustomization.yaml").write_text(OWN.format(production=production, tls=tls))
    return rendered(folder)


@pytest.fixture(params=[*OVERLAYS, "own"])
def objects(request):
    return request.getfixturevalue("own") if request.param == "own" else overlay(request.param)


def example(kind):
    """An object of a kind, from an overlay that has it."""
    *_, found = (each for name in OVERLAYS for each in of_kind(overlay(name), kind))
    return found


def test_every_object_is_one_that_the_oldest_and_the_newest_kubernetes_take(own):
    everything = itertools.chain(own, *map(overlay, OVERLAYS))
    # Many are in several overlays, up to their namespace: once is enough.
    for text in {json.dumps(each).replace('"namespace": "sums"', SAME) for each in everything}:
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
    ],
)
def test_a_field_that_does_not_exist_is_found(kind, path):
    wrong = copy.deepcopy(example(kind))
    place = wrong
    for step in path.split("."):
        place = place[int(step)] if step.isdecimal() else place[step]
    place["intervall"] = "5s"
    with pytest.raises((jsonschema.ValidationError, kubernetes_validate.ValidationError)):
        validate(wrong, NEWEST)


def test_everything_is_in_one_namespace(objects):
    (namespace,) = of_kind(objects, "Namespace")
    name = namespace["metadata"]["name"]
    assert {each["metadata"]["namespace"] for each in objects if each["kind"] != "Namespace"} == {
        name
    }


def test_selectors_find_pods_and_each_its_own(objects):
    for made in of_kind(objects, "Deployment"):
        labels = made["spec"]["template"]["metadata"]["labels"]
        assert made["spec"]["selector"]["matchLabels"].items() <= labels.items()
    for service in of_kind(objects, "Service"):
        found = [
            each.name for each in all_pods(objects) if each.matches(service["spec"]["selector"])
        ]
        assert found == [service["metadata"]["labels"]["app.kubernetes.io/component"]]
    for budget in of_kind(objects, "PodDisruptionBudget"):
        selector = budget["spec"]["selector"]["matchLabels"]
        assert [each.name for each in all_pods(objects) if each.matches(selector)] == ["serving"]
    spread = pods(objects, "serving").spec["topologySpreadConstraints"]
    assert all(
        pods(objects, "serving").matches(each["labelSelector"]["matchLabels"]) for each in spread
    )


def test_services_lead_to_ports_that_pods_have_under_numbers_that_are_the_same(objects):
    for service in of_kind(objects, "Service"):
        (behind,) = (
            each for each in all_pods(objects) if each.matches(service["spec"]["selector"])
        )
        for port in service["spec"]["ports"]:
            # A headless name resolves to pods: there is nobody who would translate a port.
            assert behind.ports[port["targetPort"]] == port["port"]
        assert service["spec"]["clusterIP"] == "None"
        assert not service["spec"].get("publishNotReadyAddresses", False)


def test_probes_ask_ports_and_run_files_that_are_there(objects):
    for pod in all_pods(objects):
        for container in pod.spec["containers"]:
            for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
                asked = container.get(probe, {})
                for way in ("grpc", "httpGet", "tcpSocket"):
                    if way in asked:
                        port = asked[way]["port"]
                        assert port in pod.ports or port in pod.ports.values()
                if "exec" in asked:
                    shell, script = asked["exec"]["command"]
                    assert shell == "bash"
                    assert script in configs(pod, objects, container)


def test_images_are_pinned(objects):
    for pod in all_pods(objects):
        for container in pod.containers:
            assert re.fullmatch(r"[\w./-]+:\d+\.\d+\.\d+", container["image"]), container["image"]


def test_pods_keep_the_strictest_pod_security_standard_and_a_little_more(objects):
    (namespace,) = of_kind(objects, "Namespace")
    assert namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"
    for pod in all_pods(objects):
        security = pod.spec["securityContext"]
        assert security["runAsNonRoot"] is True
        assert security["runAsUser"] == 65534  # all who share the model volume
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


def test_every_container_asks_for_what_it_needs_and_has_a_limit_of_memory(objects):
    for pod in all_pods(objects):
        for container in pod.containers:
            resources = container["resources"]
            assert set(resources["requests"]) == {"cpu", "memory"}
            assert set(resources["limits"]) == {"memory"}
            assert bytes_of(resources["requests"]["memory"]) <= bytes_of(
                resources["limits"]["memory"]
            )


def test_volumes_are_of_things_that_exist_and_no_mount_lies_in_another(objects):
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
            # The mount point would have to be made in a volume that is read only.
            assert not any(inner.startswith(f"{outer}/") for inner in paths for outer in paths), (
                paths
            )


def test_only_rollouts_and_the_first_file_of_record_may_write_the_model_volume(objects):
    writers = {
        container["name"]
        for pod in all_pods(objects)
        for container in pod.containers
        for mount in container["volumeMounts"]
        if mount["name"] == "models" and not mount.get("readOnly")
    }
    assert writers == {"rollout", "first-models-config"}


def test_the_production_overlay_has_replicas_for_one_that_is_away():
    objects = overlay("production")
    autoscaler = named(objects, "HorizontalPodAutoscaler", "seq2sum-serving")["spec"]
    deployment = named(objects, "Deployment", "seq2sum-serving")
    budget = named(objects, "PodDisruptionBudget", "seq2sum-serving")["spec"]
    # A number in the Deployment would fight with the autoscaler's at each apply.
    assert "replicas" not in deployment["spec"]
    assert autoscaler["scaleTargetRef"]["name"] == deployment["metadata"]["name"]
    least, most = autoscaler["minReplicas"], autoscaler["maxReplicas"]
    assert 3 <= least < most
    assert budget["maxUnavailable"] < least
    (metric,) = autoscaler["metrics"]
    resource = metric["containerResource"]
    assert resource["container"] == server(objects)["name"]
    assert resource["name"] in server(objects)["resources"]["requests"]  # what the share is of
    share = resource["target"]["averageUtilization"]
    assert share * least / (least - 1) < 100  # the others have time for what the one did


def test_the_local_overlay_needs_nothing_that_a_cluster_of_one_node_does_not_have():
    objects = overlay("local")
    assert named(objects, "Deployment", "seq2sum-serving")["spec"]["replicas"] == 1
    (claim,) = of_kind(objects, "PersistentVolumeClaim")
    assert claim["spec"]["accessModes"] == ["ReadWriteOnce"]
    assert "storageClassName" not in claim["spec"]
    assert not of_kind(objects, "HorizontalPodAutoscaler", "ServiceMonitor", "PrometheusRule")


def test_kserve_has_the_same_pods_and_no_deployment_beside_them():
    objects = overlay("kserve")
    mine, base = pods(objects, "serving").spec, pods(overlay("production"), "serving").spec
    (served,), (container,) = mine["containers"], base["containers"]
    assert served["name"] == "kserve-container"
    assert served["ports"][0]["name"] == "rest"  # behind port 80 of KServe's Service
    renamed = {"name": container["name"], "ports": container["ports"]}
    assert served | renamed == container
    for field in base.keys() - {"containers"}:
        assert mine[field] == base[field], field
    assert mine["minReplicas"] > 1


def test_with_tls_the_server_gets_its_file_and_the_tools_theirs(own):
    pod = pods(own, "serving")
    assert "--ssl_config_file=/etc/seq2sum/tls/ssl.config" in server(own)["args"]
    (config,) = (volume for volume in pod.spec["volumes"] if volume["name"] == "config")
    secret = config["projected"]["sources"][-1]["secret"]
    assert [item["path"] for item in secret["items"]] == ["tls/ssl.config"]
    assert secret["items"][0]["mode"] == 0o440  # no file for the world
    assert "grpc" not in server(own)["livenessProbe"]  # the kubelet speaks no TLS there
    (probe,) = pods(own, "probe").spec["containers"]
    mounts = {mount["mountPath"] for mount in probe["volumeMounts"]}
    for flag in ("--ca", "--cert", "--key"):
        (path,) = (each.split("=")[1] for each in probe["args"] if each.startswith(f"{flag}="))
        assert path.rpartition("/")[0] in mounts
    assert "--server-name=seq2sum-serving" in probe["args"]


def test_an_overlay_of_ones_own_changes_registry_storage_and_namespace(own):
    (tools,) = pods(own, "rollout").spec["containers"]
    assert tools["image"] == "registry.example/seq2sum/tools:0.1.0"
    (claim,) = of_kind(own, "PersistentVolumeClaim")
    assert claim["spec"]["storageClassName"] == "nfs"
    assert of_kind(own, "Namespace")[0]["metadata"]["name"] == "sums"


def bytes_of(quantity):
    number, unit = re.fullmatch(r"(\d+)(Mi|Gi)", quantity).groups()
    return int(number) << {"Mi": 20, "Gi": 30}[unit]
