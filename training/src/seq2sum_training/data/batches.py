"""What is trained on: batches of pairs, each a pure function of the seed and the step.

Nothing is consumed and nothing remembered, so step 700 gets the same questions whether the
run came there in one go or not.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np

from seq2sum_training.data import carries
from seq2sum_training.data.questions import Mask, Numbers, every_pair, held_out, unordered
from seq2sum_training.errors import UserError
from seq2sum_training.recipe import ENUMERATED_DIGITS, Fixed, Fresh, Recipe

DRAWN_TOO_MANY = 1.3
"""Pairs drawn for each one needed: dropping the held-out ones rarely takes a second draw."""


class Batches(Protocol):
    """A source of training batches."""

    def batch(self, step: int) -> tuple[Numbers, Numbers]:
        """The pairs of one step, at most the recipe's batch size."""
        ...

    def trained(self, first: Numbers, second: Numbers) -> Mask:
        """Which of these pairs training may ever see, in either order."""
        ...


def batches_of(recipe: Recipe) -> Batches:
    """The batches that a recipe describes.

    Raises:
        UserError: There would be nothing to train on.
    """
    if isinstance(recipe.data, Fresh):
        batches: Batches = FreshBatches(recipe, recipe.data)
    else:
        batches = FixedBatches(recipe, recipe.data)
    small = recipe.digits <= ENUMERATED_DIGITS  # larger spaces are never held out as a whole
    if small and not batches.trained(*every_pair(recipe.digits)).any():
        raise UserError("the recipe's data holds out every pair: there is nothing to train on")
    return batches


class FreshBatches:
    """New draws for every step: half uniform over pairs, half uniform over operand lengths.

    Uniform over pairs alone, a three-digit run would meet `7+5` once in ten thousand
    questions; uniform over lengths alone, the long ones would be too few. A recipe may ask
    for a share of carry chains instead.
    """

    def __init__(self, recipe: Recipe, data: Fresh) -> None:
        self._seed, self._digits, self._size = recipe.seed, recipe.digits, recipe.fit.batch
        self._share, self._chains = data.held_out, data.chains

    def batch(self, step: int) -> tuple[Numbers, Numbers]:
        """`fit.batch` pairs, none held out."""
        random = np.random.Generator(np.random.Philox(key=[self._seed, step]))
        first = second = np.empty(0, np.int64)
        while len(first) < self._size:
            pairs = self._draw(random, int(self._size * DRAWN_TOO_MANY) + 1)
            a, b = pairs[:, self.trained(*pairs)]
            first, second = np.append(first, a), np.append(second, b)
        return first[: self._size], second[: self._size]

    def trained(self, first: Numbers, second: Numbers) -> Mask:
        """All but the held-out pairs."""
        return ~held_out(first, second, share=self._share)

    def _draw(self, random: np.random.Generator, count: int) -> Numbers:
        """Pairs, shape [2, count]."""
        uniform = random.integers(0, 10**self._digits, (2, count))
        lengths = random.integers(1, self._digits + 1, (2, count))
        pairs = np.where(random.random(count) < 0.5, uniform, uniform % 10**lengths)
        if self._chains:
            chains = carries.draw(random, digits=self._digits, count=count)
            pairs = np.where(random.random(count) < self._chains, chains, pairs)
        return pairs


class FixedBatches:
    """A data set of distinct unordered pairs, shuffled anew for each epoch.

    Operands are drawn as the tutorial does: the number of digits uniformly from 1 to
    `digits`, then each digit uniformly, so that leading zeros vanish when it is read.
    """

    def __init__(self, recipe: Recipe, data: Fixed) -> None:
        self._seed, self._size = recipe.seed, recipe.fit.batch
        pairs = _distinct(recipe.seed, recipe.digits, data.questions)
        kept = data.questions - round(data.questions * data.validation)
        self.training = pairs[:kept]
        """Pairs that are trained on, shape [n, 2]."""
        self.validation = pairs[kept:]
        """Pairs of the data set that are not, shape [m, 2]."""

    @property
    def steps_per_epoch(self) -> int:
        """Batches that go once through the training pairs; the last may be smaller."""
        return -(-len(self.training) // self._size)

    def batch(self, step: int) -> tuple[Numbers, Numbers]:
        """The next pairs of this epoch's order."""
        epoch, place = divmod(step, self.steps_per_epoch)
        random = np.random.Generator(np.random.Philox(key=[self._seed, epoch]))
        order = random.permutation(len(self.training))
        chosen = self.training[order[place * self._size : (place + 1) * self._size]]
        return chosen[:, 0], chosen[:, 1]

    def trained(self, first: Numbers, second: Numbers) -> Mask:
        """The pairs of the training part, in either order."""
        return np.isin(unordered(first, second), unordered(*self.training.T))


def _distinct(seed: int, digits: int, count: int) -> Numbers:
    """`count` pairs in the order they were drawn, no unordered pair twice, shape [count, 2]."""
    random = np.random.default_rng(seed)
    found = np.empty((0, 2), np.int64)
    while len(found) < count:
        lengths = random.integers(1, digits + 1, (count, 2))
        # Uniform digits of a given number of places are a uniform number below 10**places.
        drawn = random.integers(0, 10**lengths)
        found = np.concatenate([found, drawn])
        _, where = np.unique(unordered(*found.T), return_index=True)
        found = found[np.sort(where)]
    return found[:count]
