"""Golden questions: a fixed set of questions with true sums that verifies each version.

They are stored in the version, so that a rollout can verify a server with them too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from seq2sum.addition import contract

from seq2sum_training.data.questions import all_pairs

RANDOM_QUESTIONS = 1000
SEED = 95
FILE_NAME = "golden.json"


@dataclass(frozen=True, slots=True)
class Results:
    """Results of a network on the golden questions."""

    questions: int
    """Questions asked."""
    right: int
    """Questions answered with the true sum."""
    first_wrong: str
    """First wrong answer, such as `53+42 = 96 (not 95)`; empty if all are right."""

    @property
    def all_right(self) -> bool:
        """Whether every answer is right."""
        return self.right == self.questions

    def __str__(self) -> str:
        text = f"{self.right:,} of {self.questions:,} golden questions answered right"
        return text if self.all_right else f"{text}, first wrong answer: {self.first_wrong}"


def results(golden: dict[str, Any], answers: Sequence[str]) -> Results:
    """Compares answers with the true sums in the result of `generate`."""
    rows = zip(golden["questions"], answers, golden["answers"], strict=True)
    wrong = [f"{question} = {text} (not {true})" for question, text, true in rows if text != true]
    return Results(len(answers), len(answers) - len(wrong), wrong[0] if wrong else "")


def generate(digits: int) -> dict[str, Any]:
    """Generates at least 1,000 questions (all of them, if fewer exist) and some invalid ones.

    Returns:
        `questions`, their `answers` in the same order, and `refused`, a dict from invalid
        questions to their `contract.Status`.
    """
    pairs = dict.fromkeys([*_carry_chains(digits), *_edges(digits), *_random(digits)])
    return {
        "questions": [f"{a}+{b}" for a, b in pairs],
        "answers": [str(a + b) for a, b in pairs],
        "refused": {question: int(status) for question, status in _refused(digits).items()},
    }


def _carry_chains(digits: int) -> list[tuple[int, int]]:
    """Returns sums with carry chains of every length, in both orders of the operands."""
    chains = []
    for start in range(digits):
        for end in range(start + 1, digits + 1):
            nines = 10**end - 10**start
            for low in (1, 5, 9):
                chains += [(nines, low * 10**start), (low * 10**start, nines)]
    return [(a, b) for a, b in chains if max(a, b) < 10**digits]


def _edges(digits: int) -> list[tuple[int, int]]:
    """Returns all pairs of the smallest and largest operands of each length."""
    ends = [0, *(10**n for n in range(digits)), *(10**n - 1 for n in range(1, digits + 1))]
    return [(a, b) for a in ends for b in ends]


def _random(digits: int) -> list[tuple[int, int]]:
    random = np.random.default_rng(SEED)
    if 100**digits <= RANDOM_QUESTIONS:
        return list(zip(*(part.tolist() for part in all_pairs(digits)), strict=True))
    # Uniform over lengths, to include short operands; twice the number, because some repeat.
    limits = 10 ** random.integers(1, digits + 1, (2 * RANDOM_QUESTIONS, 2))
    drawn = dict.fromkeys((int(a), int(b)) for a, b in random.integers(0, limits))
    return list(drawn)[:RANDOM_QUESTIONS]


def _refused(digits: int) -> dict[str, contract.Status]:
    long = "1" * (digits + 1)
    texts = ["", "+", "1", "1+", "+1", "1+1+1", "a+b", " 1+1", "1 +1", "1+1\n", "１+1"]
    texts += [f"{long}+1", f"1+{long}", f"{long}+{long}", "1" * 1000 + "+1"]
    return {text: contract.status_of(text.encode(), digits=digits) for text in texts}
