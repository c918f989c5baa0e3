"""Golden questions: those that a version brings along, a few a round, in turns."""

from __future__ import annotations

from seq2sum_serving.gates.golden import Golden

_PAIRS = [(a, b) for a in range(9, -1, -1) for b in range(9, -1, -1)]
SUMS = Golden(tuple(f"{a}+{b}".encode() for a, b in _PAIRS), tuple(str(a + b) for a, b in _PAIRS))
"""Where a version's own are out of reach: of one digit, for any version can read these. Those
with a carry come first."""


def turn(questions: Golden, number: int, count: int) -> list[tuple[bytes, str]]:
    """The questions of a round with their answers; after all of them the first ones come again.

    Args:
        questions: All of them.
        number: Of the round, from 0 on.
        count: How many a round; no question comes twice in one.
    """
    there = len(questions.questions)
    places = [(number * count + place) % there for place in range(min(count, there))]
    return [(questions.questions[place], questions.answers[place]) for place in places]
