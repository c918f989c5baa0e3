"""Counting of carries, and carry chains."""

from __future__ import annotations

import numpy as np
from seq2sum_training.data import carries
from seq2sum_training.data.questions import all_pairs


def carries_of(first, second):
    """Returns the places that generate a carry, computed by adding digit by digit."""
    places, carry, place = [], 0, 0
    while first or second:
        carry = (first % 10 + second % 10 + carry) // 10
        if carry:
            places.append(place)
        first, second, place = first // 10, second // 10, place + 1
    return places


def test_count_agrees_with_addition_digit_by_digit():
    first, second = all_pairs(2)
    counted = carries.count(first, second, digits=2)
    expected = [len(carries_of(a, b)) for a, b in zip(first.tolist(), second.tolist(), strict=True)]
    assert counted.tolist() == expected


def test_count_of_operands_with_18_digits():
    nines = np.array([10**18 - 1])
    assert carries.count(nines, np.array([1]), digits=18).tolist() == [18]
    assert carries.count(nines, nines, digits=18).tolist() == [18]


def test_chains_carry_through_the_places_of_their_family():
    random = np.random.default_rng(1)
    for start, places in carries.families(5):
        many = np.ones(200, int)
        pairs = carries.chains(random, start=start * many, places=places * many, digits=5)
        assert pairs.max() < 10**5
        for first, second in pairs.T.tolist():
            found = carries_of(first, second)
            assert set(range(start, start + places)) <= set(found)
            assert start + places not in found


def test_families_have_every_start_and_length():
    assert carries.families(3) == [(0, 1), (0, 2), (0, 3), (1, 1), (1, 2), (2, 1)]
    drawn = carries.draw(np.random.default_rng(2), digits=3, count=3000)
    counted = carries.count(*drawn, digits=3)
    assert set(counted.tolist()) == {1, 2, 3}
