"""Scoring: the questions of an evaluation, and exact match of the answers.

Questions go as byte strings through the serving graph, so the figures include its preprocessing.
Character accuracy is reported next to exact match because the tutorial reports it; it hides how
many answers are wrong.

Up to 3 digits every ordered pair is evaluated. For more digits the evaluation uses two sets of
pairs that were never trained on: a million distinct random pairs, half of them uniform over operand
lengths; and pairs with carry chains, of every first place, chain length and operand length.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from seq2sum.addition import contract

from seq2sum_training.data import carries
from seq2sum_training.data.questions import Mask, Numbers, Texts, all_pairs, questions, sums
from seq2sum_training.evaluate import breakdown
from seq2sum_training.recipe import MAX_ENUMERATED_DIGITS

ROWS = 1024
"""Questions per call of the graph; larger calls exceed the CPU caches and are slower."""
RANDOM_QUESTIONS = 1_000_000
"""Distinct questions, never trained on, if the problem space is too large to enumerate."""
CHAIN_QUESTIONS, CHAIN_DRAWS = 300, 6000
"""Most questions of each family of carry chains, and the draws from which they are taken."""
SEED = 20_260_101
"""Seed of these draws: models with equal digits and held-out share get the same questions."""

Model = Callable[[Texts], tuple[Texts, NDArray[np.float32]]]
"""Takes questions, [n]; returns answers and confidences, [n] each."""
TrainingMask = Callable[[Numbers, Numbers], Mask]
"""Takes operands; returns a mask of the pairs that training may have drawn."""


@dataclass(frozen=True, slots=True, eq=False)  # arrays cannot be compared as one truth value
class Score:
    """Answers to many questions, with the operands for comparison."""

    first: Numbers
    """First operands."""
    second: Numbers
    """Second operands."""
    answers: Texts
    """Answers of the model."""
    confidence: NDArray[np.float32]
    """Confidence of each answer."""
    trained: Mask
    """Mask of the pairs that training may have drawn."""
    digits: int
    """Most digits of an operand."""

    @property
    def wrong(self) -> Mask:
        """Mask of the answers that differ from the true sum."""
        return np.not_equal(self.answers, sums(self.first, self.second))

    def summary(self) -> dict[str, Any]:
        """Returns the figures for JSON."""
        wrong, never_trained = self.wrong, ~self.trained
        return {
            "digits": self.digits,
            "questions": len(wrong),
            "errors": int(wrong.sum()),
            "never_trained_questions": int(never_trained.sum()),
            "never_trained_errors": int(wrong[never_trained].sum()),
            "exact_match": float(1 - wrong.mean()),
            "character_accuracy": self._character_accuracy(),
            "by_lengths": breakdown.by_lengths(self.first, self.second, wrong, digits=self.digits),
            "by_carries": breakdown.by_carries(self.first, self.second, wrong, digits=self.digits),
            "calibration": breakdown.calibration(self.confidence, wrong),
        }

    def wrong_answers(self) -> list[tuple[str, str, str, float]]:
        """Returns question, answer, true sum and confidence of each wrong answer."""
        wrong = self.wrong
        first, second = self.first[wrong], self.second[wrong]
        columns = (questions(first, second), self.answers[wrong], sums(first, second))
        texts = [
            [value.decode("ascii", "replace") for value in column.tolist()] for column in columns
        ]
        confidence = [round(value, 6) for value in self.confidence[wrong].tolist()]
        return list(zip(*texts, confidence, strict=True))

    def _character_accuracy(self) -> float:
        length = contract.answer_length(self.digits)

        def characters(texts: Texts) -> NDArray[np.uint8]:
            return texts.astype(f"S{length}").view(np.uint8).reshape(-1, length)

        true = characters(sums(self.first, self.second))
        return float((characters(self.answers) == true).mean())


def score(
    model: Model,
    pairs: Numbers,
    *,
    digits: int,
    training_mask: TrainingMask,
    report_progress: Callable[[int], None],
) -> Score:
    """Asks a model the questions of these pairs.

    Args:
        model: The model to evaluate.
        pairs: First and second operands, [2, n].
        digits: Most digits of an operand.
        training_mask: Mask of the pairs that training may have drawn.
        report_progress: Called with the number of questions asked so far.
    """
    first, second = pairs
    answers = np.empty(len(first), f"S{contract.answer_length(digits)}")
    confidence = np.empty(len(first), np.float32)
    for start in range(0, len(first), ROWS):
        part = slice(start, start + ROWS)
        answers[part], confidence[part] = model(questions(first[part], second[part]))
        report_progress(min(start + ROWS, len(first)))
    return Score(first, second, answers, confidence, training_mask(first, second), digits)


def pairs_to_ask(digits: int, training_mask: TrainingMask) -> Numbers:
    """Returns all pairs if they are enumerated, or random pairs never trained on, [2, n]."""
    if digits <= MAX_ENUMERATED_DIGITS:
        return np.stack(all_pairs(digits))
    random = np.random.default_rng(SEED)
    found = np.empty((2, 0), np.int64)
    while found.shape[1] < RANDOM_QUESTIONS:
        drawn = random.integers(0, 10**digits, (2, RANDOM_QUESTIONS))
        # Half uniform over pairs, nearly all of which are long, and half uniform over lengths.
        short = drawn % 10 ** random.integers(1, digits + 1, drawn.shape)
        drawn = np.where(random.random(RANDOM_QUESTIONS) < 0.5, drawn, short)
        found = np.append(found, drawn[:, ~training_mask(*drawn)], axis=1)
        _, first_seen = np.unique(found, axis=1, return_index=True)
        found = found[:, np.sort(first_seen)]
    return found[:, :RANDOM_QUESTIONS]


def chains_to_ask(digits: int, training_mask: TrainingMask) -> tuple[Numbers, list[dict[str, int]]]:
    """Draws pairs with carry chains, of every family and operand length, never trained on.

    Returns:
        The pairs, [2, n], ordered by family; and a dict for each family with `length`, `start`,
        `places` and the number of `questions`, which is small for short operands, because the
        questions are distinct.
    """
    random = np.random.default_rng(SEED)
    groups, families = [], []
    for length in range(2, digits + 1):
        for start, places in carries.families(length):
            ones = np.ones(CHAIN_DRAWS, np.int64)
            drawn = carries.chains(random, start=start * ones, places=places * ones, digits=length)
            found = np.unique(drawn[:, ~training_mask(*drawn)], axis=1)
            kept = random.permutation(found.shape[1])[:CHAIN_QUESTIONS]
            groups.append(found[:, kept])
            family = {"length": length, "start": start, "places": places}
            families.append(family | {"questions": len(kept)})
    return np.concatenate(groups, axis=1), families


def errors_by_chain(score: Score, families: list[dict[str, int]]) -> list[dict[str, int]]:
    """Adds the `errors` to each family, from the score of the pairs of `chains_to_ask`."""
    ends = np.cumsum([family["questions"] for family in families])
    errors = [int(part.sum()) for part in np.split(score.wrong, ends[:-1])]
    return [family | {"errors": e} for family, e in zip(families, errors, strict=True)]
