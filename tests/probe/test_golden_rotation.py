"""Each round sends a few golden requests, and successive rounds cover all of them."""

from __future__ import annotations

import pytest
from seq2sum.golden import GoldenRequest
from seq2sum_serving.probe.golden_rotation import requests_of_round

FIVE = tuple(GoldenRequest({"x": number}, expect={"y": number}) for number in range(5))


@pytest.mark.parametrize(
    ("number", "count", "inputs"),
    [
        (0, 2, [0, 1]),
        (1, 2, [2, 3]),
        (2, 2, [4, 0]),
        (3, 2, [1, 2]),
        (0, 5, [0, 1, 2, 3, 4]),
        (1, 5, [0, 1, 2, 3, 4]),
        (0, 9, [0, 1, 2, 3, 4]),
        (10**9, 1, [0]),
    ],
)
def test_rotation_starts_over_after_the_last_request(number, count, inputs):
    found = requests_of_round(FIVE, number, count)
    assert [request.inputs["x"] for request in found] == inputs


def test_rotation_covers_every_request():
    rounds = [requests_of_round(FIVE, number, 3) for number in range(2)]
    assert {request.inputs["x"] for each in rounds for request in each} == set(range(5))
