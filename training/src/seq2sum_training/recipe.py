"""Recipes: everything that makes one training run what it is, as a value.

A recipe is a TOML file. Unknown keys, wrong types and values out of range are errors that
name their place, so that a misspelt key cannot quietly train something else.
"""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
import tomli_w
from msgspec import Meta, Struct

from seq2sum_training.errors import UserError

Positive = Annotated[int, Meta(ge=1)]
Rate = Annotated[float, Meta(gt=0, le=1000)]
Share = Annotated[float, Meta(gt=0, lt=1)]


class Fresh(Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="fresh"):
    """Training data drawn anew for every batch from the pairs that are not held out."""

    held_out: Share
    """Share of the unordered pairs that is never trained on."""


class Fixed(Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="fixed"):
    """A data set drawn once and gone through in epochs, as tutorials do."""

    questions: Positive
    """Distinct unordered pairs in the data set."""
    validation: Share
    """Share of them, at its end, that is held out."""


class Network(Struct, frozen=True, forbid_unknown_fields=True):
    """An encoder whose last state is repeated to a decoder, a step for each answer character."""

    cell: Literal["lstm"]
    """Recurrent layer of encoder and decoder."""
    units: Positive
    """Units of each of the two."""


class Fit(Struct, frozen=True, forbid_unknown_fields=True):
    """How the network is trained."""

    batch: Positive
    """Questions a step."""
    steps: Positive
    """Optimiser steps in all."""
    optimizer: Literal["adam", "muon"]
    """Muon moves matrices between states by orthogonalised steps, and the rest as Adam does."""
    learning_rate: Rate
    """Peak learning rate."""
    schedule: Literal["constant", "cosine"]
    """Cosine falls to 0 at the last step."""
    warm_up: Annotated[int, Meta(ge=0)] = 0
    """Steps of linear rise to the peak, for `cosine`."""
    clip_norm: Rate | None = None
    """Global gradient norm is clipped to this."""
    average: Share | None = None
    """Momentum of an exponential moving average of the weights."""


class Recipe(Struct, frozen=True, forbid_unknown_fields=True):
    """One training run, fully said."""

    seed: Annotated[int, Meta(ge=0, lt=2**31)]
    """Of the weights and of the draws."""
    digits: Annotated[int, Meta(ge=1, le=3)]
    """Most digits of an operand; up to 3 the whole problem space can be gone through."""
    layout: Literal["padded", "reversed", "aligned"]
    """How a question's characters become encoder steps, see `layouts`."""
    answers: Literal["as_read", "reversed"]
    """Order in which the network writes an answer; readers always get it as read."""
    data: Fresh | Fixed
    """What is trained on."""
    network: Network
    """What is trained."""
    fit: Fit
    """How it is trained."""


def names() -> list[str]:
    """The recipes that come with the package."""
    return sorted(
        entry.name.removesuffix(".toml")
        for entry in resources.files(__package__).joinpath("recipes").iterdir()
        if entry.name.endswith(".toml")
    )


def load(name_or_file: str, overrides: Sequence[str] = ()) -> Recipe:
    """A recipe by name or from a file, with `key=value` overrides such as `fit.steps=500`.

    Raises:
        UserError: There is no such recipe, or something in it is wrong.
    """
    if name_or_file in names():
        entry = resources.files(__package__).joinpath("recipes", f"{name_or_file}.toml")
        return parse(entry.read_text(), where=f"recipe {name_or_file}", overrides=overrides)
    try:
        text = Path(name_or_file).read_text(errors="replace")
    except FileNotFoundError:
        known = ", ".join(names())
        raise UserError(f"no recipe {name_or_file!r}: give a file or one of {known}") from None
    except OSError as error:
        raise UserError(f"cannot read recipe {name_or_file!r}: {error.strerror}") from error
    return parse(text, where=name_or_file, overrides=overrides)


def parse(text: str, *, where: str, overrides: Sequence[str] = ()) -> Recipe:
    """A recipe from TOML text; `where` names it in errors."""
    try:
        values = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise UserError(f"{where} is not TOML: {error}") from error
    for override in overrides:
        _apply(values, override)
    try:
        recipe = msgspec.convert(values, Recipe)
    except msgspec.ValidationError as error:
        raise UserError(f"{where}: {_plain(error)}") from error
    if recipe.fit.warm_up >= recipe.fit.steps:
        raise UserError(f"{where}: fit.warm_up must be less than fit.steps ({recipe.fit.steps})")
    if recipe.fit.warm_up and recipe.fit.schedule == "constant":
        raise UserError(f"{where}: fit.warm_up needs fit.schedule = 'cosine'")
    space = 10**recipe.digits
    if isinstance(recipe.data, Fixed) and recipe.data.questions > space * (space + 1) // 2:
        raise UserError(
            f"{where}: data.questions: there are only {space * (space + 1) // 2:,} "
            f"unordered pairs of up to {recipe.digits} digits"
        )
    return recipe


def dump(recipe: Recipe) -> str:
    """The recipe as TOML that `parse` reads back to an equal one."""
    values: dict[str, Any] = msgspec.to_builtins(recipe)
    for section in values.values():
        if isinstance(section, dict):  # TOML has no null: an absent key says the same
            for key in [key for key, value in section.items() if value is None]:
                del section[key]
    return tomli_w.dumps(values)


def _apply(values: dict[str, Any], override: str) -> None:
    path, equals, text = override.partition("=")
    if not equals or not path:
        raise UserError(f"--set {override}: write key=value, for example fit.steps=500")
    try:
        value = tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        value = text  # a bare word is a string: layout=aligned
    *sections, key = path.split(".")
    table = values
    for section in sections:
        table = table.setdefault(section, {})
        if not isinstance(table, dict):
            raise UserError(f"--set {override}: {section} is a value and has no keys")
    table[key] = value


def _plain(error: msgspec.ValidationError) -> str:
    """The message of msgspec with the place first, without its notation: `fit.steps: …`."""
    message, _, path = str(error).partition(" - at `$")
    place = path.strip("`").lstrip(".")
    text = message.replace("Object contains", "there is an")
    return f"{place}: {text}" if place else text
