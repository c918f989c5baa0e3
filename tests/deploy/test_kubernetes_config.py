"""Configuration in the cluster: changes that restart pods, and the initial model config file."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor

import pytest
from deploy.kubernetes_manifests import (
    KUBERNETES,
    flags,
    named,
    of_kind,
    overlay,
    pods,
    rendered,
    server,
)
from seq2sum_serving.deployment.model_config_file import ModelConfigFile
from seq2sum_serving.deployment.state import ModelEntry, Policy
from support.paths import ROOT


@pytest.fixture
def copy(tmp_path):
    """A copy of the folders that kustomize reads."""
    shutil.copytree(ROOT / "serving" / "config", tmp_path / "config")
    shutil.copytree(KUBERNETES, tmp_path / "kubernetes")
    return tmp_path


@pytest.fixture
def changed(copy):
    """Renders the local overlay after a change of one file of serving/config."""

    def render(file):
        with (copy / "config" / file).open("a") as handle:
            handle.write("# changed\n")
        return rendered(copy / "kubernetes" / "overlays" / "local")

    return render


@pytest.mark.parametrize("file", ["batching.config", "ready.sh"])
def test_a_change_of_a_mounted_file_restarts_the_pods(changed, file):
    assert pods(changed(file), "serving") != pods(overlay("local"), "serving")


def test_a_change_of_the_initial_model_config_file_restarts_nothing(changed):
    assert pods(changed("models.config"), "serving") == pods(overlay("local"), "serving")


def model_of(container, objects):
    """The value of a container's variable MODEL, from a ConfigMap."""
    (variable,) = (each for each in container["env"] if each["name"] == "MODEL")
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
    containers = (*serving.containers, *pods(objects, "rollout").containers)
    assert {model_of(each, objects) for each in containers} == {"sentiment"}
    assert serving != pods(overlay(name), "serving")  # the pods restart
    for monitor in of_kind(objects, "ServiceMonitor"):
        (endpoint,) = monitor["spec"]["endpoints"]
        kept = {each["regex"] for each in endpoint.get("metricRelabelings", ())[:2]}
        assert kept == ({"sentiment|price|"} if "serving" in monitor["metadata"]["name"] else set())


@pytest.mark.parametrize("name", ["production", "kserve"])
def test_batching_is_switched_off_in_the_same_file(copy, name):
    path = copy / "kubernetes" / "base" / "model.env"
    text = path.read_text().replace("BATCHING=true", "BATCHING=false")
    path.write_text(text.replace("/etc/seq2sum/batching.config", ""))
    chosen = flags(server(rendered(copy / "kubernetes" / "overlays" / name))["args"])
    assert (chosen["enable_batching"], chosen["batching_parameters_file"]) == ("false", "")


class Volume:
    """A model volume, and the init container that prepares it."""

    def __init__(self, folder):
        self.models, self._first = folder / "models", folder / "first"
        self.models.mkdir()
        self._first.mkdir()
        shutil.copy(ROOT / "serving" / "config" / "models.config", self._first)
        self.first = (self._first / "models.config").read_text()
        self.config = self.models / "models.config"

    def start(self, host="pod", path=os.environ["PATH"], model="seq2sum"):
        """Runs the container's command with the real bash."""
        (container,) = pods(overlay("local"), "serving").spec["initContainers"]
        environment = {
            "PATH": path,
            "HOSTNAME": host,
            "MODELS": str(self.models),
            "FIRST": str(self._first),
            "MODEL": model,
        }
        assert {each["name"] for each in container["env"]} <= environment.keys()
        return subprocess.run(
            [*container["command"], *container["args"]],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )

    def files(self):
        return sorted(path.name for path in self.models.iterdir() if path.is_file())


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
