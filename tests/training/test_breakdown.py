"""Breakdowns of an evaluation's errors."""

from __future__ import annotations

import numpy as np
import pytest
from seq2sum_training.data.questions import all_pairs
from seq2sum_training.evaluate import breakdown


def test_lengths_count_decimal_digits():
    numbers = [0, 9, 10, 99, 100, 10**17, 10**18 - 1]
    assert breakdown.lengths(np.array(numbers)).tolist() == [len(str(n)) for n in numbers]


def test_by_lengths_counts_questions_and_errors_per_pair_of_lengths():
    first, second = all_pairs(2)
    wrong = (first == 7) & (second > 50)
    rows = breakdown.by_lengths(first, second, wrong, digits=2)
    cells = {(row["first"], row["second"]): (row["questions"], row["errors"]) for row in rows}
    assert cells == {(1, 1): (100, 0), (1, 2): (900, 49), (2, 1): (900, 0), (2, 2): (8100, 0)}


def test_by_carries_counts_questions_and_errors_per_number_of_carries():
    first, second = np.array([12, 15, 95, 99]), np.array([12, 15, 5, 99])
    rows = breakdown.by_carries(first, second, np.array([0, 1, 1, 0], bool), digits=2)
    assert rows == [
        {"carries": 0, "questions": 1, "errors": 0},
        {"carries": 1, "questions": 1, "errors": 1},
        {"carries": 2, "questions": 2, "errors": 1},
    ]


def test_calibration_counts_questions_and_errors_per_confidence_bin():
    confidence = np.array([0.0, 0.3, 0.5, 0.9995, 1.0], np.float32)
    rows = breakdown.calibration(confidence, np.array([1, 1, 0, 0, 0], bool))
    filled = [row for row in rows if row["questions"]]
    assert [(row["from"], row["to"]) for row in filled] == [(0.0, 0.5), (0.5, 0.8), (0.999, 1.0)]
    assert [(row["questions"], row["errors"]) for row in filled] == [(2, 2), (1, 0), (2, 0)]
    assert [row["mean_confidence"] for row in filled] == pytest.approx([0.15, 0.5, 0.99975])
    assert all(row["mean_confidence"] is None for row in rows if not row["questions"])
