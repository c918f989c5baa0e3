"""Carries: how many a sum has, and sums in which one runs through several places.

    place       3 2 1 0
    first       0 4 6 8
    second      0 2 3 5
                  ^ ^-^------ place 0 makes a carry (8+5), place 1 hands it on (6+3 = 9):
                  |           a chain of 2 places from place 0
                  absorbs it (4+2)

A carry is what makes a sum more than its digits. Long chains are rare among random questions
(each further place divides their number by ten), so they are also drawn on purpose.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from seq2sum_training.data.questions import Numbers


def count(first: Numbers, second: Numbers, *, digits: int) -> NDArray[np.int64]:
    """Places of each sum that carry into the next one, [n]."""
    places = 10 ** np.arange(digits, dtype=np.int64)
    # Low parts of both operands that reach beyond their places have carried.
    low = first[:, None] % (10 * places) + second[:, None] % (10 * places)
    return np.asarray((low >= 10 * places).sum(axis=1))


def families(digits: int) -> list[tuple[int, int]]:
    """Every (first place, number of places) of a chain in operands of `digits` digits."""
    return [(start, n) for start in range(digits) for n in range(1, digits - start + 1)]


def draw(random: np.random.Generator, *, digits: int, count: int) -> Numbers:
    """Pairs of random chain families, each as likely as the other, [2, count]."""
    chosen = np.array(families(digits))[random.integers(0, len(families(digits)), count)]
    return chains(random, start=chosen[:, 0], places=chosen[:, 1], digits=digits)


def chains(random: np.random.Generator, *, start: Numbers, places: Numbers, digits: int) -> Numbers:
    """Pairs with a carry that starts at `start` and leaves each of `places` places, [2, n]."""
    place = np.arange(digits)
    begins = start[:, None]
    ends = begins + places[:, None]
    shape = (len(start), digits)
    any_first, any_second = random.integers(0, 10, (2, *shape))
    making = random.integers(1, 10, shape)
    absorbing = random.integers(0, 9, shape)
    at = [place == begins, (place > begins) & (place < ends), place == ends]
    first = np.select(at, [making, any_first, absorbing], any_first)
    made = random.integers(10 - making, 10)
    absorbed = random.integers(0, 9 - absorbing)
    second = np.select(at, [made, 9 - any_first, absorbed], any_second)
    weights = 10 ** np.arange(digits, dtype=np.int64)
    return np.stack([first @ weights, second @ weights])
