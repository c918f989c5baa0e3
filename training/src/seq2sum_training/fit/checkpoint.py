"""Checkpoints: a run's state on disk, from which it goes on to the same weights.

One file, replaced as a whole, with the recipe that it belongs to.
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
from seq2sum_training.atomic_file import whole
from seq2sum_training.errors import UserError
from seq2sum_training.recipe import Recipe

FILE_NAME = "checkpoint.npz"
RECIPE = "recipe"

DAMAGE = (
    *(OSError, ValueError, KeyError, TypeError, EOFError, RuntimeError, NotImplementedError),
    *(zipfile.BadZipFile, zlib.error, tokenize.TokenError),
)
"""What reading an archive with broken bytes in it can raise."""

State = Mapping[str, NDArray[Any]]


def save(folder: Path, recipe: Recipe, state: State) -> None:
    """Replaces the folder's checkpoint."""
    arrays: dict[str, Any] = {RECIPE: np.array(recipes.dump(recipe)), **state}
    # An open file: given a path, numpy adds an ending of its own to some.
    with whole(folder / FILE_NAME) as partial, partial.open("wb") as file:
        np.savez(file, **arrays)


def load(folder: Path, recipe: Recipe) -> State | None:
    """The folder's checkpoint, or None if there is none.

    Raises:
        UserError: It is damaged, or belongs to another recipe.
    """
    path = folder / FILE_NAME
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as stored:
            state = dict(stored)
        text = str(state.pop(RECIPE))
    except FileNotFoundError:
        return None
    except DAMAGE as error:
        raise UserError(
            f"{path} is damaged ({type(error).__name__}): delete it to begin this run anew"
        ) from error
    known = recipes.parse(text, where=str(path))
    if known != recipe:
        raise UserError(
            f"{path} belongs to another recipe: {_difference(known, recipe)}; "
            f"fit the recipe of now into another folder"
        )
    return state


def _difference(then: Recipe, now: Recipe) -> str:
    before, after = (_flat(msgspec.to_builtins(recipe)) for recipe in (then, now))
    keys = [key for key in before | after if before.get(key) != after.get(key)]
    return ", ".join(f"{key} was {before.get(key)} and is {after.get(key)}" for key in keys)


def _flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in values.items():
        inner = _flat(value, f"{prefix}{key}.") if isinstance(value, dict) else None
        flat |= {f"{prefix}{key}": value} if inner is None else inner
    return flat
