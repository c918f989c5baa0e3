"""The commands and the example of serving/kubernetes/README.md work."""

from __future__ import annotations

import json
import re
import shlex
import shutil

import pytest
import yaml
from deploy.kubernetes_manifests import KUBERNETES, named, of_kind, overlay, pods, rendered
from deploy.kubernetes_variants import custom
from seq2sum_serving.probe import options as probe_options
from seq2sum_serving.rollout import options as rollout_options
from support import doc_snippets
from support.paths import ROOT

PAGE = "serving/kubernetes/README.md"
COMMANDS = [
    part.strip()
    for line in doc_snippets.commands(doc_snippets.text(PAGE))
    for part in line.split(" | ")
]


@pytest.mark.parametrize("line", [line for line in COMMANDS if line.startswith("kubectl ")])
def test_kubectl_commands_name_existing_objects(line):
    objects = overlay("local")
    words = shlex.split(line)
    if "-n" in words:
        assert words[words.index("-n") + 1] == of_kind(objects, "Namespace")[0]["metadata"]["name"]
    for word in words:
        if (found := re.fullmatch(r"(deploy|svc)/(.+)", word)) is not None:
            kind = {"deploy": "Deployment", "svc": "Service"}[found[1]]
            assert named(objects, kind, found[2])
    if "-k" in words:
        assert rendered(ROOT / words[words.index("-k") + 1])
    if "--" in words:
        program, *rest = words[words.index("--") + 1 :]
        if program == "rollout":  # the script of the image, which adds options
            assert rollout_options.parser().parse_args(rest).command
        else:
            assert shutil.which(program)


def test_images_are_built_with_the_names_that_pods_use():
    (build,) = (shlex.split(line) for line in COMMANDS if line.startswith("docker build"))
    assert (ROOT / build[build.index("--file") + 1]).is_file()
    (tools,) = pods(overlay("local"), "rollout").spec["containers"]
    assert build[build.index("--tag") + 1] == tools["image"]
    assert f"kind load docker-image {tools['image']}" in COMMANDS


def test_the_example_overlay_can_be_rendered(tmp_path):
    (example,) = (
        text
        for language, text in doc_snippets.blocks(doc_snippets.text(PAGE))
        if language == "yaml"
    )
    for folder in ("config", "envoy"):
        shutil.copytree(ROOT / "serving" / folder, tmp_path / folder)
    shutil.copytree(KUBERNETES, tmp_path / "kubernetes")
    mine = tmp_path / "kubernetes" / "overlays" / "mine"
    mine.mkdir()
    (mine / "kustomization.yaml").write_text(example)
    objects = rendered(mine)
    (claim,) = of_kind(objects, "PersistentVolumeClaim")
    assert claim["spec"]["storageClassName"] == "nfs"
    assert len(objects) == len(custom())
    assert yaml.safe_load(example)["resources"] == ["../production"]


@pytest.mark.parametrize("name", ["local", "kserve"])
def test_the_probe_has_valid_options_and_the_port_of_its_pod(name):
    pod = pods(overlay(name), "probe")
    (container,) = pod.spec["containers"]
    assert container["command"] == ["seq2sum-probe"]
    chosen = probe_options.parsed(container["args"])
    assert chosen.host == "0.0.0.0"  # for Prometheus and the kubelet, outside of the pod
    assert pod.ports == {"metrics": chosen.port}


def test_rollouts_and_the_probe_target_every_replica():
    objects = overlay("production")
    service = named(objects, "Service", "seq2sum-serving")
    (port,) = (each["port"] for each in service["spec"]["ports"] if each["name"] == "grpc")
    target = f"dns:///{service['metadata']['name']}:{port}"
    (rollout,), (probe,) = (pods(objects, name).spec["containers"] for name in ("rollout", "probe"))
    assert {"name": "TARGETS", "value": target} in rollout["env"]
    assert f"--targets={target}" in probe["args"]
    assert "TARGETS" in (ROOT / "serving" / "docker" / "rollout.sh").read_text()


def test_applications_use_names_ports_and_labels_that_exist():
    objects = overlay("production")
    page = doc_snippets.text(PAGE)
    used = re.findall(r"(seq2sum-[a-z]+)\.seq2sum:(\d+)", page)
    assert {name for name, _ in used} == {"seq2sum-router", "seq2sum-serving"}
    for name, port in used:
        ports = named(objects, "Service", name)["spec"]["ports"]
        assert int(port) in {each["port"] for each in ports}
    policies = json.dumps(of_kind(objects, "NetworkPolicy"))
    for label, value in re.findall(r"`(seq2sum/callers?): \"?(\w+)\"?`", page):
        assert f'"{label}"' in policies
        assert f'"{value}"' in policies
