"""Histograms that cost little for each label: every version that is ever loaded gets some.

The library has an object for each bucket, and a cell of 34 takes 7.8 kB; here it takes 1.4
(measured). Nothing forgets the cells of a version that is gone, there or here, so a server that
swaps for months has to afford them. They are read by `cells`: the library's way would make a
dictionary for each bucket of each cell whenever somebody looks.
"""

from __future__ import annotations

import math
import threading
from bisect import bisect_left
from collections.abc import Sequence
from typing import Any, NamedTuple

from prometheus_client import Histogram


class Distribution(NamedTuple):
    """What one cell has counted."""

    counts: tuple[int, ...]
    """Values by bucket, each on its own; the last one has no upper bound."""
    total: float
    """Of all values."""


class Sampler(Histogram):
    """A Histogram of the library whose cells are a list of counts; the last bucket is infinite."""

    def _prepare_buckets(self, source_buckets: Sequence[float | str]) -> None:
        bounds = [float(bound) for bound in source_buckets]
        if not bounds or bounds != sorted(bounds):
            raise ValueError("the limits of the buckets are not in order")
        if bounds[-1] != math.inf:
            bounds.append(math.inf)
        self._upper_bounds = bounds

    def _metric_init(self) -> None:
        self._adding = threading.Lock()
        self._counts = [0] * len(self._upper_bounds)
        self._total = 0.0

    @property
    def bounds(self) -> Sequence[float]:
        """Upper bounds of the buckets."""
        return self._upper_bounds

    @property
    def count(self) -> int:
        """How many values were counted."""
        return sum(self._counts)

    def observe(self, amount: float, exemplar: dict[str, str] | None = None) -> None:  # noqa: ARG002
        """Counts a value; a value that equals a limit is within it."""
        place = bisect_left(self._upper_bounds, amount)
        with self._adding:
            self._counts[place] += 1
            self._total += amount

    def cells(self) -> dict[tuple[str, ...], Distribution]:
        """What was counted, by the values of the labels; without labels there is one cell."""
        if not self._labelnames:
            return {(): self._distribution()}
        with self._lock:
            labelled: dict[Any, Any] = dict(self._metrics)
        return {labels: one._distribution() for labels, one in labelled.items()}

    def _distribution(self) -> Distribution:
        with self._adding:
            return Distribution(tuple(self._counts), self._total)
