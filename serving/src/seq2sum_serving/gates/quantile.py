"""Quantiles of latencies by nearest rank: always a measured value, never interpolated."""

from __future__ import annotations

import math
from collections.abc import Sequence

MEDIAN = 0.5
P99 = 0.99


def quantile(values: Sequence[float], share: float) -> float:
    """Returns the smallest value such that at least this share of all values is not above it.

    Raises:
        ValueError: `values` is empty.
    """
    if not values:
        raise ValueError("no values to compute a quantile of")
    # Rounded, because 0.07 * 100 is a little more than 7.
    rank = math.ceil(round(share * len(values), 9))
    return sorted(values)[max(rank, 1) - 1]


def ratio(value: float, base: float) -> float | None:
    """Returns `value / base`; None if the base is 0."""
    return value / base if base > 0 else None
