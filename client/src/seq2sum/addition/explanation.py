"""The network's probabilities for an answer, position by position.

The detailed signature returns a distribution over the contract's alphabet for each position of the
answer, as the tutorial keras-io/examples/nlp/addition_rnn.py decodes it with its character table.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from seq2sum.addition import contract


@dataclass(frozen=True, slots=True)
class Position:
    """One position of an answer."""

    alternatives: tuple[tuple[str, float], ...]
    """Every character of the alphabet with its probability, the most probable first."""

    @property
    def character(self) -> str:
        """The character that the network chose."""
        return self.alternatives[0][0]

    @property
    def probability(self) -> float:
        """Its probability, 0 to 1."""
        return self.alternatives[0][1]


@dataclass(frozen=True, slots=True)
class Explanation:
    """The probabilities that one model version computed for the answer to one question."""

    question: str | bytes
    """The question as the caller gave it."""
    positions: tuple[Position, ...]
    """From left to right. A short answer is padded with blanks: on the right, or on the left if
    the version writes the last digit first."""
    version: int
    """The model version that answered."""

    @property
    def text(self) -> str:
        """The answer in decimal."""
        return "".join(position.character for position in self.positions).strip()

    @property
    def confidence(self) -> float:
        """The product of the chosen characters' probabilities."""
        return math.prod(position.probability for position in self.positions)


def positions(probabilities: Sequence[float]) -> tuple[Position, ...]:
    """Returns the positions of one answer.

    Args:
        probabilities: A float32 tensor [answer length, len(ALPHABET)], flattened row by row.
    """
    characters = len(contract.ALPHABET)
    return tuple(
        Position(
            tuple(
                sorted(
                    zip(contract.ALPHABET, probabilities[start : start + characters], strict=True),
                    key=lambda pair: -pair[1],
                )
            )
        )
        for start in range(0, len(probabilities), characters)
    )
