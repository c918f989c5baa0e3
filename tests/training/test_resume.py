"""A run that was ended, by whatever, goes on and comes to the same end."""

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
LONGEST = 280
"""Seconds that a command may take; some take twenty where nothing else runs."""
FIT = ("seq2sum-train", "fit", "fast", *overrides(*SETTINGS))


@pytest.fixture(scope="module")
def unbroken(command, tmp_path_factory):
    """A run that nobody ended."""
    path = tmp_path_factory.mktemp("unbroken") / "run"
    return trained(command(*FIT, "--out", path), path)


def trained(done, path):
    """The run of a command that trained to the end: no check of these settings is clean."""
    assert done.returncode == 1, done.stderr
    assert "training ended without a clean check" in done.stderr
    assert (path / "model.keras").is_file()
    return path


@pytest.fixture
def start(tmp_path):
    """Starts a command."""

    def start(*line):
        return commands.start(*line, folder=tmp_path)

    return start


def wait_for_steps(process, path, steps):
    """Waits until the history has come so far; the process must still be at it."""
    deadline = time.monotonic() + LONGEST
    history = path / "history.csv"
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise AssertionError(f"it ended too early: {process.communicate()}")
        text = history.read_text() if history.is_file() else ""
        rows = text.splitlines()[1:-1]  # the last one may be half written
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
    """Its rows, without what a clock measured."""
    with (path / "history.csv").open() as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        del row["questions_per_second"], row["cpu_seconds"]
    return rows


def test_killed_twice_it_ends_in_the_same_weights(unbroken, command, start, tmp_path):
    path = tmp_path / "run"
    often = ("--checkpoint-every", "0")
    first = start(*FIT, "--out", path, *often)
    wait_for_steps(first, path, 300)
    kill(first)
    assert not (path / "model.keras").exists()
    second = start("seq2sum-train", "resume", path, *often)
    wait_for_steps(second, path, 900)
    kill(second)
    trained(command("seq2sum-train", "resume", path), path)
    assert weights(path) == weights(unbroken)
    assert history(path) == history(unbroken)
    assert not (path / "checkpoint.npz").exists()


def test_killed_before_its_first_checkpoint_it_begins_anew(unbroken, command, tmp_path):
    path = tmp_path / "run"
    path.mkdir()
    shutil.copy(unbroken / "recipe.toml", path)
    trained(command("seq2sum-train", "resume", path), path)
    assert weights(path) == weights(unbroken)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_it_says_how_to_go_on(start, tmp_path, number):
    path = tmp_path / "run"
    process = start(*FIT, "--out", path, "--checkpoint-every", "0")
    wait_for_steps(process, path, 100)
    process.send_signal(number)
    _, told = process.communicate(timeout=LONGEST)
    assert process.returncode == 130
    last = told.strip().splitlines()[-1]
    assert last == f"seq2sum-train: interrupted; go on with: seq2sum-train resume {path}"
    assert "Traceback" not in told
    assert (path / "checkpoint.npz").is_file()
    assert not list(path.glob("partial.*"))


def test_what_cannot_be_resumed_is_told_in_one_line(command, unbroken, tmp_path):
    done = command("seq2sum-train", "resume", unbroken)
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert "is finished already" in done.stderr
    done = command("seq2sum-train", "resume", tmp_path)
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert "is not a run folder" in done.stderr


def test_a_folder_with_an_unfinished_run_is_not_begun_anew(command, unbroken, tmp_path):
    path = tmp_path / "run"
    path.mkdir()
    shutil.copy(unbroken / "recipe.toml", path)
    done = command(*FIT, "--out", path)
    assert done.returncode == 1
    assert f"go on with `seq2sum-train resume {path}`" in done.stderr
    assert [entry.name for entry in path.iterdir()] == ["recipe.toml"]


def test_a_checkpoint_of_another_recipe_is_refused(command, start, tmp_path):
    path = tmp_path / "run"
    process = start(*FIT, "--out", path, "--checkpoint-every", "0")
    wait_for_steps(process, path, 50)
    kill(process)
    recipe = path / "recipe.toml"
    recipe.write_text(recipe.read_text().replace("batch = 128", "batch = 64"))
    before = (path / "checkpoint.npz").read_bytes()
    done = command("seq2sum-train", "resume", path)
    assert done.returncode == 1
    assert "belongs to another recipe: fit.batch was 128 and is 64" in done.stderr
    assert (path / "checkpoint.npz").read_bytes() == before


def one_line_of(told, said):
    [line] = [line for line in told.splitlines() if line.startswith("seq2sum-train:")]
    assert said in line
    assert "Traceback" not in told
    return line


def on_a_small_disk(line, tmp_path, *, kilobytes):
    """Runs a command with a tmpfs at `tmp_path/disk`; what is on it at the end goes to `left`.

    The mount lives in a namespace of the command's own and ends with it.
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
        [*inside, *command], capture_output=True, text=True, check=False, timeout=LONGEST
    )
    if "unshare" in done.stderr or "mount:" in done.stderr:
        pytest.skip("this kernel lets nobody mount a tmpfs; the limit on file sizes stands in")
    return done


@pytest.mark.parametrize("seconds", ["0", "10"], ids=["checkpoint", "events or model"])
def test_a_full_disk_is_told_and_what_was_there_stays_whole(command, unbroken, tmp_path, seconds):
    run = tmp_path / "disk" / "run"
    line = [*FIT, "--out", run, "--checkpoint-every", seconds]
    done = on_a_small_disk(line, tmp_path, kilobytes=64 if seconds == "0" else 40)
    assert done.returncode == 1, done.stderr
    told = one_line_of(done.stderr, "No space left on device")
    assert f"go on with: seq2sum-train resume {run}" in told
    left = tmp_path / "left" / "run"
    assert not list(left.glob("partial.*"))
    if seconds == "0":  # with more room it goes on, and comes to the same end
        trained(command("seq2sum-train", "resume", left), left)
        assert weights(left) == weights(unbroken)


def test_an_export_to_a_full_disk_is_told_and_leaves_nothing(evaluated, tmp_path):
    line = ["seq2sum-train", "export", evaluated[0], "--to", tmp_path / "disk" / "seq2sum"]
    done = on_a_small_disk(line, tmp_path, kilobytes=40)
    assert done.returncode == 1, done.stderr
    one_line_of(done.stderr, "cannot write")
    assert "No space left on device" in done.stderr
    assert list((tmp_path / "left").iterdir()) == []


def test_two_processes_are_kept_off_one_run(command, start, tmp_path):
    path = tmp_path / "run"
    first = start(*FIT, "--out", path, "--checkpoint-every", "0")
    wait_for_steps(first, path, 50)
    done = command("seq2sum-train", "resume", path)
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert f"another process is at work in {path}" in done.stderr
    first.terminate()
    first.communicate(timeout=LONGEST)


def test_a_file_that_cannot_be_written_whole_is_not_there(tmp_path):
    path = tmp_path / "run"
    # Files of at most 20 kB; without the trap the process would be ended by the signal.
    limited = ("sh", "-c", 'trap "" XFSZ; ulimit -f 40; exec "$@"', "sh")
    line = [*limited, BIN / FIT[0], *FIT[1:], "--out", path]
    done = subprocess.run(line, capture_output=True, text=True, check=False, timeout=LONGEST)
    assert done.returncode == 1
    one_line_of(done.stderr, "File too large")
    assert not (path / "model.keras").exists()
    assert not list(path.glob("partial.*"))
    assert os.access(path / "recipe.toml", os.R_OK)
