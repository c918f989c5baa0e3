"""Objects that `kubectl kustomize` renders from serving/kubernetes. Cached, so read-only."""

from __future__ import annotations

import functools
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from support.paths import ROOT

KUBERNETES = ROOT / "serving" / "kubernetes"
OVERLAYS = ("local", "production", "kserve")
KUBECTL = Path(sys.executable).parent / "kubectl"

Object = dict[str, Any]


@functools.cache
def rendered(folder: Path) -> tuple[Object, ...]:
    """Returns the objects that `kubectl apply -k FOLDER` would apply."""
    done = subprocess.run(
        [KUBECTL, "kustomize", folder], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert not done.stderr, f"warnings about {folder}: {done.stderr}"
    objects = tuple(yaml.safe_load_all(done.stdout))
    for pod in all_pods(objects):
        for container in pod.containers:
            container["args"] = _with_variables(container, objects)
    return objects


def _with_variables(container: Object, objects: tuple[Object, ...]) -> list[str]:
    """Returns the arguments of a container with `$(NAME)` replaced, as Kubernetes does."""
    values = {}
    for each in container.get("env", ()):
        if (reference := each.get("valueFrom", {}).get("configMapKeyRef")) is not None:
            data = named(objects, "ConfigMap", reference["name"])["data"]
            values[each["name"]] = data[reference["key"]]
        else:
            values[each["name"]] = each.get("value", "")
    return [
        re.sub(r"\$\((\w+)\)", lambda match: values[match[1]], argument)
        for argument in container.get("args", ())
    ]


def overlay(name: str) -> tuple[Object, ...]:
    return rendered(KUBERNETES / "overlays" / name)


def of_kind(objects: tuple[Object, ...], *kinds: str) -> list[Object]:
    return [each for each in objects if each["kind"] in kinds]


def named(objects: tuple[Object, ...], kind: str, name: str) -> Object:
    """Returns the object of this kind and name."""
    (found,) = (each for each in of_kind(objects, kind) if each["metadata"]["name"] == name)
    return found


@dataclass(frozen=True, slots=True)
class Pods:
    """The pods of a Deployment, or of an InferenceService's predictor."""

    name: str
    """The component: serving, probe or rollout."""
    labels: Mapping[str, str]
    spec: Mapping[str, Any]

    @property
    def containers(self) -> list[Object]:
        return [*self.spec.get("initContainers", ()), *self.spec["containers"]]

    @property
    def ports(self) -> dict[str, int]:
        """The containers' ports by name."""
        return {
            port["name"]: port["containerPort"]
            for container in self.spec["containers"]
            for port in container.get("ports", ())
        }

    def matches(self, selector: Mapping[str, str]) -> bool:
        return selector.items() <= self.labels.items()


def all_pods(objects: tuple[Object, ...]) -> Iterator[Pods]:
    """Yields the pods of every Deployment and InferenceService."""
    for deployment in of_kind(objects, "Deployment"):
        template = deployment["spec"]["template"]
        labels = template["metadata"]["labels"]
        yield Pods(labels["app.kubernetes.io/component"], labels, template["spec"])
    for service in of_kind(objects, "InferenceService"):
        predictor = service["spec"]["predictor"]
        labels = predictor["labels"]
        yield Pods(labels["app.kubernetes.io/component"], labels, predictor)


def pods(objects: tuple[Object, ...], component: str) -> Pods:
    (found,) = (each for each in all_pods(objects) if each.name == component)
    return found


def server(objects: tuple[Object, ...]) -> Object:
    """Returns the container of the model server."""
    (container,) = pods(objects, "serving").spec["containers"]
    return container


def flags(command: list[str]) -> dict[str, str]:
    """Returns the flags of a server by name."""
    return dict(flag.removeprefix("--").split("=", 1) for flag in command)


def configs(pod: Pods, objects: tuple[Object, ...], container: Object) -> dict[str, str]:
    """Returns the files that a container mounts from ConfigMaps: content by path."""
    found = {}
    volumes = {volume["name"]: volume for volume in pod.spec["volumes"]}
    for mount in container["volumeMounts"]:
        volume = volumes[mount["name"]]
        for source in volume.get("projected", {"sources": [volume]})["sources"]:
            if (reference := source.get("configMap")) is not None:
                (config,) = (
                    each
                    for each in of_kind(objects, "ConfigMap")
                    if each["metadata"]["name"] == reference["name"]
                )
                for key, content in config["data"].items():
                    found[f"{mount['mountPath']}/{key}"] = content
    return found
