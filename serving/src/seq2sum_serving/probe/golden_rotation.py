"""Selects the golden requests of each round, so that successive rounds cover all of them."""

from __future__ import annotations

from collections.abc import Sequence

from seq2sum.golden import GoldenRequest


def requests_of_round(
    requests: Sequence[GoldenRequest], round_number: int, count: int
) -> list[GoldenRequest]:
    """Returns the next requests, starting over after the last one.

    Args:
        requests: All golden requests; at least one.
        round_number: Counted from 0.
        count: Number of requests in each round; no request is repeated within a round.
    """
    total = len(requests)
    start = round_number * count
    return [requests[(start + offset) % total] for offset in range(min(count, total))]
