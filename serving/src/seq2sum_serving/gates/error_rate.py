"""The number of calls that may fail, given the error rate of calls to compare with."""

from __future__ import annotations

import math

SIGMAS = 3.0
"""Standard deviations by which the number of errors may exceed the number that the other error rate
predicts. Without them, a caller that always sends some invalid requests would fail every other
step."""
DIGITS = 9
"""Decimals of computed limits: 1 - 0.9 is a little less than 0.1."""


def allowed_errors(
    calls: float, max_share: float, base_calls: float, base_errors: float, *, min_calls: int
) -> float:
    """Returns the largest number of errors that passes. Pure.

    Args:
        calls: Number of calls that are judged; raised to `min_calls` if less, so that they can fail
            as soon as their errors exceed the limit for that many.
        max_share: Share of these that may fail beyond the other error rate.
        base_calls: Number of calls to compare with. Fewer than `min_calls` have no error rate: one
            error in two calls would excuse every second call.
        base_errors: Number of these that failed.
        min_calls: Number of calls that have an error rate.
    """
    judged = max(calls, min_calls)
    expected = judged * base_errors / base_calls if base_calls >= min_calls else 0.0
    return round(judged * max_share + expected + SIGMAS * math.sqrt(expected), DIGITS)
