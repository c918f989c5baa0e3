"""fill-models.sh: an empty folder is filled, a full one left alone, and a kill spoils neither."""

from __future__ import annotations

import fcntl
import os
import re
import shlex
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
TRAINER = Path(__file__).parent / "compose_trainer.sh"
SOMEBODY = 4321
"""A user who owns nothing."""


class Machine:
    """A folder of models, and what has been called to fill it."""

    def __init__(self, folder: Path) -> None:
        self.models = folder / "models"
        self.base = self.models / "seq2sum"
        self.record = self.models / "models.config"
        self._calls = folder / "calls"
        self._programs = folder / "programs"
        self.models.mkdir()
        self._programs.mkdir()
        trainer = self._programs / "seq2sum-train"
        shutil.copy(TRAINER, trainer)
        trainer.chmod(0o755)

    def fill(self, script: Path = SCRIPT, user: int | None = None, **variables: str):
        """Runs the script."""
        path = f"{self._programs}:{os.environ['PATH']}"
        own = {"PATH": path, "MODELS": str(self.models), "FIRST": str(FIRST)}
        return subprocess.run(
            ["bash", script],
            capture_output=True,
            text=True,
            check=False,
            env=os.environ | own | {"CALLS": str(self._calls)} | variables,
            start_new_session=True,
            user=user,
        )

    def killed_in(self, verb: str, **variables: str) -> None:
        """Runs the script, and kills it and the trainer in the middle of this verb."""
        assert self.fill(DIES=verb, **variables).returncode == -signal.SIGKILL

    def calls(self) -> list[str]:
        """The trainer's verbs since the last time that this was asked; all are real ones."""
        lines = self._calls.read_text().splitlines() if self._calls.exists() else []
        self._calls.unlink(missing_ok=True)
        for line in lines:
            cli.parser().parse_args(line.split())
        return [line.split()[0] for line in lines]

    def is_full(self) -> bool:
        """Whether there is a version and the first file of record, and nothing else."""
        names = {path.name for path in self.models.iterdir()}
        versions = {path.name for path in self.base.iterdir()}
        whole = self.record.read_text() == FIRST.read_text()
        return names == {"seq2sum", "models.config"} and versions == {"1"} and whole


@pytest.fixture
def machine(tmp_path):
    return Machine(tmp_path)


def test_an_empty_folder_is_filled(machine):
    done = machine.fill()
    assert (done.returncode, done.stderr) == (0, "")
    assert machine.is_full()
    assert machine.calls() == ["fit", "evaluate", "export"]
    assert done.stdout.splitlines()[-1] == (
        f"fill-models: {machine.base} has version 1, and {machine.record} says what is served"
    )


def test_a_full_folder_is_left_alone(machine):
    machine.fill()
    machine.calls()
    machine.record.write_text("what a rollout has written")
    done = machine.fill()
    assert (done.returncode, machine.calls()) == (0, [])
    assert machine.record.read_text() == "what a rollout has written"


@pytest.mark.parametrize(
    ("verb", "then"),
    [
        ("fit", ["resume", "evaluate", "export"]),
        ("evaluate", ["evaluate", "export"]),
        ("export", ["evaluate", "export"]),
    ],
)
def test_after_a_kill_it_goes_on_where_it_was(machine, verb, then):
    machine.killed_in(verb)
    assert not machine.record.exists()
    assert not (machine.base / "1").exists()
    machine.calls()
    assert machine.fill().returncode == 0
    assert machine.calls() == then
    assert machine.is_full()


def test_after_a_kill_before_anything_was_reached_it_begins_anew(machine):
    machine.killed_in("fit", EARLY="yes")
    machine.calls()
    assert machine.fill().returncode == 0
    assert machine.calls() == ["fit", "evaluate", "export"]
    assert machine.is_full()


def test_a_training_that_fails_makes_it_fail_and_is_gone_on_with(machine):
    assert machine.fill(FAILS="fit").returncode == 1
    assert not machine.record.exists()
    machine.calls()
    assert machine.fill().returncode == 0
    assert machine.calls() == ["resume", "evaluate", "export"]


def test_the_recipe_can_be_chosen(machine):
    assert "training fast takes" in machine.fill(RECIPE="fast").stdout


def test_a_version_without_a_file_of_record_gets_the_first_one(machine):
    (machine.base / "1").mkdir(parents=True)
    assert machine.fill().returncode == 0
    assert (machine.calls(), machine.record.read_text()) == ([], FIRST.read_text())
    assert machine.record.stat().st_mode & 0o777 == 0o644


@pytest.mark.parametrize("name", ["+1", " 1", "001"])
def test_a_version_is_found_however_its_directory_is_spelled(machine, name):
    (machine.base / name).mkdir(parents=True)
    told = machine.fill()
    assert told.returncode == 0, told.stderr
    assert "has version 1, and" in told.stdout
    assert machine.record.read_bytes() == FIRST.read_bytes()


def test_a_file_of_record_without_a_version_is_kept(machine):
    machine.record.write_text("what somebody has written")
    assert machine.fill().returncode == 0
    assert machine.calls() == ["fit", "evaluate", "export"]
    assert machine.record.read_text() == "what somebody has written"


def test_where_the_first_version_is_missing_it_says_how_to_serve_another(machine):
    (machine.base / "2").mkdir(parents=True)
    (machine.base / "10").mkdir()
    done = machine.fill()
    assert (done.returncode, machine.calls()) == (1, [])
    assert f"{machine.base} has version 2 10 and not 1" in done.stderr
    told = shlex.split(re.search(r"first: (sed .*)", done.stderr)[1])
    assert told[2:] == ["serving/config/models.config", ">", "models/models.config"]
    shown = subprocess.run([*told[:2], FIRST], capture_output=True, text=True, check=True).stdout
    [config] = text_format.Parse(shown, ModelServerConfig()).model_config_list.config
    assert list(config.model_version_policy.specific.versions) == [10]
    assert dict(config.version_labels) == {"stable": 10, "canary": 10}


def test_two_do_not_fill_one_folder(machine):
    handle = os.open(machine.models, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        done = machine.fill()
    finally:
        os.close(handle)
    assert (done.returncode, machine.calls()) == (1, [])
    assert done.stderr == f"fill-models: another one is filling {machine.models}\n"


def test_without_the_folder_it_says_so(machine):
    machine.models.rmdir()
    done = machine.fill()
    assert (done.returncode, done.stderr) == (
        1,
        f"fill-models: there is no folder {machine.models}\n",
    )


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be somebody else")
def test_a_folder_of_somebody_else_is_told_with_the_way_out():
    """Others may not look into pytest's own folders: this one is made beside them."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        script = Path(shutil.copy(SCRIPT, name))
        machine = Machine(Path(name))
        done = machine.fill(script, user=SOMEBODY)
        assert (done.returncode, machine.calls()) == (1, [])
        assert f"{SOMEBODY}:0 may not write to {machine.models}, which is 0:0's" in done.stderr
        assert "SEQ2SUM_USER=0:0" in done.stderr
        os.chown(machine.models, SOMEBODY, SOMEBODY)
        (machine.base / "1").mkdir(parents=True)
        assert f"may not write to {machine.base}" in machine.fill(script, user=SOMEBODY).stderr
