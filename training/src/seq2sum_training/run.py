"""The run folder: one training run on disk, from its recipe to its report.

recipe.toml       the recipe, with overrides applied
run.json          package versions and git revision; after training also its duration and check
history.csv       a row for each block of steps, appended during training
tensorboard/      the history as event files for TensorBoard
checkpoint.npz    the state from which an interrupted run resumes
model.keras       the trained Keras model; written last, so it marks a finished run
evaluation.json   the figures of the evaluation
wrong.csv         every question with a wrong answer
report.html       everything above with pictures, for a browser
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
from seq2sum_training.atomic_file import atomic_write
from seq2sum_training.errors import UserError
from seq2sum_training.recipe import Recipe
from seq2sum_training.run_metadata import PACKAGES

RECIPE, MODEL, HISTORY, EVENTS = "recipe.toml", "model.keras", "history.csv", "tensorboard"
RESULTS = ("steps", "wall_seconds", "cpu_seconds", "parameters", "check")
"""Keys that training adds to `run.json` at its end."""
FIGURES = (
    *("digits", "questions", "errors", "never_trained_questions", "never_trained_errors"),
    *("exact_match", "character_accuracy", "by_lengths", "by_carries", "by_chain", "calibration"),
    *("seconds", "command", "model"),
)
"""Keys of `evaluation.json`."""
METADATA, EVALUATION, WRONG_ANSWERS, REPORT = (
    "run.json",
    "evaluation.json",
    "wrong.csv",
    "report.html",
)


class Run:
    """An existing run folder."""

    def __init__(self, path: Path, recipe: Recipe) -> None:
        self.path = path
        self.recipe = recipe

    @classmethod
    def create(cls, path: Path, recipe: Recipe) -> Run:
        """Creates the folder and stores the recipe in it.

        Raises:
            UserError: The folder is not empty, or cannot be created.
        """
        try:
            path.mkdir(parents=True, exist_ok=True)
            taken = any(path.iterdir())
        except OSError as error:
            raise UserError(f"cannot create the run folder {path}: {error.strerror}") from error
        if taken and (path / RECIPE).is_file() and not (path / MODEL).is_file():
            raise UserError(
                f"{path} has an unfinished run: continue it with "
                f"`seq2sum-train resume {path}`, or choose another folder with --out"
            )
        if taken:
            raise UserError(f"{path} is not empty: choose another folder with --out")
        with atomic_write(path / RECIPE) as partial:
            partial.write_text(recipes.dump(recipe))
        return cls(path, recipe)

    @classmethod
    def open(cls, path: Path) -> Run:
        """Opens the run in this folder, finished or not.

        Raises:
            UserError: The folder is not a run folder.
        """
        if not (path / RECIPE).is_file():
            raise UserError(
                f"{path} is not a run folder (no {RECIPE}): create one with `seq2sum-train fit`"
            )
        return cls(path, recipes.load(str(path / RECIPE)))

    @classmethod
    def open_finished(cls, path: Path) -> Run:
        """Opens the finished run in this folder.

        Raises:
            UserError: The folder is not a run folder, or training has not finished, or the recipe
                was changed after training.
        """
        run = cls.open(path)
        if not run.is_finished:
            raise UserError(
                f"{path} has no {MODEL}: its training has not finished; "
                f"continue it with `seq2sum-train resume {path}`"
            )
        if run.read_json(METADATA).get("recipe") not in (None, run.recipe_digest()):
            raise UserError(
                f"{path / RECIPE} was changed after training: train it into another folder"
            )
        return run

    @property
    def name(self) -> str:
        """The name of the folder, even if the path is a dot."""
        return self.path.resolve().name

    @property
    def is_finished(self) -> bool:
        """Whether the trained model exists."""
        return (self.path / MODEL).is_file()

    def model(self) -> Any:
        """Loads the trained Keras model.

        Raises:
            UserError: The file is damaged.
        """
        import keras

        try:
            return keras.models.load_model(self.path / MODEL, compile=False)
        except (OSError, ValueError, KeyError, zipfile.BadZipFile, zlib.error) as error:
            raise UserError(
                f"{self.path / MODEL} is damaged ({type(error).__name__}): "
                f"train into another folder"
            ) from error

    def save_model(self, model: Any) -> None:
        """Stores the model atomically."""
        with atomic_write(self.path / MODEL) as partial:
            model.save(partial)

    def recipe_digest(self) -> str:
        """Returns the SHA-256 of the recipe's values, independent of formatting and comments."""
        return hashlib.sha256(recipes.dump(self.recipe).encode()).hexdigest()

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Locks the run against other processes; the lock ends with the process.

        Raises:
            UserError: Another process has the lock.
        """
        with (self.path / RECIPE).open() as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                raise UserError(f"another process is using {self.path}") from error
            yield

    def model_digest(self) -> str:
        """Returns the SHA-256 of the model's file; an evaluation stores it."""
        return hashlib.sha256((self.path / MODEL).read_bytes()).hexdigest()

    def read_json(self, name: str) -> dict[str, Any]:
        """Reads a JSON file of the folder; returns an empty dict if it does not exist.

        Raises:
            UserError: The file is not a JSON object.
        """
        path = self.path / name
        try:
            values = json.loads(path.read_text())
        except FileNotFoundError:
            return {}
        except ValueError as error:
            raise UserError(f"{path} is damaged: {error}") from error
        if not isinstance(values, dict):
            raise UserError(f"{path} is damaged: expected a JSON object")
        return values

    def metadata(self) -> dict[str, Any]:
        """Returns `run.json` of a finished run.

        Raises:
            UserError: A key is missing.
        """
        values = self.read_json(METADATA)
        if missing := [name for name in (*PACKAGES, *RESULTS) if name not in values]:
            raise UserError(f"{self.path / METADATA} is damaged: {', '.join(missing)} missing")
        return values

    def evaluation(self) -> dict[str, Any] | None:
        """Returns the figures of the evaluation; None if the current model was not evaluated.

        Figures of another model, or with other keys, are ignored.
        """
        figures = self.read_json(EVALUATION)
        complete = all(name in figures for name in FIGURES)
        current = self.is_finished and complete and figures["model"] == self.model_digest()
        return figures if current else None

    def write_json(self, name: str, values: Mapping[str, Any]) -> None:
        """Stores `values` as JSON atomically."""
        with atomic_write(self.path / name) as partial:
            partial.write_text(json.dumps(values, indent=2) + "\n")

    def wrong_answers(self) -> list[dict[str, str]]:
        """Returns the rows of wrong.csv; none if the file does not exist."""
        path = self.path / WRONG_ANSWERS
        if not path.is_file():
            return []
        try:
            with path.open(newline="") as file:
                return list(csv.DictReader(file))
        except (ValueError, csv.Error) as error:
            raise UserError(f"{path} is damaged: {error}") from error

    def write_wrong_answers(self, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
        """Stores wrong.csv atomically."""
        with (
            atomic_write(self.path / WRONG_ANSWERS) as partial,
            partial.open("w", newline="") as file,
        ):
            writer = csv.writer(file)
            writer.writerow(columns)
            writer.writerows(rows)
