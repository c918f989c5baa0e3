"""Configuration in the cluster: changes that restart pods, and the initial model config file."""

from __future__ import annotations

import os
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor

import pytest
from deploy.kubernetes_manifests import KUBERNETES, overlay, pods, rendered
from support.paths import ROOT


@pytest.fixture
def changed(tmp_path):
    """Renders the local overlay after a change of one file of serving/config."""

    def render(file):
        shutil.copytree(ROOT / "serving" / "config", tmp_path / "config")
        shutil.copytree(KUBERNETES, tmp_path / "kubernetes")
        with (tmp_path / "config" / file).open("a") as handle:
            handle.write("# changed\n")
        return rendered(tmp_path / "kubernetes" / "overlays" / "local")

    return render


@pytest.mark.parametrize("file", ["batching.config", "ready.sh"])
def test_a_change_of_a_mounted_file_restarts_the_pods(changed, file):
    assert pods(changed(file), "serving") != pods(overlay("local"), "serving")


def test_a_change_of_the_initial_model_config_file_restarts_nothing(changed):
    assert pods(changed("models.config"), "serving") == pods(overlay("local"), "serving")


class Volume:
    """A model volume, and the init container that prepares it."""

    def __init__(self, folder):
        self.models, self._first = folder / "models", folder / "first"
        self.models.mkdir()
        self._first.mkdir()
        (self._first / "models.config").write_text("the first\n")
        self.config = self.models / "models.config"

    def start(self, host="pod", path=os.environ["PATH"]):
        """Runs the container's command with the real bash."""
        (container,) = pods(overlay("local"), "serving").spec["initContainers"]
        environment = {
            "PATH": path,
            "HOSTNAME": host,
            "MODELS": str(self.models),
            "FIRST": str(self._first),
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
    assert volume.config.read_text() == "the first\n"
    assert volume.files() == ["models.config"]
    assert (volume.models / "seq2sum").is_dir()  # for the first version


def test_an_existing_model_config_file_is_kept(volume):
    volume.config.write_text("of a rollout\n")
    assert volume.start().returncode == 0
    assert volume.config.read_text() == "of a rollout\n"
    assert volume.files() == ["models.config"]


def test_pods_that_start_at_the_same_time_write_one_file(volume):
    with ThreadPoolExecutor(8) as pool:
        done = list(pool.map(volume.start, (f"pod-{number}" for number in range(8))))
    assert [each.returncode for each in done] == [0] * 8
    assert volume.config.read_text() == "the first\n"
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
    assert volume.config.read_text() == (existing or "the first\n")
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
