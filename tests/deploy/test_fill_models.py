"""fill-models.sh: fills an empty folder, keeps an existing one, and survives being killed."""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path

import pytest
from google.protobuf import text_format
from seq2sum.protocol.model_server_config_pb2 import ModelServerConfig
from seq2sum_training import cli
from support.paths import ROOT

SCRIPT = ROOT / "serving" / "docker" / "fill-models.sh"
FIRST = ROOT / "serving" / "config" / "models.config"
"""Tests use a copy that all users can read; in a clone made with `umask 077`, they cannot."""
TRAINER = Path(__file__).parent / "compose_trainer.sh"
OTHER_USER = 4321
"""ID of a user who owns no files."""


class Machine:
    """A models folder, and a fake `seq2sum-train` that fills it."""

    def __init__(self, folder: Path) -> None:
        self.models = folder / "models"
        self.base = self.models / "seq2sum"
        """The base path of the default model."""
        self.config = self.models / "models.config"
        self.candidate = self.models / "candidate.config"
        self._calls = folder / "calls"
        self._programs = folder / "programs"
        self.first = folder / "config" / FIRST.name
        """The initial model config file."""
        shutil.copytree(FIRST.parent, self.first.parent)
        for path in [self.first.parent, *self.first.parent.iterdir()]:
            path.chmod(0o755)
        self.models.mkdir()
        self.models.chmod(0o755)
        self._programs.mkdir()
        trainer = self._programs / "seq2sum-train"
        shutil.copy(TRAINER, trainer)
        trainer.chmod(0o755)

    def fill(self, script: Path = SCRIPT, user: int | None = None, **variables: str):
        """Runs the script."""
        path = f"{self._programs}:{os.environ['PATH']}"
        own = {"PATH": path, "MODELS": str(self.models), "FIRST": str(self.first)}
        return subprocess.run(
            ["bash", script],
            capture_output=True,
            text=True,
            check=False,
            env=os.environ | own | {"CALLS": str(self._calls)} | variables,
            start_new_session=True,
            user=user,
        )

    def fill_killed_during(self, subcommand: str, **variables: str) -> None:
        """Runs the script, and kills it and the trainer during a subcommand."""
        assert self.fill(DIES=subcommand, **variables).returncode == -signal.SIGKILL

    def calls(self) -> list[str]:
        """Returns the trainer's subcommands since the last call; checks their command lines."""
        lines = self._calls.read_text().splitlines() if self._calls.exists() else []
        self._calls.unlink(missing_ok=True)
        for line in lines:
            cli.parser().parse_args(line.split())
        return [line.split()[0] for line in lines]

    def is_full(self) -> bool:
        """Returns whether it has version 1, both initial model config files, and nothing else."""
        names = {path.name for path in self.models.iterdir()}
        versions = {path.name for path in self.base.iterdir()}
        files = {self.config.read_text(), self.candidate.read_text()}
        expected = {"seq2sum", "models.config", "candidate.config"}
        return names == expected and versions == {"1"} and files == {FIRST.read_text()}


@pytest.fixture
def machine(tmp_path):
    return Machine(tmp_path)


def test_an_empty_folder_is_filled(machine):
    done = machine.fill()
    assert (done.returncode, done.stderr) == (0, "")
    assert machine.is_full()
    assert machine.calls() == ["fit", "evaluate", "export"]
    assert done.stdout.splitlines()[-1] == (
        f"fill-models: {machine.base} has version 1; the model config file is {machine.config}"
    )


def test_a_full_folder_is_kept(machine):
    machine.fill()
    machine.calls()
    machine.config.write_text("written by a rollout")
    machine.candidate.write_text("also")
    done = machine.fill()
    assert (done.returncode, machine.calls()) == (0, [])
    assert machine.config.read_text() == "written by a rollout"
    assert machine.candidate.read_text() == "also"


def test_a_folder_of_an_earlier_release_gets_the_file_of_the_candidate_group(machine):
    machine.fill()
    machine.calls()
    machine.config.write_text("written by a rollout")
    machine.candidate.unlink()
    assert machine.fill().returncode == 0
    assert machine.calls() == []
    assert machine.candidate.read_text() == "written by a rollout"
    assert machine.candidate.stat().st_mode & 0o777 == 0o644


@pytest.mark.parametrize(
    ("subcommand", "then"),
    [
        ("fit", ["resume", "evaluate", "export"]),
        ("evaluate", ["evaluate", "export"]),
        ("export", ["evaluate", "export"]),
    ],
)
def test_a_killed_run_is_continued(machine, subcommand, then):
    machine.fill_killed_during(subcommand)
    assert not machine.config.exists()
    assert not (machine.base / "1").exists()
    machine.calls()
    assert machine.fill().returncode == 0
    assert machine.calls() == then
    assert machine.is_full()


def test_a_run_killed_before_its_first_output_starts_over(machine):
    machine.fill_killed_during("fit", EARLY="yes")
    machine.calls()
    assert machine.fill().returncode == 0
    assert machine.calls() == ["fit", "evaluate", "export"]
    assert machine.is_full()


def test_a_failed_training_is_continued(machine):
    assert machine.fill(FAILS="fit").returncode == 1
    assert not machine.config.exists()
    machine.calls()
    assert machine.fill().returncode == 0
    assert machine.calls() == ["resume", "evaluate", "export"]


def test_the_recipe_is_configurable(machine):
    assert "training fast takes" in machine.fill(RECIPE="fast").stdout


def test_an_existing_version_gets_the_initial_model_config_file(machine):
    (machine.base / "1").mkdir(parents=True)
    assert machine.fill().returncode == 0
    assert (machine.calls(), machine.config.read_text()) == ([], FIRST.read_text())
    assert machine.config.stat().st_mode & 0o777 == 0o644


@pytest.mark.parametrize("name", ["+1", " 1", "001"])
def test_a_version_is_found_by_any_spelling_of_its_directory(machine, name):
    (machine.base / name).mkdir(parents=True)
    done = machine.fill()
    assert done.returncode == 0, done.stderr
    assert "has version 1; the model config file is" in done.stdout
    assert machine.config.read_bytes() == FIRST.read_bytes()


def test_an_existing_model_config_file_is_kept(machine):
    machine.config.write_text("written by hand")
    assert machine.fill().returncode == 0
    assert machine.calls() == ["fit", "evaluate", "export"]
    assert machine.config.read_text() == "written by hand"


def entry(machine, model):
    """Returns the versions and labels of the only model in the created model config file."""
    [config] = text_format.Parse(
        machine.config.read_text(), ModelServerConfig()
    ).model_config_list.config
    assert (config.name, config.base_path) == (model, f"/models/{model}")
    return list(config.model_version_policy.specific.versions), dict(config.version_labels)


def test_labels_of_the_created_file_are_on_the_newest_version(machine):
    (machine.base / "2").mkdir(parents=True)
    (machine.base / "10").mkdir()
    done = machine.fill()
    assert (done.returncode, done.stderr, machine.calls()) == (0, "", [])
    assert entry(machine, "seq2sum") == ([10], {"stable": 10, "canary": 10})


@pytest.mark.parametrize("version", [1, 7])
def test_another_model_gets_a_model_config_file_and_is_not_trained(machine, version):
    (machine.models / "sentiment" / str(version)).mkdir(parents=True)
    done = machine.fill(MODEL="sentiment")
    assert (done.returncode, done.stderr, machine.calls()) == (0, "", [])
    assert entry(machine, "sentiment") == ([version], {"stable": version, "canary": version})
    assert not machine.base.exists()
    comments = [line for line in machine.config.read_text().splitlines() if line.startswith("#")]
    assert comments == [line for line in FIRST.read_text().splitlines() if line.startswith("#")]


def test_another_model_without_a_version_is_an_error_with_instructions(machine):
    done = machine.fill(MODEL="sentiment")
    assert (done.returncode, done.stdout, machine.calls()) == (1, "", [])
    assert done.stderr == (
        f"fill-models: {machine.models}/sentiment has no version: put a SavedModel (saved_model.pb "
        "and variables/) into models/sentiment/1, then start again\n"
    )
    assert list(machine.models.iterdir()) == []


def test_model_that_an_existing_file_does_not_list_is_noted(machine):
    machine.fill()
    (machine.models / "sentiment" / "1").mkdir(parents=True)
    before = machine.config.read_text()
    done = machine.fill(MODEL="sentiment")
    assert (done.returncode, machine.config.read_text()) == (0, before)
    assert done.stderr.startswith(f"fill-models: note: {machine.config} does not list sentiment: ")


@pytest.mark.parametrize("model", ["a/b", "..|x", 'a"b', "a b"])
def test_invalid_model_name_is_an_error(machine, model):
    done = machine.fill(MODEL=model)
    assert (done.returncode, machine.calls()) == (1, [])
    assert done.stderr.startswith(f"fill-models: invalid MODEL '{model}': expected a name of ")


def test_a_folder_is_filled_by_one_process_only(machine):
    handle = os.open(machine.models, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        done = machine.fill()
    finally:
        os.close(handle)
    assert (done.returncode, machine.calls()) == (1, [])
    assert done.stderr == f"fill-models: another process is filling {machine.models}\n"


def test_a_missing_folder_is_an_error(machine):
    machine.models.rmdir()
    done = machine.fill()
    assert (done.returncode, done.stderr) == (
        1,
        f"fill-models: cannot find the folder {machine.models}\n",
    )


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can run it as another user")
def test_a_folder_of_another_user_is_an_error_with_both_solutions():
    """Uses a folder outside of pytest's, which other users cannot read."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        script = Path(shutil.copy(SCRIPT, name))
        machine = Machine(Path(name))
        done = machine.fill(script, user=OTHER_USER)
        assert (done.returncode, machine.calls()) == (1, [])
        assert (
            f"user {OTHER_USER}:0 cannot write to {machine.models}, which belongs to 0:0"
            in done.stderr
        )
        assert "SEQ2SUM_USER=0:0" in done.stderr
        os.chown(machine.models, OTHER_USER, OTHER_USER)
        (machine.base / "1").mkdir(parents=True)
        assert f"cannot write to {machine.base}" in machine.fill(script, user=OTHER_USER).stderr


@pytest.mark.parametrize("path", ["models", "config", "config/models.config", "config/ready.sh"])
def test_path_that_only_the_owner_can_read_is_an_error_with_the_solution(machine, path):
    """Servers run as another user, and would report PERMISSION_DENIED forever."""
    private = machine.models.parent / path
    private.chmod(0o700)
    done = machine.fill()
    assert (done.returncode, done.stdout, machine.calls()) == (1, "", [])
    assert done.stderr == (
        f"fill-models: servers run as another user and cannot read {private}: "
        "run on the host: chmod -R go+rX models serving\n"
    )


def test_an_unreadable_folder_of_versions_is_an_error_and_an_unreadable_version_a_note(machine):
    machine.fill()
    version = machine.base / "1"
    version.chmod(0o700)
    done = machine.fill()
    assert (done.returncode, machine.calls()) == (0, ["fit", "evaluate", "export"])
    assert f"note: servers run as another user and cannot read {version}: run" in done.stderr
    machine.base.chmod(0o700)
    done = machine.fill()
    assert (done.returncode, done.stdout) == (1, "")
    assert f"cannot read {machine.base}: run on the host" in done.stderr
