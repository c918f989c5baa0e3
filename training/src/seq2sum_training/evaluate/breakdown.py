"""Breakdowns of an evaluation: where the errors are, and what confidence is worth.

Rows for JSON and for pictures; each has `questions` and `errors` of a group.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from seq2sum_training.data import carries
from seq2sum_training.data.questions import Mask, Numbers

CONFIDENCE_EDGES = (0.0, 0.5, 0.8, 0.9, 0.95, 0.98, 0.99, 0.995, 0.998, 0.999, 1.0)
"""Bounds of the bins of confidence; narrow where a trained model's answers are."""

Rows = list[dict[str, Any]]


def lengths(numbers: Numbers) -> NDArray[np.int64]:
    """Digits of each number as it is written."""
    powers = 10 ** np.arange(1, 19, dtype=np.int64)
    return np.asarray(np.searchsorted(powers, numbers, side="right") + 1)


def by_lengths(first: Numbers, second: Numbers, wrong: Mask, *, digits: int) -> Rows:
    """For each pair of operand lengths."""
    group = (lengths(first) - 1) * digits + lengths(second) - 1
    rows = _counts(group, wrong, digits * digits)
    return [
        {"first": place // digits + 1, "second": place % digits + 1, **row}
        for place, row in enumerate(rows)
    ]


def by_carries(first: Numbers, second: Numbers, wrong: Mask, *, digits: int) -> Rows:
    """For each number of carries in the sum."""
    rows = _counts(carries.count(first, second, digits=digits), wrong, digits + 1)
    return [{"carries": carried, **row} for carried, row in enumerate(rows)]


def calibration(confidence: NDArray[np.float32], wrong: Mask) -> Rows:
    """For each bin of confidence: what was promised on average, and how much was right."""
    bins = len(CONFIDENCE_EDGES) - 1
    group = np.clip(np.searchsorted(CONFIDENCE_EDGES, confidence, side="right") - 1, 0, bins - 1)
    promised = np.bincount(group, confidence, bins)
    return [
        {
            "from": CONFIDENCE_EDGES[place],
            "to": CONFIDENCE_EDGES[place + 1],
            **row,
            "mean_confidence": promised[place] / row["questions"] if row["questions"] else None,
        }
        for place, row in enumerate(_counts(group, wrong, bins))
    ]


def _counts(group: NDArray[np.int64], wrong: Mask, groups: int) -> Rows:
    questions = np.bincount(group, minlength=groups).tolist()
    errors = np.bincount(group, wrong, groups).astype(int).tolist()
    return [{"questions": q, "errors": e} for q, e in zip(questions, errors, strict=True)]
