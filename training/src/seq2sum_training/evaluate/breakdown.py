"""Breakdowns of an evaluation: errors by operand length, by number of carries, by confidence.

The rows are for JSON and for pictures; each has the `questions` and `errors` of a group.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from seq2sum_training.data import carries
from seq2sum_training.data.questions import Mask, Numbers

CONFIDENCE_EDGES = (0.0, 0.5, 0.8, 0.9, 0.95, 0.98, 0.99, 0.995, 0.998, 0.999, 1.0)
"""Edges of the confidence bins, narrow where most answers of a trained model are."""

Rows = list[dict[str, Any]]


def lengths(numbers: Numbers) -> NDArray[np.int64]:
    """Returns the number of digits of each number, [n]."""
    powers = 10 ** np.arange(1, 19, dtype=np.int64)
    return np.asarray(np.searchsorted(powers, numbers, side="right") + 1)


def by_lengths(first: Numbers, second: Numbers, wrong: Mask, *, digits: int) -> Rows:
    """Returns a row for each pair of operand lengths, with `first` and `second`."""
    group = (lengths(first) - 1) * digits + lengths(second) - 1
    rows = _counts(group, wrong, digits * digits)
    return [
        {"first": index // digits + 1, "second": index % digits + 1, **row}
        for index, row in enumerate(rows)
    ]


def by_carries(first: Numbers, second: Numbers, wrong: Mask, *, digits: int) -> Rows:
    """Returns a row for each number of `carries` in the sum."""
    rows = _counts(carries.count(first, second, digits=digits), wrong, digits + 1)
    return [{"carries": number, **row} for number, row in enumerate(rows)]


def calibration(confidence: NDArray[np.float32], wrong: Mask) -> Rows:
    """Returns a row for each bin of confidence: `from`, `to` and `mean_confidence`."""
    bins = len(CONFIDENCE_EDGES) - 1
    group = np.clip(np.searchsorted(CONFIDENCE_EDGES, confidence, side="right") - 1, 0, bins - 1)
    total = np.bincount(group, confidence, bins)
    return [
        {
            "from": CONFIDENCE_EDGES[index],
            "to": CONFIDENCE_EDGES[index + 1],
            **row,
            "mean_confidence": total[index] / row["questions"] if row["questions"] else None,
        }
        for index, row in enumerate(_counts(group, wrong, bins))
    ]


def _counts(group: NDArray[np.int64], wrong: Mask, groups: int) -> Rows:
    questions = np.bincount(group, minlength=groups).tolist()
    errors = np.bincount(group, wrong, groups).astype(int).tolist()
    return [{"questions": q, "errors": e} for q, e in zip(questions, errors, strict=True)]
