"""Selects the golden questions of each round, so that successive rounds cover all of them."""

from __future__ import annotations

from collections.abc import Sequence

from seq2sum_serving.gates.golden import Golden

Questions = Sequence[tuple[bytes, str]]
"""Questions with their answers."""

_PAIRS = [(a, b) for a in range(9, -1, -1) for b in range(9, -1, -1)]
SINGLE_DIGIT_SUMS = Golden(
    tuple(f"{a}+{b}".encode() for a, b in _PAIRS), tuple(str(a + b) for a, b in _PAIRS)
)
"""Sent if a version's own golden questions cannot be read: any version can read these. Sums with a
carry come first."""


def questions_of_round(golden: Golden, round_number: int, count: int) -> Questions:
    """Returns the next questions with their answers, starting over after the last one.

    Args:
        golden: All golden questions.
        round_number: Counted from 0.
        count: Number of questions in each round; no question is repeated within a round.
    """
    total = len(golden.questions)
    start = round_number * count
    indices = [(start + offset) % total for offset in range(min(count, total))]
    return [(golden.questions[index], golden.answers[index]) for index in indices]
