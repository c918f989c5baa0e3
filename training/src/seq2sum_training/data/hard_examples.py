"""The hardest training questions known: kept by their loss, drawn by its root."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from seq2sum_training.data.questions import Numbers

TINY = 1e-9
"""So that a pair with no loss at all can still be drawn."""


@dataclass(frozen=True, slots=True, eq=False)  # arrays have no one truth to compare by
class Hardest:
    """The training pairs with the largest losses that a check found."""

    pairs: Numbers
    """[2, n], the hardest first."""
    losses: NDArray[np.float32]
    """[n]."""

    @classmethod
    def none(cls) -> Hardest:
        """Before the first check."""
        return cls(np.empty((2, 0), np.int64), np.empty(0, np.float32))

    def with_more(self, pairs: Numbers, losses: NDArray[np.float32], *, keep: int) -> Hardest:
        """The `keep` hardest of these and more."""
        all_pairs, all_losses = np.append(self.pairs, pairs, axis=1), np.append(self.losses, losses)
        order = np.argsort(-all_losses, kind="stable")[:keep]
        return Hardest(all_pairs[:, order], all_losses[order])

    def draw(self, random: np.random.Generator, count: int) -> Numbers:
        """`count` of them, as often as the root of their loss, [2, count].

        Drawn alike, the few that are wrong are hardly met; drawn by the loss itself, a small
        network forgets the others over them.
        """
        likely = np.sqrt(self.losses, dtype=np.float64) + TINY
        likely /= likely.sum()
        return self.pairs[:, random.choice(len(likely), count, p=likely)]
