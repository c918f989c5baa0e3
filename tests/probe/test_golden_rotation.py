"""Each round sends a few golden requests, and successive rounds cover all of them."""

from __future__ import annotations

import pytest
from seq2sum.golden import GoldenRequest
from seq2sum_serving.probe.golden_rotation import requests_of_round

FIVE = [GoldenRequest({"questions": [f"{n}+0"]}, expect={"answers": [str(n)]}) for n in range(5)]


@pytest.mark.parametrize(
    ("number", "count", "answers"),
    [
        (0, 2, "01"),
        (1, 2, "23"),
        (2, 2, "40"),
        (3, 2, "12"),
        (0, 5, "01234"),
        (1, 5, "01234"),
        (0, 9, "01234"),
        (10**9, 1, "0"),
    ],
)
def test_rotation_starts_over_after_the_last_request(number, count, answers):
    found = requests_of_round(FIVE, number, count)
    assert "".join(request.expect["answers"][0] for request in found) == answers


def test_rotation_of_no_requests_is_empty():
    assert requests_of_round((), 3, 2) == []
