"""What the network thought about an answer, place by place.

The detailed signature brings a distribution over the alphabet for each place; the character
table that reads it back is the contract's alphabet, the way of the tutorial.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from seq2sum.addition import contract


@dataclass(frozen=True, slots=True)
class Place:
    """One character of an answer."""

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
    """What one model version thinks about one question."""

    question: str | bytes
    """The question as it was asked."""
    places: tuple[Place, ...]
    """From left to right, as the answer is read. Blanks are at that end which the version
    writes last."""
    version: int
    """The model version that answered."""

    @property
    def text(self) -> str:
        """The answer in decimal."""
        return "".join(place.character for place in self.places).strip()

    @property
    def confidence(self) -> float:
        """The product of the chosen characters' probabilities."""
        product = 1.0
        for place in self.places:
            product *= place.probability
        return product


def places(probabilities: Sequence[float]) -> tuple[Place, ...]:
    """Places from probabilities in one row after the other, [answer length * 12]."""
    characters = len(contract.ALPHABET)
    return tuple(
        Place(
            tuple(
                sorted(
                    zip(contract.ALPHABET, probabilities[start : start + characters], strict=True),
                    key=lambda pair: -pair[1],
                )
            )
        )
        for start in range(0, len(probabilities), characters)
    )
