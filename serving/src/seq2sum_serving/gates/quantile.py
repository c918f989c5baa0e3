"""Quantiles of latencies, by nearest rank: a value that was measured, never one in between."""

from __future__ import annotations

import math
from collections.abc import Sequence

MEDIAN = 0.5
P99 = 0.99


def quantile(values: Sequence[float], share: float) -> float:
    """The smallest of the values that at least this share of them does not exceed.

    Raises:
        ValueError: There are none.
    """
    if not values:
        raise ValueError("there is no quantile of nothing")
    # Rounded, since 0.07 * 100 is a little more than 7.
    rank = math.ceil(round(share * len(values), 9))
    return sorted(values)[max(rank, 1) - 1]


def ratio(value: float, base: float) -> float | None:
    """How many times the base; None if the base is too small to be measured."""
    return value / base if base > 0 else None
