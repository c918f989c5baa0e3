"""Configuration in the cluster: changes that restart pods, and the initial model config file."""

from __future__ import annotations

import os
import re
import shutil
from concurrent.futures import ThreadPoolExecutor

import pytest
from deploy.kubernetes_manifests import (
    KUBERNETES,
    all_pods,
    flags,
    named,
    of_kind,
    overlay,
    pods,
    rendered,
    server,
)
from deploy.kubernetes_volume import Volume
from seq2sum_serving.deployment.model_config_file import ModelConfigFile
from seq2sum_serving.deployment.state import ModelEntry, Policy
from support.paths import ROOT


@pytest.fixture
def copy(tmp_path):
    """A copy of the folders that kustomize reads."""
    for folder in ("config", "envoy"):
        shutil.copytree(ROOT / "serving" / folder, tmp_path / folder)
    shutil.copytree(KUBERNETES, tmp_path / "kubernetes")
    return tmp_path


@pytest.fixture
def changed(copy):
    """Renders the local overlay after a change of one file of serving."""

    def render(file):
        with (copy / file).open("a") as handle:
            handle.write("# changed\n")
        return rendered(copy / "kubernetes" / "overlays" / "local")

    return render


@pytest.mark.parametrize(
    ("file", "components"),
    [
        ("config/batching.config", {"serving", "candidate"}),
        ("config/ready.sh", {"serving", "candidate"}),
        ("envoy/router.yaml", {"router"}),
        ("envoy/routes.json", {"router"}),
        ("config/models.config", set()),  # the initial file is not used afterwards
    ],
)
def test_a_change_of_a_mounted_file_restarts_its_pods(changed, file, components):
    before = {each.name: each for each in all_pods(overlay("local"))}
    after = {each.name: each for each in all_pods(changed(file))}
    assert {name for name in before if before[name] != after[name]} == components


def model_of(container, objects):
    """The value of a container's variable MODEL, from a ConfigMap; None without it."""
    found = [each for each in container["env"] if each["name"] == "MODEL"]
    if not found:
        return None
    (variable,) = found
    source = variable["valueFrom"]["configMapKeyRef"]
    return named(objects, "ConfigMap", source["name"])["data"][source["key"]]


@pytest.mark.parametrize("name", ["production", "kserve"])
def test_the_model_is_changed_in_one_file(copy, name):
    page = (KUBERNETES / "README.md").read_text()
    (example,) = re.findall(r"```ini\n(.+?)```", page, re.DOTALL)
    (copy / "kubernetes" / "base" / "model.env").write_text(example)
    objects = rendered(copy / "kubernetes" / "overlays" / name)
    assert len(objects) == len(overlay(name))
    serving = pods(objects, "serving")
    names = ("serving", "candidate", "router", "rollout")
    containers = [each for name in names for each in pods(objects, name).containers]
    models = {each["name"]: model_of(each, objects) for each in containers}
    assert models.pop("first-candidate-config") is None  # it copies a file
    assert set(models.values()) == {"sentiment"}
    assert serving != pods(overlay(name), "serving")  # the pods restart
    for monitor in of_kind(objects, "ServiceMonitor"):
        (endpoint,) = monitor["spec"]["endpoints"]
        kept = {each["regex"] for each in endpoint.get("metricRelabelings", ())[:2]}
        is_server = monitor["metadata"]["name"] in ("seq2sum-serving", "seq2sum-candidate")
        if is_server:
            assert kept == {"sentiment|price|"}
        else:
            assert not any("sentiment" in each for each in kept)


@pytest.mark.parametrize("name", ["production", "kserve"])
def test_batching_is_switched_off_in_the_same_file(copy, name):
    path = copy / "kubernetes" / "base" / "model.env"
    text = path.read_text().replace("BATCHING=true", "BATCHING=false")
    path.write_text(text.replace("/etc/seq2sum/batching.config", ""))
    chosen = flags(server(rendered(copy / "kubernetes" / "overlays" / name))["args"])
    assert (chosen["enable_batching"], chosen["batching_parameters_file"]) == ("false", "")


@pytest.fixture
def volume(tmp_path):
    return Volume(tmp_path)


def test_an_empty_volume_gets_the_initial_model_config_file(volume):
    assert volume.start().returncode == 0
    assert volume.config.read_text() == volume.first
    assert volume.files() == ["models.config"]
    assert (volume.models / "seq2sum").is_dir()  # for the first version


def test_the_initial_model_config_file_is_that_of_the_model(volume):
    assert volume.start(model="sentiment").returncode == 0
    file = ModelConfigFile(volume.config, "sentiment")
    assert file.base_path() == "/models/sentiment"
    assert file.read() == ModelEntry(Policy("specific", frozenset({1})), {"stable": 1, "canary": 1})
    assert "seq2sum" not in volume.config.read_text().replace("seq2sum-rollout", "")
    assert (volume.models / "sentiment").is_dir()


def test_an_existing_model_config_file_is_kept(volume):
    volume.config.write_text("of a rollout\n")
    assert volume.start().returncode == 0
    assert volume.config.read_text() == "of a rollout\n"
    assert volume.files() == ["models.config"]


def test_pods_that_start_at_the_same_time_write_one_file(volume):
    with ThreadPoolExecutor(8) as pool:
        done = list(pool.map(volume.start, (f"pod-{number}" for number in range(8))))
    assert [each.returncode for each in done] == [0] * 8
    assert volume.config.read_text() == volume.first
    assert volume.files() == ["models.config"]


@pytest.mark.parametrize("existing", ["", "of a rollout\n"])
def test_a_volume_without_hard_links_is_supported(volume, tmp_path, existing):
    # `ln` fails, and another pod may have written the file in the meantime.
    broken = tmp_path / "bin" / "ln"
    broken.parent.mkdir()
    write = f"printf '{existing}' >'{volume.config}'; " if existing else ""
    broken.write_text(f"#!/bin/sh\n{write}exit 1\n")
    broken.chmod(0o755)
    done = volume.start(path=f"{broken.parent}:{os.environ['PATH']}")
    assert done.returncode == 0, done.stderr
    assert volume.config.read_text() == (existing or volume.first)
    assert volume.files() == ["models.config"]


def test_a_volume_that_cannot_be_written_is_an_error(volume, tmp_path):
    for program in ("ln", "mv"):
        broken = tmp_path / "bin" / program
        broken.parent.mkdir(exist_ok=True)
        broken.write_text("#!/bin/sh\nexit 0\n")
        broken.chmod(0o755)
    done = volume.start(path=f"{broken.parent}:{os.environ['PATH']}")
    assert done.returncode == 1
    assert done.stderr == f"cannot create {volume.config}\n"
