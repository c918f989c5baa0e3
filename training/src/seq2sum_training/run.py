"""A run folder: one training run on disk, from its recipe to its evaluation.

recipe.toml       the recipe, overrides applied
history.csv       a row for each block of steps, written as it happens
model.keras       the trained Keras model; it is there once training has finished
run.json          seconds, versions of packages, git revision
evaluation.json   the exact figures, once evaluated
wrong.csv         every question that was answered wrongly
"""

from __future__ import annotations

import csv
import json
import os
import zipfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from seq2sum_training import history
from seq2sum_training import recipe as recipes
from seq2sum_training.errors import UserError
from seq2sum_training.history import Progress
from seq2sum_training.recipe import Recipe

RECIPE, MODEL, HISTORY = "recipe.toml", "model.keras", "history.csv"


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
            if any(path.iterdir()):
                raise UserError(f"{path} is not empty: choose another folder with --out")
            (path / RECIPE).write_text(recipes.dump(recipe))
        except OSError as error:
            raise UserError(f"cannot make the run folder {path}: {error.strerror}") from error
        return cls(path, recipe)

    @classmethod
    def open(cls, path: Path) -> Run:
        """The run in this folder.

        Raises:
            UserError: It is none, or its training has not finished.
        """
        if not (path / RECIPE).is_file():
            raise UserError(
                f"{path} is not a run folder (no {RECIPE}): make one with `seq2sum-train fit`"
            )
        recipe = recipes.load(str(path / RECIPE))
        if not (path / MODEL).is_file():
            raise UserError(
                f"{path} has no {MODEL}: its training has not finished; fit into another folder"
            )
        return cls(path, recipe)

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
        with self._whole(MODEL) as partial:
            model.save(partial)

    def add_history(self, progress: Progress) -> None:
        """Appends a row to the history."""
        history.append(self.path / HISTORY, progress)

    def write_json(self, name: str, values: Mapping[str, Any]) -> None:
        """Stores `values` as `<name>.json`, whole or not at all."""
        with self._whole(f"{name}.json") as partial:
            partial.write_text(json.dumps(values, indent=2) + "\n")

    def write_table(self, name: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
        """Stores `<name>.csv`, whole or not at all."""
        with self._whole(f"{name}.csv") as partial, partial.open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(columns)
            writer.writerows(rows)

    @contextmanager
    def _whole(self, name: str) -> Iterator[Path]:
        """A path to write to, which becomes the file `name` when the block ends without an error.

        It keeps the ending: Keras tells the format of a model by it.
        """
        partial = self.path / f"partial.{name}"
        yield partial
        os.replace(partial, self.path / name)
