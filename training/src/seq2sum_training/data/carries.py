"""Carries: counting them, and drawing sums with carry chains.

A carry chain of n places starts at a place whose digits sum to 10 or more and goes on through
n - 1 places whose digits sum to 9; the next place absorbs the carry. A chain family is its first
place and its number of places.

    place       3 2 1 0
    first       0 4 6 8
    second      0 2 3 5
                  ^ ^-^------ place 0 generates a carry (8+5), place 1 propagates it (6+3 = 9):
                  |           a chain of 2 places from place 0
                  absorbs it (4+2)

Long chains are rare among random questions (each further place divides their number by ten), so
they are also drawn separately.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from seq2sum_training.data.questions import Numbers


def count(first: Numbers, second: Numbers, *, digits: int) -> NDArray[np.int64]:
    """Returns the number of carries in each sum, [n]."""
    places = 10 ** np.arange(digits, dtype=np.int64)
    # Place p carries if the operands modulo 10**(p + 1) sum to 10**(p + 1) or more.
    low = first[:, None] % (10 * places) + second[:, None] % (10 * places)
    return np.asarray((low >= 10 * places).sum(axis=1))


def families(digits: int) -> list[tuple[int, int]]:
    """Returns (first place, number of places) of every chain family in operands of this length."""
    return [(start, n) for start in range(digits) for n in range(1, digits - start + 1)]


def draw(random: np.random.Generator, *, digits: int, count: int) -> Numbers:
    """Draws pairs from chain families chosen uniformly at random, [2, count]."""
    chosen = np.array(families(digits))[random.integers(0, len(families(digits)), count)]
    return chains(random, start=chosen[:, 0], places=chosen[:, 1], digits=digits)


def chains(random: np.random.Generator, *, start: Numbers, places: Numbers, digits: int) -> Numbers:
    """Draws pairs, each with a carry chain of `places` places from place `start`, [2, n].

    Args:
        random: Source of randomness.
        start: First place of each chain, 0 for the units, [n].
        places: Number of places of each chain, [n].
        digits: Maximum number of digits of an operand.
    """
    place = np.arange(digits)
    first_place = start[:, None]
    absorbing_place = first_place + places[:, None]
    shape = (len(start), digits)
    any_first, any_second = random.integers(0, 10, (2, *shape))
    generating = random.integers(1, 10, shape)
    absorbing = random.integers(0, 9, shape)
    roles = [
        place == first_place,
        (place > first_place) & (place < absorbing_place),
        place == absorbing_place,
    ]
    first = np.select(roles, [generating, any_first, absorbing], any_first)
    ten_or_more = random.integers(10 - generating, 10)
    at_most_eight = random.integers(0, 9 - absorbing)
    second = np.select(roles, [ten_or_more, 9 - any_first, at_most_eight], any_second)
    weights = 10 ** np.arange(digits, dtype=np.int64)
    return np.stack([first @ weights, second @ weights])
