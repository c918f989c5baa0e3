"""Runs that are killed, interrupted, or out of disk space resume, and end with equal weights."""

from __future__ import annotations

import csv
import os
import shutil
import signal
import subprocess
import time

import keras
import pytest
from support import commands
from support.paths import BIN
from support.small_recipe import overrides

pytestmark = [pytest.mark.tensorflow, pytest.mark.end_to_end]

SETTINGS = (
    "digits=1",
    "data.held_out=0.1",
    "network.encoder=8",
    "network.decoder=8",
    "fit.steps=750",
    "fit.warm_up=20",
    "mining.begin=400",
    "mining.search=500",
    "mining.hardest=20",
    "polish.rounds=1",
    "polish.attempts=2",
    "polish.steps=500",
    "polish.hardest=20",
    "polish.largest_loss=1e-6",
)
TIMEOUT_SECONDS = 280
"""Limit for one command; on an idle machine some take 20 s."""
FIT = ("seq2sum-train", "fit", "fast", *overrides(*SETTINGS))


@pytest.fixture(scope="module")
def uninterrupted(command, tmp_path_factory):
    """An uninterrupted run."""
    path = tmp_path_factory.mktemp("uninterrupted") / "run"
    return trained(command(*FIT, "--out", path), path)


def trained(done, path):
    """Checks that a command trained to the end; returns its run.

    With SETTINGS no check is clean, so the command exits with 1.
    """
    assert done.returncode == 1, done.stderr
    assert "training ended without a clean check" in done.stderr
    assert (path / "model.keras").is_file()
    return path


@pytest.fixture
def start(tmp_path):
    """Starts a command that writes a checkpoint after each block; waits for `steps` steps."""

    def start(*line, steps):
        process = commands.start(*line, "--checkpoint-every", "0", folder=tmp_path)
        wait_for_steps(process, tmp_path / "run", steps)
        return process

    return start


def wait_for_steps(process, path, steps):
    """Waits until the history reaches a step; fails if the process ends earlier."""
    deadline = time.monotonic() + TIMEOUT_SECONDS
    history = path / "history.csv"
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise AssertionError(f"the process ended early: {process.communicate()}")
        text = history.read_text() if history.is_file() else ""
        rows = text.splitlines()[1:-1]  # the last one may be partial
        if rows and int(rows[-1].split(",")[0]) >= steps and (path / "checkpoint.npz").is_file():
            return
        time.sleep(0.005)
    raise AssertionError("no progress")


def kill(process):
    process.send_signal(signal.SIGKILL)
    process.communicate()


def weights(path):
    return [w.tobytes() for w in keras.models.load_model(path / "model.keras").get_weights()]


def history(path):
    """Returns the rows of the history without measured times."""
    with (path / "history.csv").open() as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        del row["questions_per_second"], row["cpu_seconds"]
    return rows


def test_run_killed_twice_ends_with_the_same_weights(uninterrupted, command, start, tmp_path):
    path = tmp_path / "run"
    first = start(*FIT, "--out", path, steps=300)
    kill(first)
    assert not (path / "model.keras").exists()
    second = start("seq2sum-train", "resume", path, steps=900)
    kill(second)
    trained(command("seq2sum-train", "resume", path), path)
    assert weights(path) == weights(uninterrupted)
    assert history(path) == history(uninterrupted)
    assert not (path / "checkpoint.npz").exists()


def test_run_killed_before_its_first_checkpoint_restarts(uninterrupted, command, tmp_path):
    path = tmp_path / "run"
    path.mkdir()
    shutil.copy(uninterrupted / "recipe.toml", path)
    trained(command("seq2sum-train", "resume", path), path)
    assert weights(path) == weights(uninterrupted)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_run_reports_how_to_continue(start, tmp_path, number):
    path = tmp_path / "run"
    process = start(*FIT, "--out", path, steps=100)
    process.send_signal(number)
    _, stderr = process.communicate(timeout=TIMEOUT_SECONDS)
    assert process.returncode == 130
    last = stderr.strip().splitlines()[-1]
    assert last == f"seq2sum-train: interrupted; continue with: seq2sum-train resume {path}"
    assert "Traceback" not in stderr
    assert (path / "checkpoint.npz").is_file()
    assert not list(path.glob("partial.*"))


def test_resume_of_a_finished_or_missing_run_fails_with_one_line(command, uninterrupted, tmp_path):
    done = command("seq2sum-train", "resume", uninterrupted)
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert "is already finished" in done.stderr
    done = command("seq2sum-train", "resume", tmp_path)
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert "is not a run folder" in done.stderr


def test_fit_refuses_a_folder_with_an_unfinished_run(command, uninterrupted, tmp_path):
    path = tmp_path / "run"
    path.mkdir()
    shutil.copy(uninterrupted / "recipe.toml", path)
    done = command(*FIT, "--out", path)
    assert done.returncode == 1
    assert f"continue it with `seq2sum-train resume {path}`" in done.stderr
    assert [entry.name for entry in path.iterdir()] == ["recipe.toml"]


def test_resume_refuses_a_checkpoint_of_another_recipe(command, start, tmp_path):
    path = tmp_path / "run"
    process = start(*FIT, "--out", path, steps=50)
    kill(process)
    recipe = path / "recipe.toml"
    recipe.write_text(recipe.read_text().replace("batch = 128", "batch = 64"))
    before = (path / "checkpoint.npz").read_bytes()
    done = command("seq2sum-train", "resume", path)
    assert done.returncode == 1
    assert "belongs to another recipe: fit.batch was 128 and is now 64" in done.stderr
    assert (path / "checkpoint.npz").read_bytes() == before


def error_line(stderr, message):
    [line] = [line for line in stderr.splitlines() if line.startswith("seq2sum-train:")]
    assert message in line
    assert "Traceback" not in stderr
    return line


def on_a_small_disk(line, tmp_path, *, kilobytes):
    """Runs a command with a tmpfs at `tmp_path/disk`; its files are copied to `left` at the end.

    The mount is in a separate namespace, which ends with the command.
    """
    disk, left = tmp_path / "disk", tmp_path / "left"
    disk.mkdir()
    left.mkdir()
    script = (
        f'mount -t tmpfs -o size={kilobytes}k none "$0" && "$@"; code=$?; '
        f'cp -r "$0"/. "{left}"; exit $code'
    )
    inside = ["unshare", "--mount", "--map-root-user", "sh", "-c", script, str(disk)]
    command = [str(BIN / line[0]), *map(str, line[1:])]
    done = subprocess.run(
        [*inside, *command], capture_output=True, text=True, check=False, timeout=TIMEOUT_SECONDS
    )
    if "unshare" in done.stderr or "mount:" in done.stderr:
        pytest.skip("cannot mount a tmpfs here; another test limits file sizes instead")
    return done


@pytest.mark.parametrize("seconds", ["0", "10"], ids=["checkpoint", "events or model"])
def test_full_disk_is_reported_and_the_run_can_be_resumed(
    command, uninterrupted, tmp_path, seconds
):
    run = tmp_path / "disk" / "run"
    line = [*FIT, "--out", run, "--checkpoint-every", seconds]
    done = on_a_small_disk(line, tmp_path, kilobytes=64 if seconds == "0" else 40)
    assert done.returncode == 1, done.stderr
    stderr = error_line(done.stderr, "No space left on device")
    assert f"continue with: seq2sum-train resume {run}" in stderr
    left = tmp_path / "left" / "run"
    assert not list(left.glob("partial.*"))
    if seconds == "0":  # with more space it resumes and ends with the same weights
        trained(command("seq2sum-train", "resume", left), left)
        assert weights(left) == weights(uninterrupted)


def test_export_to_a_full_disk_fails_without_a_trace(evaluated, tmp_path):
    line = ["seq2sum-train", "export", evaluated[0], "--to", tmp_path / "disk" / "seq2sum"]
    done = on_a_small_disk(line, tmp_path, kilobytes=40)
    assert done.returncode == 1, done.stderr
    error_line(done.stderr, "cannot write")
    assert "No space left on device" in done.stderr
    assert list((tmp_path / "left").iterdir()) == []


def test_second_process_cannot_use_a_run(command, start, tmp_path):
    path = tmp_path / "run"
    first = start(*FIT, "--out", path, steps=50)
    done = command("seq2sum-train", "resume", path)
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert f"another process is using {path}" in done.stderr
    first.terminate()
    first.communicate(timeout=TIMEOUT_SECONDS)


def test_failed_write_leaves_no_partial_file(tmp_path):
    path = tmp_path / "run"
    # Files of at most 20 kB; without the trap the signal would end the process.
    limited = ("sh", "-c", 'trap "" XFSZ; ulimit -f 40; exec "$@"', "sh")
    line = [*limited, BIN / FIT[0], *FIT[1:], "--out", path]
    done = subprocess.run(
        line, capture_output=True, text=True, check=False, timeout=TIMEOUT_SECONDS
    )
    assert done.returncode == 1
    error_line(done.stderr, "File too large")
    assert not (path / "model.keras").exists()
    assert not list(path.glob("partial.*"))
    assert os.access(path / "recipe.toml", os.R_OK)
