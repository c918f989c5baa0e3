"""Trials: recipes trained and evaluated by the command, and what came of each."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Collection, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import asdict, dataclass
from pathlib import Path

from seq2sum_training import quiet, recipe
from seq2sum_training.errors import UserError
from seq2sum_training.run import Run

COMMAND = Path(sys.executable).parent / "seq2sum-train"
MOST_SECONDS = 1800
"""A trial that takes longer hangs."""


@dataclass(frozen=True, slots=True)
class Trial:
    """One recipe to train."""

    name: str
    """Its run folder, and what it is called in tables."""
    recipe: str
    """Name of the recipe."""
    settings: tuple[str, ...] = ()
    """Overrides, as `--set` takes them."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a trial."""

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

    def row(self) -> dict[str, object]:
        """Ready for JSON."""
        return asdict(self)


def outcomes(trials: Iterable[Trial], folder: Path, *, jobs: int) -> Iterator[Outcome]:
    """Runs all of them, `jobs` at a time; one that is in the folder already is not run again."""
    folder.mkdir(parents=True, exist_ok=True)
    quiet.import_tensorflow()  # before there are threads: it turns stderr away for a while
    with ThreadPoolExecutor(jobs) as pool:
        waiting = [pool.submit(outcome, trial, folder) for trial in trials]
        for number, done in enumerate(as_completed(waiting), start=1):
            try:
                result = done.result()
            except SystemExit:
                pool.shutdown(cancel_futures=True)
                raise
            print(
                f"{number}/{len(waiting)}  {result.name}: {result.errors:,} errors, "
                f"{result.cpu_seconds:.0f} CPU-seconds",
                file=sys.stderr,
                flush=True,
            )
            yield result


def outcome(trial: Trial, folder: Path) -> Outcome:
    """Trains and evaluates one, as far as this very recipe is not in the folder already.

    A training that ends without a clean check has an outcome too, with its errors.
    """
    path = folder / trial.name
    wanted = recipe.load(trial.recipe, trial.settings)
    found = opened(path)
    if found is None or found.recipe != wanted:
        shutil.rmtree(path, ignore_errors=True)
        settings = [part for setting in trial.settings for part in ("--set", setting)]
        command("fit", trial.recipe, "--out", str(path), *settings, allowed=(0, 1))
    elif not found.is_finished:
        command("resume", str(path), allowed=(0, 1))
    trained = opened(path)
    if trained is None or trained.evaluation() is None:
        command("evaluate", "--allow-errors", str(path))  # ends the program if there is no model
    from seq2sum_training import network

    done = Run.finished(path)
    about, figures = done.about(), done.evaluation()
    assert figures is not None  # the command has just evaluated it
    return Outcome(
        name=trial.name,
        recipe=trial.recipe,
        settings=trial.settings,
        parameters=about["parameters"],
        multiply_adds=network.multiply_adds(wanted),
        cpu_seconds=about["cpu_seconds"],
        steps=about["steps"],
        errors=figures["errors"],
        never_trained_errors=figures["never_trained_errors"],
        questions=figures["questions"],
    )


def opened(path: Path) -> Run | None:
    """Returns the run in this folder; None if it is not a run folder."""
    try:
        return Run.open(path)
    except UserError:
        return None


def write(path: Path, values: object) -> None:
    """Stores `values` as JSON."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(values, indent=1) + "\n")
    print(f"written: {path}", file=sys.stderr)


def command(*line: str, allowed: Collection[int] = (0,)) -> None:
    """Runs `seq2sum-train` with these arguments; ends the program on any other exit code."""
    done = subprocess.run(
        [COMMAND, *line],
        capture_output=True,
        text=True,
        check=False,
        timeout=MOST_SECONDS,
        env=os.environ | {"PYTHONWARNINGS": "ignore"},
    )
    if done.returncode not in allowed:
        sys.exit(f"{' '.join(line)} failed:\n{done.stderr}")
