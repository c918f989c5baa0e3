"""Hard examples: training pairs with the largest losses, drawn by the square root of the loss."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from seq2sum_training.data.questions import Numbers

EPSILON = 1e-9
"""Added to each weight, so that pairs without any loss can be drawn."""


@dataclass(frozen=True, slots=True, eq=False)  # arrays cannot be compared as one truth value
class HardExamples:
    """The training pairs with the largest losses that a search or a check found."""

    pairs: Numbers
    """Operands, [2, n], largest loss first."""
    losses: NDArray[np.float32]
    """Largest cross-entropy of a character, nats, [n]."""

    @classmethod
    def empty(cls) -> HardExamples:
        """Returns a set without pairs."""
        return cls(np.empty((2, 0), np.int64), np.empty(0, np.float32))

    def merged(self, pairs: Numbers, losses: NDArray[np.float32], *, keep: int) -> HardExamples:
        """Returns the `keep` hardest of the present pairs and those given."""
        both_pairs = np.append(self.pairs, pairs, axis=1)
        both_losses = np.append(self.losses, losses)
        order = np.argsort(-both_losses, kind="stable")[:keep]
        return HardExamples(both_pairs[:, order], both_losses[order])

    def draw(self, random: np.random.Generator, count: int) -> Numbers:
        """Draws pairs with replacement, weighted by the square root of the loss, [2, count].

        Uniform draws would rarely hit the few wrong answers; if the loss itself is the weight, a
        small network forgets the other pairs.
        """
        weights = np.sqrt(self.losses, dtype=np.float64) + EPSILON
        return self.pairs[:, random.choice(len(weights), count, p=weights / weights.sum())]
