"""Training batches: pairs of operands, each batch a pure function of the seed and the step.

No state is kept between batches, so a resumed run gets the same questions at step 700 as an
uninterrupted one.
"""

from __future__ import annotations

import numpy as np

from seq2sum_training.data import carries
from seq2sum_training.data.questions import Mask, Numbers, all_pairs, held_out, unordered
from seq2sum_training.errors import UserError
from seq2sum_training.recipe import MAX_ENUMERATED_DIGITS, Fixed, Fresh, Recipe

OVERSAMPLING = 1.3
"""Ratio of drawn to needed pairs, so that dropping held-out pairs rarely takes a second draw."""


class FreshBatches:
    """New random pairs in every step: half uniform over pairs, half uniform over operand lengths.

    If all were uniform over pairs, only one in ten thousand three-digit training questions would
    have two one-digit operands, such as `7+5`; if all were uniform over lengths, too few operands
    would be long. A recipe may replace a share of the pairs by carry chains.
    """

    def __init__(self, recipe: Recipe, data: Fresh) -> None:
        self._seed, self._digits, self._size = recipe.seed, recipe.digits, recipe.fit.batch
        self._share, self._chains = data.held_out, data.chains

    def batch(self, step: int) -> tuple[Numbers, Numbers]:
        """Returns the operands of `fit.batch` pairs, none of them held out, [n] each."""
        random = np.random.Generator(np.random.Philox(key=[self._seed, step]))
        first = second = np.empty(0, np.int64)
        while len(first) < self._size:
            pairs = self._draw(random, int(self._size * OVERSAMPLING) + 1)
            a, b = pairs[:, self.training_mask(*pairs)]
            first, second = np.append(first, a), np.append(second, b)
        return first[: self._size], second[: self._size]

    def training_mask(self, first: Numbers, second: Numbers) -> Mask:
        """Returns a mask of the pairs that are not held out."""
        return ~held_out(first, second, share=self._share)

    def _draw(self, random: np.random.Generator, count: int) -> Numbers:
        """Returns random pairs, [2, count], some of them held out."""
        uniform = random.integers(0, 10**self._digits, (2, count))
        lengths = random.integers(1, self._digits + 1, (2, count))
        pairs = np.where(random.random(count) < 0.5, uniform, uniform % 10**lengths)
        if self._chains:
            chains = carries.draw(random, digits=self._digits, count=count)
            pairs = np.where(random.random(count) < self._chains, chains, pairs)
        return pairs


class FixedBatches:
    """A data set of distinct unordered pairs, shuffled for each epoch.

    Operands are drawn as in the tutorial: the number of digits uniformly from 1 to `digits`,
    then each digit uniformly; leading zeros are dropped.
    """

    def __init__(self, recipe: Recipe, data: Fixed) -> None:
        self._seed, self._size = recipe.seed, recipe.fit.batch
        pairs = _distinct(recipe.seed, recipe.digits, data.questions)
        kept = data.questions - round(data.questions * data.validation)
        self.training = pairs[:kept]
        """Training pairs, [n, 2]."""
        self.validation = pairs[kept:]
        """Held-out pairs of the data set, [m, 2]."""

    @property
    def steps_per_epoch(self) -> int:
        """Batches per epoch; the last one may be smaller."""
        return -(-len(self.training) // self._size)

    def batch(self, step: int) -> tuple[Numbers, Numbers]:
        """Returns the operands of a step in the order of its epoch, [n] each."""
        epoch, index = divmod(step, self.steps_per_epoch)
        random = np.random.Generator(np.random.Philox(key=[self._seed, epoch]))
        order = random.permutation(len(self.training))
        chosen = self.training[order[index * self._size : (index + 1) * self._size]]
        return chosen[:, 0], chosen[:, 1]

    def training_mask(self, first: Numbers, second: Numbers) -> Mask:
        """Returns a mask of the training pairs, in either order."""
        return np.isin(unordered(first, second), unordered(*self.training.T))


Batches = FreshBatches | FixedBatches


def batches_of(recipe: Recipe) -> Batches:
    """Returns the training batches of a recipe.

    Raises:
        UserError: The recipe holds out every pair.
    """
    if isinstance(recipe.data, Fresh):
        batches: Batches = FreshBatches(recipe, recipe.data)
    else:
        batches = FixedBatches(recipe, recipe.data)
    small = recipe.digits <= MAX_ENUMERATED_DIGITS  # a recipe cannot hold out all of a larger space
    if small and not batches.training_mask(*all_pairs(recipe.digits)).any():
        raise UserError("the recipe holds out every pair, which leaves nothing to train on")
    return batches


def _distinct(seed: int, digits: int, count: int) -> Numbers:
    """Returns distinct unordered pairs in the order in which they were drawn, [count, 2]."""
    random = np.random.default_rng(seed)
    found = np.empty((0, 2), np.int64)
    while len(found) < count:
        lengths = random.integers(1, digits + 1, (count, 2))
        # Uniform digits of a given length are a uniform number below 10**length.
        drawn = random.integers(0, 10**lengths)
        found = np.concatenate([found, drawn])
        _, first_seen = np.unique(unordered(*found.T), return_index=True)
        found = found[np.sort(first_seen)]
    return found[:count]
