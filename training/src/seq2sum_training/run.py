"""A run folder: one training run on disk, from its recipe to its evaluation.

recipe.toml       the recipe, overrides applied
run.json          versions of packages, git revision; what it took, once training has finished
history.csv       a row for each block of steps, written as it happens
tensorboard/      the same for TensorBoard
checkpoint.npz    from where a run that was ended goes on
model.keras       the trained Keras model; it is there once training has finished
evaluation.json   the exact figures, once evaluated
wrong.csv         every question that was answered wrongly
report.html       all of it with pictures, to be read in a browser
"""

from __future__ import annotations

import csv
import fcntl
import hashlib
import json
import zipfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from seq2sum_training import recipe as recipes
from seq2sum_training.atomic_file import whole
from seq2sum_training.errors import UserError
from seq2sum_training.recipe import Recipe
from seq2sum_training.run_metadata import PACKAGES

RECIPE, MODEL, HISTORY, EVENTS = "recipe.toml", "model.keras", "history.csv", "tensorboard"
SPENT = ("steps", "wall_seconds", "cpu_seconds", "parameters", "check")
"""What `run.json` says of a run that has finished."""
FIGURES = (
    *("digits", "questions", "errors", "never_trained_questions", "never_trained_errors"),
    *("exact_match", "character_accuracy", "by_lengths", "by_carries", "by_chain", "calibration"),
    *("seconds", "command", "model"),
)
"""What an evaluation holds."""
ABOUT, EVALUATION, WRONG, REPORT = "run.json", "evaluation.json", "wrong.csv", "report.html"


class Run:
    """An existing run folder."""

    def __init__(self, path: Path, recipe: Recipe) -> None:
        self.path = path
        self.recipe = recipe

    @classmethod
    def create(cls, path: Path, recipe: Recipe) -> Run:
        """Makes the folder; a folder that holds something already is left as it is."""
        try:
            path.mkdir(parents=True, exist_ok=True)
            taken = any(path.iterdir())
        except OSError as error:
            raise UserError(f"cannot make the run folder {path}: {error.strerror}") from error
        if taken and (path / RECIPE).is_file() and not (path / MODEL).is_file():
            raise UserError(
                f"{path} holds a run that has not finished: go on with "
                f"`seq2sum-train resume {path}`, or choose another folder with --out"
            )
        if taken:
            raise UserError(f"{path} is not empty: choose another folder with --out")
        with whole(path / RECIPE) as partial:
            partial.write_text(recipes.dump(recipe))
        return cls(path, recipe)

    @classmethod
    def open(cls, path: Path) -> Run:
        """The run in this folder, finished or not.

        Raises:
            UserError: It is none.
        """
        if not (path / RECIPE).is_file():
            raise UserError(
                f"{path} is not a run folder (no {RECIPE}): make one with `seq2sum-train fit`"
            )
        return cls(path, recipes.load(str(path / RECIPE)))

    @classmethod
    def finished(cls, path: Path) -> Run:
        """The trained run in this folder.

        Raises:
            UserError: It is none, or its training has not finished.
        """
        run = cls.open(path)
        if not run.is_finished:
            raise UserError(
                f"{path} has no {MODEL}: its training has not finished; "
                f"go on with `seq2sum-train resume {path}`"
            )
        if run.read(ABOUT).get("recipe") not in (None, run.recipe_digest()):
            raise UserError(
                f"{path / RECIPE} was changed after training: fit it into another folder"
            )
        return run

    @property
    def name(self) -> str:
        """What it is called, even if the path is a dot."""
        return self.path.resolve().name

    @property
    def is_finished(self) -> bool:
        """Whether the trained model is there."""
        return (self.path / MODEL).is_file()

    def model(self) -> Any:
        """The trained Keras model."""
        import keras

        try:
            return keras.models.load_model(self.path / MODEL, compile=False)
        except (OSError, ValueError, KeyError, zipfile.BadZipFile, zlib.error) as error:
            raise UserError(
                f"{self.path / MODEL} is damaged ({type(error).__name__}): fit into another folder"
            ) from error

    def save_model(self, model: Any) -> None:
        """Stores the model whole or not at all."""
        with whole(self.path / MODEL) as partial:
            model.save(partial)

    def recipe_digest(self) -> str:
        """SHA-256 of what the recipe says, however it is written."""
        return hashlib.sha256(recipes.dump(self.recipe).encode()).hexdigest()

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keeps other processes off the run; the system lets go when the process ends, however.

        Raises:
            UserError: Another process is at work in it.
        """
        with (self.path / RECIPE).open() as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                raise UserError(f"another process is at work in {self.path}") from error
            yield

    def model_digest(self) -> str:
        """SHA-256 of the model's file, by which an evaluation knows what it evaluated."""
        return hashlib.sha256((self.path / MODEL).read_bytes()).hexdigest()

    def read(self, name: str) -> dict[str, Any]:
        """What a JSON file of the folder holds; nothing if it is not there.

        Raises:
            UserError: It is no JSON.
        """
        path = self.path / name
        try:
            values = json.loads(path.read_text())
        except FileNotFoundError:
            return {}
        except ValueError as error:
            raise UserError(f"{path} is damaged: {error}") from error
        if not isinstance(values, dict):
            raise UserError(f"{path} is damaged: it holds no table of figures")
        return values

    def about(self) -> dict[str, Any]:
        """What `run.json` holds of a finished run.

        Raises:
            UserError: Something of it is not there.
        """
        values = self.read(ABOUT)
        if missing := [name for name in (*PACKAGES, *SPENT) if name not in values]:
            raise UserError(f"{self.path / ABOUT} lacks {', '.join(missing)}")
        return values

    def evaluation(self) -> dict[str, Any] | None:
        """The exact figures of the model that is there; None if it was not evaluated.

        Figures of another model or of another layout of the file count as none.
        """
        figures = self.read(EVALUATION)
        whole_file = all(name in figures for name in FIGURES)
        current = self.is_finished and whole_file and figures["model"] == self.model_digest()
        return figures if current else None

    def write(self, name: str, values: Mapping[str, Any]) -> None:
        """Stores `values` as JSON, whole or not at all."""
        with whole(self.path / name) as partial:
            partial.write_text(json.dumps(values, indent=2) + "\n")

    def wrong(self) -> list[dict[str, str]]:
        """The rows of wrong.csv; none if it is not there."""
        path = self.path / WRONG
        if not path.is_file():
            return []
        try:
            with path.open(newline="") as file:
                return list(csv.DictReader(file))
        except (ValueError, csv.Error) as error:
            raise UserError(f"{path} is damaged: {error}") from error

    def write_wrong(self, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
        """Stores wrong.csv, whole or not at all."""
        with whole(self.path / WRONG) as partial, partial.open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(columns)
            writer.writerows(rows)
