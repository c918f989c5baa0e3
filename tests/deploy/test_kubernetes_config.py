"""Configuration in the cluster: what rolls pods, and the first file of record."""

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
    """Renders the local overlay with a line added to one file of serving/config."""

    def change(file):
        shutil.copytree(ROOT / "serving" / "config", tmp_path / "config")
        shutil.copytree(KUBERNETES, tmp_path / "kubernetes")
        with (tmp_path / "config" / file).open("a") as handle:
            handle.write("# changed\n")
        return rendered(tmp_path / "kubernetes" / "overlays" / "local")

    return change


@pytest.mark.parametrize("file", ["batching.config", "ready.sh"])
def test_a_change_of_what_a_pod_lives_by_rolls_the_pods(changed, file):
    assert pods(changed(file), "serving") != pods(overlay("local"), "serving")


def test_a_change_of_the_first_file_of_record_rolls_nothing(changed):
    assert pods(changed("models.config"), "serving") == pods(overlay("local"), "serving")


class Volume:
    """A model volume, and the init container that is run on it as a pod would."""

    def __init__(self, folder):
        self.models, self._first = folder / "models", folder / "first"
        self.models.mkdir()
        self._first.mkdir()
        (self._first / "models.config").write_text("the first\n")
        self.record = self.models / "models.config"

    def start(self, host="pod", path=os.environ["PATH"]):
        """Runs the container's command with the real bash; returns what came of it."""
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


def test_an_empty_volume_gets_the_first_file_of_record(volume):
    assert volume.start().returncode == 0
    assert volume.record.read_text() == "the first\n"
    assert volume.files() == ["models.config"]
    assert (volume.models / "seq2sum").is_dir()  # where the first version is published


def test_a_file_of_record_that_is_there_stays_as_it_is(volume):
    volume.record.write_text("of a rollout\n")
    assert volume.start().returncode == 0
    assert volume.record.read_text() == "of a rollout\n"
    assert volume.files() == ["models.config"]


def test_pods_that_start_at_once_agree_on_one_file(volume):
    with ThreadPoolExecutor(8) as pool:
        done = list(pool.map(volume.start, (f"pod-{number}" for number in range(8))))
    assert [each.returncode for each in done] == [0] * 8
    assert volume.record.read_text() == "the first\n"
    assert volume.files() == ["models.config"]


@pytest.mark.parametrize("there", ["", "of a rollout\n"])
def test_a_volume_without_hard_links_will_do_and_nothing_is_replaced_there_either(
    volume, tmp_path, there
):
    # `ln` fails, and in the meantime another pod has written the file, or has not.
    broken = tmp_path / "bin" / "ln"
    broken.parent.mkdir()
    write = f"printf '{there}' >'{volume.record}'; " if there else ""
    broken.write_text(f"#!/bin/sh\n{write}exit 1\n")
    broken.chmod(0o755)
    done = volume.start(path=f"{broken.parent}:{os.environ['PATH']}")
    assert done.returncode == 0, done.stderr
    assert volume.record.read_text() == there or "the first\n"
    assert volume.files() == ["models.config"]


def test_a_volume_that_takes_no_file_is_told(volume, tmp_path):
    for program in ("ln", "mv"):
        broken = tmp_path / "bin" / program
        broken.parent.mkdir(exist_ok=True)
        broken.write_text("#!/bin/sh\nexit 0\n")
        broken.chmod(0o755)
    done = volume.start(path=f"{broken.parent}:{os.environ['PATH']}")
    assert done.returncode == 1
    assert done.stderr == f"there is no {volume.record} and none can be made\n"
