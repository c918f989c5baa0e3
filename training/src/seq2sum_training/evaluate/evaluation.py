"""Evaluation: exact match as a server would answer, over the whole problem space if it can be.

The questions go as byte strings through the serving graph, so what is counted is what will
be served, preprocessing included. Character accuracy stands beside exact match because
tutorials report it; it hides how many answers are wrong.

Up to 3 digits every ordered pair is asked. More cannot all be: then it is a million distinct
questions that training never saw, half of them drawn by length, and every family of carry
chains in operands of every length, never seen either.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from seq2sum.addition import contract

from seq2sum_training.data import carries
from seq2sum_training.data.questions import Mask, Numbers, Texts, every_pair, questions, sums
from seq2sum_training.evaluate import breakdown
from seq2sum_training.recipe import ENUMERATED_DIGITS

ROWS = 1024
"""Questions of one call into the graph: larger calls outgrow the caches and are slower."""
RANDOM_QUESTIONS = 1_000_000
"""Distinct never-trained questions that stand for a problem space too large to enumerate."""
CHAIN_QUESTIONS, CHAIN_DRAWS = 300, 6000
"""Most questions of each family of carry chains, and draws to find them among."""
SEED = 20_260_101
"""Of those draws: every model of these digits and this held-out share is asked the same."""

Ask = Callable[[Texts], tuple[Texts, NDArray[np.float32]]]
"""Answers and confidences, shape [n] each, for questions of shape [n]."""
Trained = Callable[[Numbers, Numbers], Mask]
"""Which pairs training could see."""


@dataclass(frozen=True, slots=True, eq=False)  # arrays have no one truth to compare by
class Score:
    """Answers to many pairs, held against the true sums."""

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

    def summary(self) -> dict[str, Any]:
        """The figures, ready for JSON."""
        wrong, unseen = self.wrong, ~self.trained
        return {
            "digits": self.digits,
            "questions": len(wrong),
            "errors": int(wrong.sum()),
            "never_trained_questions": int(unseen.sum()),
            "never_trained_errors": int(wrong[unseen].sum()),
            "exact_match": float(1 - wrong.mean()),
            "character_accuracy": self._character_accuracy(),
            "by_lengths": breakdown.by_lengths(self.first, self.second, wrong, digits=self.digits),
            "by_carries": breakdown.by_carries(self.first, self.second, wrong, digits=self.digits),
            "calibration": breakdown.calibration(self.confidence, wrong),
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


def published(figures: Mapping[str, Any], *, digits: int) -> dict[str, Any]:
    """What a version says of its evaluation, for programs; the model card has it for people.

    Args:
        figures: A run's figures.
        digits: Its recipe's digits.
    """
    counted = ("questions", "errors", "never_trained_questions", "never_trained_errors")
    exhaustive = digits <= ENUMERATED_DIGITS
    return {"exhaustive": exhaustive, **{name: figures[name] for name in counted}}


def evaluate(
    ask: Ask, pairs: Numbers, *, digits: int, trained: Trained, tell: Callable[[int], None]
) -> Score:
    """Asks these pairs.

    Args:
        ask: What is evaluated.
        pairs: First and second operands, [2, n].
        digits: The most digits that it knows.
        trained: Which pairs training could see.
        tell: Called with the number of questions asked so far.
    """
    first, second = pairs
    answers = np.empty(len(first), f"S{contract.answer_length(digits)}")
    confidence = np.empty(len(first), np.float32)
    for start in range(0, len(first), ROWS):
        part = slice(start, start + ROWS)
        answers[part], confidence[part] = ask(questions(first[part], second[part]))
        tell(min(start + ROWS, len(first)))
    return Score(first, second, answers, confidence, trained(first, second), digits)


def to_ask(digits: int, trained: Trained) -> Numbers:
    """The pairs that stand for the problem space, [2, n]: all of it, or never-trained ones."""
    if digits <= ENUMERATED_DIGITS:
        return np.stack(every_pair(digits))
    random = np.random.default_rng(SEED)
    found = np.empty((2, 0), np.int64)
    while found.shape[1] < RANDOM_QUESTIONS:
        drawn = random.integers(0, 10**digits, (2, RANDOM_QUESTIONS))
        # Half of them uniform over pairs, where nearly all are long, and half over lengths.
        short = drawn % 10 ** random.integers(1, digits + 1, drawn.shape)
        drawn = np.where(random.random(RANDOM_QUESTIONS) < 0.5, drawn, short)
        drawn = drawn[:, ~trained(*drawn)]
        _, where = np.unique(np.append(found, drawn, axis=1), axis=1, return_index=True)
        found = np.append(found, drawn, axis=1)[:, np.sort(where)]
    return found[:, :RANDOM_QUESTIONS]


def chains_to_ask(digits: int, trained: Trained) -> tuple[Numbers, list[dict[str, int]]]:
    """Never-trained pairs with a carry chain, of every family and for every operand length.

    Returns:
        The pairs, [2, n], and for each family in their order its `length`, `start`, `places`
        and number of `questions`, which are distinct and therefore few for short operands.
    """
    random = np.random.default_rng(SEED)
    groups, families = [], []
    for length in range(2, digits + 1):
        for start, places in carries.families(length):
            many = np.ones(CHAIN_DRAWS, np.int64)
            drawn = carries.chains(random, start=start * many, places=places * many, digits=length)
            found = np.unique(drawn[:, ~trained(*drawn)], axis=1)
            kept = random.permutation(found.shape[1])[:CHAIN_QUESTIONS]
            groups.append(found[:, kept])
            counted = {"length": length, "start": start, "places": places}
            families.append(counted | {"questions": len(kept)})
    return np.concatenate(groups, axis=1), families


def by_chain(score: Score, families: list[dict[str, int]]) -> list[dict[str, int]]:
    """Errors by family, for answers to `chains_to_ask`."""
    ends = np.cumsum([family["questions"] for family in families])
    errors = [int(part.sum()) for part in np.split(score.wrong, ends[:-1])]
    return [family | {"errors": e} for family, e in zip(families, errors, strict=True)]
