"""The golden requests of a version: a fixed set of questions with the answers that verify it.

They are stored in the version, so that the export, rollouts and the probe can verify it with them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from seq2sum import golden
from seq2sum.addition import contract
from seq2sum.golden import GoldenRequest

from seq2sum_training.data.questions import all_pairs

RANDOM_QUESTIONS = 1000
SEED = 95
FILE_NAME = golden.FILE_NAME
QUESTIONS, ANSWERS, STATUS = (
    tensor.name for tensor in (contract.QUESTIONS, contract.ANSWERS, contract.STATUS)
)


@dataclass(frozen=True, slots=True)
class Results:
    """Results of a network on the golden requests."""

    differences: tuple[str, ...]
    """For each request, how the outputs differ from what is expected; empty if they do not."""

    @property
    def requests(self) -> int:
        """The number of requests."""
        return len(self.differences)

    @property
    def right(self) -> int:
        """The number of requests that were answered as expected."""
        return self.differences.count("")

    @property
    def all_right(self) -> bool:
        """Whether every request was answered as expected."""
        return self.right == self.requests

    def __str__(self) -> str:
        text = f"{self.right:,} of {self.requests:,} golden requests answered right"
        first_wrong = next(filter(None, self.differences), "")
        return f"{text}, first wrong answer: {first_wrong}" if first_wrong else text


def results(
    requests: Sequence[GoldenRequest], predict: Callable[[list[Any]], Mapping[str, Any]]
) -> Results:
    """Compares the outputs of a network with those that golden requests expect.

    Args:
        requests: Requests with one question each.
        predict: Returns the outputs for questions, one row for each.
    """
    questions = [request.inputs[QUESTIONS][0] for request in requests]
    rows = {name: outputs.tolist() for name, outputs in predict(questions).items()}
    texts = []
    for index, (question, request) in enumerate(zip(questions, requests, strict=True)):
        row = {name: values[index : index + 1] for name, values in rows.items()}
        different = "; ".join(golden.differences(request, row))
        texts.append(f"{question!r}: {different}" if different else "")
    return Results(tuple(texts))


def write(path: Path, requests: Sequence[GoldenRequest]) -> None:
    """Writes a line for each request."""
    path.write_text("".join(f"{golden.to_line(request)}\n" for request in requests))


def generate(digits: int) -> list[GoldenRequest]:
    """Generates requests with one question each.

    Returns:
        At least 1,000 questions (all of them, if fewer exist) with their sums, and some invalid
        ones with their `contract.Status`.
    """
    pairs = dict.fromkeys([*_carry_chains(digits), *_edges(digits), *_random(digits)])
    answered = [_request(f"{a}+{b}", {ANSWERS: [str(a + b)]}) for a, b in pairs]
    refused = [
        _request(question, {ANSWERS: [""], STATUS: [int(status)]})
        for question, status in _refused(digits).items()
    ]
    return answered + refused


def _request(question: str, expect: dict[str, list[Any]]) -> GoldenRequest:
    return GoldenRequest({QUESTIONS: [question]}, contract.DEFAULT.name, expect)


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
