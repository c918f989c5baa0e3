"""Evaluation: exact match over the whole problem space, as a server would answer it.

The questions go as byte strings through the serving graph, so what is counted is what will
be served, preprocessing included. Character accuracy stands beside exact match because
tutorials report it; it hides how many answers are wrong.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from seq2sum import contract

from seq2sum_training.questions import Mask, Numbers, Texts, every_pair, questions, sums

ROWS = 1024
"""Questions of one call into the graph: larger calls outgrow the caches and are slower."""

Ask = Callable[[Texts], tuple[Texts, NDArray[np.float32]]]
"""Answers and confidences, shape [n] each, for questions of shape [n]."""


@dataclass(frozen=True, slots=True, eq=False)  # arrays have no one truth to compare by
class Score:
    """Answers to every ordered pair, held against the true sums."""

    first: Numbers
    """First operands."""
    second: Numbers
    """Second operands."""
    answers: Texts
    """What the model answered."""
    confidence: NDArray[np.float32]
    """Its confidence in each answer."""
    trained: Mask
    """Which pairs training could see."""
    digits: int
    """Most digits of an operand."""

    @property
    def wrong(self) -> Mask:
        """Which answers are not the true sum, character by character."""
        return np.not_equal(self.answers, sums(self.first, self.second))

    def summary(self) -> dict[str, int | float]:
        """The figures, ready for JSON."""
        wrong, unseen = self.wrong, ~self.trained
        return {
            "questions": len(wrong),
            "errors": int(wrong.sum()),
            "never_trained_questions": int(unseen.sum()),
            "never_trained_errors": int(wrong[unseen].sum()),
            "exact_match": float(1 - wrong.mean()),
            "character_accuracy": self._character_accuracy(),
        }

    def mistakes(self) -> list[tuple[str, str, str, float]]:
        """Every wrong answer: question, answer, true sum, confidence."""
        wrong = self.wrong
        first, second = self.first[wrong], self.second[wrong]
        columns = (questions(first, second), self.answers[wrong], sums(first, second))
        texts = [
            [value.decode("ascii", "replace") for value in column.tolist()] for column in columns
        ]
        sure = [round(value, 6) for value in self.confidence[wrong].tolist()]
        return list(zip(*texts, sure, strict=True))

    def _character_accuracy(self) -> float:
        length = contract.answer_length(self.digits)

        def characters(texts: Texts) -> NDArray[np.uint8]:
            return texts.astype(f"S{length}").view(np.uint8).reshape(-1, length)

        true = characters(sums(self.first, self.second))
        return float((characters(self.answers) == true).mean())


def evaluate(
    ask: Ask,
    *,
    digits: int,
    trained: Callable[[Numbers, Numbers], Mask],
    tell: Callable[[int], None],
) -> Score:
    """Asks every ordered pair of numbers of up to `digits` digits.

    Args:
        ask: What is evaluated.
        digits: Most digits of an operand.
        trained: Which pairs training could see.
        tell: Called with the number of questions asked so far.
    """
    first, second = every_pair(digits)
    answers = np.empty(len(first), f"S{contract.answer_length(digits)}")
    confidence = np.empty(len(first), np.float32)
    for start in range(0, len(first), ROWS):
        part = slice(start, start + ROWS)
        answers[part], confidence[part] = ask(questions(first[part], second[part]))
        tell(min(start + ROWS, len(first)))
    return Score(first, second, answers, confidence, trained(first, second), digits)
