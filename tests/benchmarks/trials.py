"""Trials: recipes trained and evaluated by the command, and what came of each."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import asdict, dataclass
from pathlib import Path

from seq2sum_training import quiet, recipe
from seq2sum_training.errors import UserError
from seq2sum_training.recipe import Recipe
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
    """Trains and evaluates one, unless this very recipe is in the folder already."""
    path = folder / trial.name
    wanted = recipe.load(trial.recipe, trial.settings)
    if not is_done(path, wanted):
        shutil.rmtree(path, ignore_errors=True)
        settings = [part for setting in trial.settings for part in ("--set", setting)]
        command("fit", trial.recipe, "--out", str(path), *settings)
        command("evaluate", str(path))
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


def is_done(path: Path, wanted: Recipe) -> bool:
    """Whether this very recipe was trained and evaluated in this folder."""
    try:
        found = Run.finished(path)
        return found.recipe == wanted and found.evaluation() is not None
    except UserError:
        return False


def write(path: Path, values: object) -> None:
    """Stores `values` as JSON."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(values, indent=1) + "\n")
    print(f"written: {path}", file=sys.stderr)


def command(*line: str) -> None:
    """Runs `seq2sum-train` with these arguments; ends the program if that fails."""
    done = subprocess.run(
        [COMMAND, *line],
        capture_output=True,
        text=True,
        check=False,
        timeout=MOST_SECONDS,
        env=os.environ | {"PYTHONWARNINGS": "ignore"},
    )
    if done.returncode != 0:
        sys.exit(f"{' '.join(line)} failed:\n{done.stderr}")
