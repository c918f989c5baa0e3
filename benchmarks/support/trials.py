"""Trials: recipes trained, evaluated and exported by the `seq2sum-train` command."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Collection, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import asdict, dataclass
from pathlib import Path

from seq2sum_training import recipe, tf_import
from seq2sum_training.errors import UserError
from seq2sum_training.run import Run

from benchmarks.support.output import log

COMMAND = Path(sys.executable).parent / "seq2sum-train"
TIMEOUT = 1800
"""Seconds; a command that takes longer hangs."""


@dataclass(frozen=True, slots=True)
class Trial:
    """One recipe to train."""

    name: str
    """Name of the run folder, and of the row in tables."""
    recipe: str
    """Name of the recipe."""
    settings: tuple[str, ...] = ()
    """Overrides, as `--set` takes them."""


@dataclass(frozen=True, slots=True)
class TrialResult:
    """Size, cost and errors of a trained recipe."""

    name: str
    recipe: str
    settings: tuple[str, ...]
    parameters: int
    multiply_adds: int
    cpu_seconds: float
    steps: int
    errors: int
    never_trained_errors: int
    questions: int

    def to_json(self) -> dict[str, object]:
        """Returns the fields as JSON values."""
        return asdict(self)


def run_trials(trials: Iterable[Trial], folder: Path, *, jobs: int = 1) -> Iterator[TrialResult]:
    """Runs trials, `jobs` at a time; reuses finished runs of the same recipe in the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    tf_import.import_tensorflow()  # before threads start: it redirects stderr for a while
    with ThreadPoolExecutor(jobs) as pool:
        pending = [pool.submit(run_trial, trial, folder) for trial in trials]
        for number, done in enumerate(as_completed(pending), start=1):
            try:
                result = done.result()
            except SystemExit:
                pool.shutdown(cancel_futures=True)
                raise
            log(
                f"{number}/{len(pending)}  {result.name}: {result.errors:,} errors, "
                f"{result.cpu_seconds:.0f} CPU-seconds"
            )
            yield result


def train_recipes(names: Iterable[str], runs: Path) -> list[TrialResult]:
    """Trains and evaluates recipes unchanged, in run folders of the same names."""
    return list(run_trials([Trial(name, name) for name in names], runs))


def export_recipes(names: Iterable[str], runs: Path, *, force: bool = False) -> dict[str, Path]:
    """Trains and exports recipes; returns the base path of each by name."""
    train_recipes(names, runs)
    return {name: export(runs / name, runs / "models" / name, force=force) for name in names}


def export(run: Path, base: Path, *, force: bool = False) -> Path:
    """Exports a run unless the base path exists; returns the absolute base path."""
    if not base.is_dir():
        run_command("export", str(run), "--to", str(base), *(["--force"] if force else []))
    return base.resolve()  # a server rejects a relative one


def newest_version(base: Path) -> Path:
    """Returns the folder of the newest version."""
    versions = (child for child in base.iterdir() if child.name.isdigit())
    return max(versions, key=lambda folder: int(folder.name))


def run_trial(trial: Trial, folder: Path) -> TrialResult:
    """Trains and evaluates one trial, or completes it if the folder has the same recipe.

    Training that ends without a clean check has a result too, with its errors.
    """
    path = folder / trial.name
    wanted = recipe.load(trial.recipe, trial.settings)
    found = open_run(path)
    if found is None or found.recipe != wanted:
        shutil.rmtree(path, ignore_errors=True)
        settings = [part for setting in trial.settings for part in ("--set", setting)]
        run_command("fit", trial.recipe, "--out", str(path), *settings, allowed=(0, 1))
    elif not found.is_finished:
        run_command("resume", str(path), allowed=(0, 1))
    trained = open_run(path)
    if trained is None or trained.evaluation() is None:
        run_command("evaluate", "--allow-errors", str(path))  # exits if the model is missing
    from seq2sum_training.model import network

    done = Run.open_finished(path)
    metadata, evaluation = done.metadata(), done.evaluation()
    assert evaluation is not None  # the command has just evaluated it
    return TrialResult(
        name=trial.name,
        recipe=trial.recipe,
        settings=trial.settings,
        parameters=metadata["parameters"],
        multiply_adds=network.multiply_adds(wanted),
        cpu_seconds=metadata["cpu_seconds"],
        steps=metadata["steps"],
        errors=evaluation["errors"],
        never_trained_errors=evaluation["never_trained_errors"],
        questions=evaluation["questions"],
    )


def open_run(path: Path) -> Run | None:
    """Returns the run in this folder, or None if it is not a run folder."""
    try:
        return Run.open(path)
    except UserError:
        return None


def run_command(*arguments: str, allowed: Collection[int] = (0,)) -> None:
    """Runs `seq2sum-train`; exits with its error output if its exit code is not allowed."""
    done = subprocess.run(
        [COMMAND, *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=TIMEOUT,
        env=os.environ | {"PYTHONWARNINGS": "ignore"},
    )
    if done.returncode not in allowed:
        sys.exit(f"seq2sum-train {' '.join(arguments)} failed:\n{done.stderr}")
