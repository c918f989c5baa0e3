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

ENUMERATED_DIGITS = 3
"""Up to so many digits the whole problem space is gone through: a million ordered pairs."""

HELD_OUT_OF_MANY = (0.05, 0.9)
"""Shares that leave enough to train on and to evaluate with, where pairs are not enumerated."""
MOST_DIGITS = 18
"""Sums of longer operands do not fit 64 bits."""


class Fresh(Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="fresh"):
    """Training data drawn anew for every batch from the pairs that are not held out."""

    held_out: Share
    """Share of the unordered pairs that is never trained on."""
    chains: Annotated[float, Meta(ge=0, lt=1)] = 0.0
    """Share of the draws in which a carry runs through several places, which is rare otherwise."""


class Fixed(Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="fixed"):
    """A data set drawn once and gone through in epochs, as tutorials do."""

    questions: Positive
    """Distinct unordered pairs in the data set."""
    validation: Share
    """Share of them, at its end, that is held out."""


class Network(Struct, frozen=True, forbid_unknown_fields=True):
    """An encoder whose last state is repeated to a decoder, a step for each answer character."""

    cell: Literal["lstm", "gru", "simple_rnn"]
    """Recurrent layer of encoder and decoder."""
    encoder: Positive
    """Units of the encoder."""
    decoder: Positive
    """Units of the decoder."""


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
    stop_at: Annotated[float, Meta(gt=0, le=1)] | None = None
    """Training ends early once this share of the probe is answered right."""


class Mining(Struct, frozen=True, forbid_unknown_fields=True):
    """Hard examples while `fit` goes on: questions that the network still answers worst."""

    begin: Annotated[int, Meta(ge=0)]
    """Step of the first search for them: before, every question is hard."""
    every: Positive
    """Steps between searches."""
    search: Positive
    """Training questions that a search draws and grades."""
    hardest: Positive
    """Questions that are kept of them: those with the largest loss."""
    share: Share
    """Share of each batch that is drawn from the hardest."""


class Polish(Struct, frozen=True, forbid_unknown_fields=True):
    """Rounds of training on the hardest training pairs, with a check before and after each.

    They start when the steps of `fit` are done and end with the first clean check. Each round
    starts from the best weights that a check has seen in this attempt. If no check of an attempt
    was clean, the next one starts over from other initial weights; after the last one, the run
    keeps the best weights of all and fails.
    """

    rounds: Positive
    """Largest number of rounds; the check before the first one may be clean already."""
    steps: Positive
    """Optimiser steps per round."""
    learning_rate: Rate
    """Peak learning rate of a round, which warms up and falls to 0 as a cosine."""
    hardest: Positive
    """Questions with the largest loss that a check keeps for the next round."""
    share: Share
    """Share of each batch that is drawn from the hardest."""
    largest_loss: Rate
    """A question fails if the cross-entropy of one of its characters is above this, nats.

    Below ln 2 no character can be wrong. How far below leaves room for questions that were
    never trained on.
    """
    attempts: Positive = 1
    """Largest number of times that the steps of `fit` and the rounds of polish are gone through."""
    factor: Annotated[float, Meta(gt=0, le=1)] = 0.5
    """Multiplies the peak of all later rounds after each round without an improvement."""
    check: Positive = 1_000_000
    """Training questions that a check draws and grades, above 3 digits. Up to 3 digits a check
    grades every training pair."""


class Recipe(Struct, frozen=True, forbid_unknown_fields=True):
    """One training run, fully said."""

    seed: Annotated[int, Meta(ge=0, lt=2**31)]
    """Of the weights and of the draws."""
    digits: Annotated[int, Meta(ge=1, le=MOST_DIGITS)]
    """Most digits of an operand; up to 3 the whole problem space can be gone through."""
    layout: Literal["padded", "reversed", "aligned", "paired"]
    """How a question's characters become encoder steps, see `layouts`."""
    answers: Literal["as_read", "reversed"]
    """Order in which the network writes an answer; readers always get it as read."""
    data: Fresh | Fixed
    """What is trained on."""
    network: Network
    """What is trained."""
    fit: Fit
    """How it is trained."""
    mining: Mining | None = None
    """Hard examples on the way."""
    polish: Polish | None = None
    """How the last errors are taken away."""


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
    low, high = HELD_OUT_OF_MANY
    if isinstance(recipe.data, Fixed):
        _check_fixed(recipe, recipe.data, where)
    elif recipe.digits > ENUMERATED_DIGITS and not low <= recipe.data.held_out <= high:
        raise UserError(
            f"{where}: data.held_out must be from {low} to {high} for more than "
            f"{ENUMERATED_DIGITS} digits: the evaluation asks a million pairs never trained on"
        )
    return recipe


def _check_fixed(recipe: Recipe, data: Fixed, where: str) -> None:
    if recipe.digits > ENUMERATED_DIGITS:
        raise UserError(
            f"{where}: data.kind = 'fixed' is for up to {ENUMERATED_DIGITS} digits; use 'fresh'"
        )
    space = 10**recipe.digits
    if data.questions > space * (space + 1) // 2:
        raise UserError(
            f"{where}: data.questions: there are only {space * (space + 1) // 2:,} "
            f"unordered pairs of up to {recipe.digits} digits"
        )


def dump(recipe: Recipe) -> str:
    """The recipe as TOML that `parse` reads back to an equal one."""
    return tomli_w.dumps(_without_none(msgspec.to_builtins(recipe)))


def _without_none(values: dict[str, Any]) -> dict[str, Any]:
    """TOML has no null: an absent key says the same."""
    return {
        key: _without_none(value) if isinstance(value, dict) else value
        for key, value in values.items()
        if value is not None
    }


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
