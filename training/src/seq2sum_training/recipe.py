"""Recipes: TOML files that define a training run completely.

Unknown keys, wrong types and values out of range are errors that name the key, so that a
misspelt key cannot silently train something else.
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

MAX_ENUMERATED_DIGITS = 3
"""Most digits for which every question is enumerated: 1,000,000 ordered pairs."""

HELD_OUT_RANGE = (0.05, 0.9)
"""Held-out shares that leave enough pairs on both sides where pairs are not enumerated."""
MAX_DIGITS = 18
"""Sums of longer operands do not fit 64 bits."""


class Fresh(Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="fresh"):
    """Training pairs drawn at random for every batch, from those that are not held out."""

    held_out: Share
    """Share of the unordered pairs that are never trained on."""
    chains: Annotated[float, Meta(ge=0, lt=1)] = 0.0
    """Share of the draws with a carry chain, see `carries`; long ones are rare otherwise."""


class Fixed(Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="fixed"):
    """A data set that is drawn once and iterated in epochs, as in the tutorial."""

    questions: Positive
    """Distinct unordered pairs in the data set."""
    validation: Share
    """Share at the end of the data set that is held out."""


class Network(Struct, frozen=True, forbid_unknown_fields=True):
    """An encoder, and a decoder that reads the encoder's last output at every step."""

    cell: Literal["lstm", "gru", "simple_rnn"]
    """Recurrent layer of the encoder and the decoder."""
    encoder: Positive
    """Units of the encoder."""
    decoder: Positive
    """Units of the decoder."""


class Fit(Struct, frozen=True, forbid_unknown_fields=True):
    """Optimizer settings of the main part of training."""

    batch: Positive
    """Questions per step."""
    steps: Positive
    """Optimizer steps."""
    optimizer: Literal["adam", "muon"]
    """`muon` trains the matrices that map states to states with Muon, and the others with Adam."""
    learning_rate: Rate
    """Peak learning rate."""
    schedule: Literal["constant", "cosine"]
    """`cosine` decays to 0 at the last step."""
    warm_up: Annotated[int, Meta(ge=0)] = 0
    """Steps of linear warm-up to the peak, for `cosine`."""
    clip_norm: Rate | None = None
    """Limit of the global gradient norm."""
    average: Share | None = None
    """Momentum of an exponential moving average of the weights."""
    stop_at: Annotated[float, Meta(gt=0, le=1)] | None = None
    """Training ends early when its exact match on the probe (training questions) reaches this."""


class Mining(Struct, frozen=True, forbid_unknown_fields=True):
    """Hard-example mining during `fit`."""

    begin: Annotated[int, Meta(ge=0)]
    """Step of the first search; before, nearly every question is hard, and none is repeated."""
    every: Positive
    """Steps between searches."""
    search: Positive
    """Training questions that a search draws and grades."""
    hardest: Positive
    """Questions that a search keeps: those with the largest loss."""
    share: Share
    """Share of each batch that is drawn from the hard examples."""


class Polish(Struct, frozen=True, forbid_unknown_fields=True):
    """Rounds of training on the hardest training pairs, with a check before and after each.

    They follow the steps of `fit` and end with the first clean check. Each round starts from the
    best weights that a check of this attempt has found. If no check of an attempt is clean, the
    next attempt starts from other initial weights; after the last one, the run keeps the best
    weights of all attempts and fails.
    """

    rounds: Positive
    """Most rounds; none is needed if the check before the first one is clean."""
    steps: Positive
    """Optimizer steps per round."""
    learning_rate: Rate
    """Peak learning rate of a round, which has a warm-up and a cosine decay to 0."""
    hardest: Positive
    """Questions with the largest loss that a check keeps for the next round."""
    share: Share
    """Share of each batch that is drawn from these questions."""
    largest_loss: Rate
    """A question fails if the cross-entropy of one of its characters is above this, in nats.

    Below ln 2 no character can be wrong; the rest is a margin for questions that were never
    trained on.
    """
    attempts: Positive = 1
    """Most attempts, each with the steps of `fit` and the rounds of polish."""
    factor: Annotated[float, Meta(gt=0, le=1)] = 0.5
    """Multiplies the peak learning rate of all later rounds after a round without improvement."""
    check: Positive = 1_000_000
    """Training questions that a check draws and grades above 3 digits; up to 3 digits it grades
    every training pair."""


class Recipe(Struct, frozen=True, forbid_unknown_fields=True):
    """All settings of one training run."""

    seed: Annotated[int, Meta(ge=0, lt=2**31)]
    """Seed of the initial weights and of all random draws."""
    digits: Annotated[int, Meta(ge=1, le=MAX_DIGITS)]
    """Most digits of an operand; up to 3, every question is evaluated."""
    layout: Literal["padded", "reversed", "aligned", "paired"]
    """Order in which the encoder reads the characters of a question, see `layouts`."""
    answers: Literal["as_read", "reversed"]
    """Order in which the network writes an answer; the serving graph returns it as read."""
    data: Fresh | Fixed
    """Training data."""
    network: Network
    """Cell and sizes."""
    fit: Fit
    """Optimizer, learning rate and number of steps."""
    mining: Mining | None = None
    """Hard-example mining during `fit`; None for none."""
    polish: Polish | None = None
    """Rounds on the hardest pairs after `fit`; None for none."""


def names() -> list[str]:
    """Returns the names of the recipes in the package."""
    return sorted(
        entry.name.removesuffix(".toml")
        for entry in resources.files(__package__).joinpath("recipes").iterdir()
        if entry.name.endswith(".toml")
    )


def load(name_or_file: str, overrides: Sequence[str] = ()) -> Recipe:
    """Loads a recipe by name or from a file, with overrides such as `fit.steps=500`.

    Raises:
        UserError: The recipe does not exist or is invalid.
    """
    if name_or_file in names():
        entry = resources.files(__package__).joinpath("recipes", f"{name_or_file}.toml")
        return parse(entry.read_text(), where=f"recipe {name_or_file}", overrides=overrides)
    try:
        text = Path(name_or_file).read_text(errors="replace")
    except FileNotFoundError:
        known = ", ".join(names())
        raise UserError(
            f"recipe {name_or_file!r} not found: expected a file or one of {known}"
        ) from None
    except OSError as error:
        raise UserError(f"cannot read recipe {name_or_file!r}: {error.strerror}") from error
    return parse(text, where=name_or_file, overrides=overrides)


def parse(text: str, *, where: str, overrides: Sequence[str] = ()) -> Recipe:
    """Parses a recipe from TOML text; `where` names it in errors."""
    try:
        values = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise UserError(f"{where} is not valid TOML: {error}") from error
    for override in overrides:
        _apply(values, override)
    try:
        recipe = msgspec.convert(values, Recipe)
    except msgspec.ValidationError as error:
        raise UserError(f"{where}: {_message(error)}") from error
    if recipe.fit.warm_up >= recipe.fit.steps:
        raise UserError(f"{where}: fit.warm_up must be less than fit.steps ({recipe.fit.steps})")
    if recipe.fit.warm_up and recipe.fit.schedule == "constant":
        raise UserError(f"{where}: fit.warm_up needs fit.schedule = 'cosine'")
    low, high = HELD_OUT_RANGE
    if isinstance(recipe.data, Fixed):
        _check_fixed(recipe, recipe.data, where)
    elif recipe.digits > MAX_ENUMERATED_DIGITS and not low <= recipe.data.held_out <= high:
        raise UserError(
            f"{where}: data.held_out must be from {low} to {high} for more than "
            f"{MAX_ENUMERATED_DIGITS} digits: the evaluation needs a million pairs never trained on"
        )
    return recipe


def _check_fixed(recipe: Recipe, data: Fixed, where: str) -> None:
    if recipe.digits > MAX_ENUMERATED_DIGITS:
        raise UserError(
            f"{where}: data.kind = 'fixed' is for up to {MAX_ENUMERATED_DIGITS} digits; use 'fresh'"
        )
    space = 10**recipe.digits
    if data.questions > space * (space + 1) // 2:
        raise UserError(
            f"{where}: data.questions must be at most {space * (space + 1) // 2:,}, "
            f"the number of unordered pairs of up to {recipe.digits} digits"
        )


def dump(recipe: Recipe) -> str:
    """Returns the recipe as TOML, from which `parse` makes an equal recipe."""
    return tomli_w.dumps(_without_none(msgspec.to_builtins(recipe)))


def _without_none(values: dict[str, Any]) -> dict[str, Any]:
    """Leaves out keys without a value, because TOML has no null."""
    return {
        key: _without_none(value) if isinstance(value, dict) else value
        for key, value in values.items()
        if value is not None
    }


def _apply(values: dict[str, Any], override: str) -> None:
    path, equals, text = override.partition("=")
    if not equals or not path:
        raise UserError(f"invalid --set {override}: expected key=value, for example fit.steps=500")
    try:
        value = tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        value = text  # a bare word is a string: layout=aligned
    *sections, key = path.split(".")
    table = values
    for section in sections:
        table = table.setdefault(section, {})
        if not isinstance(table, dict):
            raise UserError(f"invalid --set {override}: {section} is not a table")
    table[key] = value


def _message(error: msgspec.ValidationError) -> str:
    """Returns msgspec's message with the key first, without its notation: `fit.steps: …`."""
    message, _, path = str(error).partition(" - at `$")
    key = path.strip("`").lstrip(".")
    text = message.replace("Object contains", "contains an")
    return f"{key}: {text}" if key else text
