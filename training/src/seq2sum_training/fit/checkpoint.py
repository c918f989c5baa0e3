"""Checkpoints: the training state in one file, with the recipe to which it belongs.

A resumed run ends with the same weights as an uninterrupted one.
"""

from __future__ import annotations

import tokenize
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from seq2sum_training import recipe as recipes
from seq2sum_training.atomic_file import atomic_write
from seq2sum_training.errors import UserError
from seq2sum_training.recipe import Recipe

FILE_NAME = "checkpoint.npz"
RECIPE = "recipe"

DAMAGE = (
    *(OSError, ValueError, KeyError, TypeError, EOFError, RuntimeError, NotImplementedError),
    *(zipfile.BadZipFile, zlib.error, tokenize.TokenError),
)
"""Exceptions that reading a damaged archive raises."""

State = Mapping[str, NDArray[Any]]


def save(folder: Path, recipe: Recipe, state: State) -> None:
    """Replaces the folder's checkpoint atomically."""
    arrays: dict[str, Any] = {RECIPE: np.array(recipes.dump(recipe)), **state}
    # An open file, because numpy appends a suffix to some paths.
    with atomic_write(folder / FILE_NAME) as partial, partial.open("wb") as file:
        np.savez(file, **arrays)


def load(folder: Path, recipe: Recipe) -> State | None:
    """Loads the folder's checkpoint; returns None if it does not exist.

    Raises:
        UserError: The checkpoint is damaged, or belongs to another recipe.
    """
    path = folder / FILE_NAME
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            state = dict(arrays)
        text = str(state.pop(RECIPE))
    except FileNotFoundError:
        return None
    except DAMAGE as error:
        raise UserError(
            f"{path} is damaged ({type(error).__name__}): delete it to restart the run"
        ) from error
    stored = recipes.parse(text, where=str(path))
    if stored != recipe:
        raise UserError(
            f"{path} belongs to another recipe: {_difference(stored, recipe)}; "
            "train this recipe in another folder"
        )
    return state


def _difference(stored: Recipe, present: Recipe) -> str:
    before, after = (_flat(msgspec.to_builtins(recipe)) for recipe in (stored, present))
    keys = [key for key in before | after if before.get(key) != after.get(key)]
    return ", ".join(f"{key} was {before.get(key)} and is now {after.get(key)}" for key in keys)


def _flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in values.items():
        inner = _flat(value, f"{prefix}{key}.") if isinstance(value, dict) else None
        flat |= {f"{prefix}{key}": value} if inner is None else inner
    return flat
