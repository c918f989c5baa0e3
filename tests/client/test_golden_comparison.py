"""Comparison of outputs with golden requests: exact, within a tolerance, by argmax."""

from __future__ import annotations

import ml_dtypes
import numpy as np
import pytest
from seq2sum import Tensor, golden
from seq2sum.golden import GoldenRequest, Tolerance

NAN = float("nan")


def differences(expected, found, comparison="exact"):
    request = GoldenRequest({"x": [1]}, expect={"y": expected}, compare={"y": comparison})
    return golden.differences(request, {"y": found})


@pytest.mark.parametrize(
    ("expected", "found", "comparison"),
    [
        ([1, 2], [1, 2], "exact"),
        (["é"], ["é".encode()], "exact"),
        (["é"], np.array(["é".encode()], dtype=object), "exact"),
        (b"\xff", b"\xff", "exact"),
        (1.5, np.float32(1.5), "exact"),
        ([0.1, 2**25 + 1], Tensor("DT_FLOAT", (2,), np.float32([0.1, 2**25]).tobytes()), "exact"),
        ([0.1, 65519], np.float16([0.1, 65504]), "exact"),
        ([0.1], np.array([0.1], dtype=ml_dtypes.bfloat16), "exact"),
        ([], np.zeros((0, 3)), "exact"),
        ([[1.0, 2.0]], [[1.01, 2.02]], Tolerance(rtol=0.0101)),
        ([100], [101.0], Tolerance(atol=1)),
        ([float(10**15)], [float(10**15) + 1], Tolerance(atol=1)),
        ([[0.1, 0.9], [0.6, 0.4]], [[-3, 5], [9, 8]], "argmax"),
        ([0.1, 0.9], [0.0, 0.5], "argmax"),
    ],
)
def test_equal_outputs_have_no_differences(expected, found, comparison):
    assert differences(expected, found, comparison) == []


@pytest.mark.parametrize(
    ("expected", "found", "comparison", "text"),
    [
        (1, 2, "exact", "y is 2 (expected 1)"),
        ([1, 2], [1, 3], "exact", "y is [1] 3 (expected 2)"),
        ([[1, 2], [3, 4]], [[1, 2], [0, 4]], "exact", "y is [1, 0] 0 (expected 3)"),
        ([0.1], [float(np.float32(0.1))], "exact", "y is 0.10000000149011612 (expected 0.1)"),
        ([0.1], np.float32([0.1000001]), "exact", "y is 0.10000009834766388 (expected 0.1)"),
        ([1e39], np.float32([1]), "exact", "y is 1 (expected 1e+39)"),
        ([10**400], np.float16([1]), "exact", "000)"),
        (["0.1"], np.float32([0.1]), "exact", "y is 0.1 (expected '0.1')"),
        (["95"], [b"96"], "exact", "y is '96' (expected '95')"),
        (["a"], [b"\xff"], "exact", "y is b'\\xff' (expected 'a')"),
        ([1], [1, 1], "exact", "y has shape [2], expected [1]"),
        ([1], 1, "exact", "y has shape [], expected [1]"),
        ([1.0], [None], "exact", "y is None"),
        ([1.0], [1.2], Tolerance(atol=0.1), "y is 1.2 (expected 1)"),
        ([1.0], [NAN], Tolerance(atol=1e9), "y is nan (expected 1)"),
        ([1.0], ["a"], Tolerance(atol=1), "y is 'a' (expected 1)"),
        ([0.1, 0.9], [0.9, 0.1], "argmax", "y is 0 (expected 1) (argmax)"),
        ([[0.1, 0.9]] * 2, [[0, 1], [1, 0]], "argmax", "y is [1] 0 (expected 1) (argmax)"),
        ([0.1, 0.9], [NAN, 0.1], "argmax", "y is -1 (expected 1) (argmax)"),
        ([0.1, 0.9], [0.1, 0.2, 0.3], "argmax", "y has shape [3], expected [2]"),
        (["a"], ["b" * 500], "exact", "bb' (expected 'a')"),
    ],
)
def test_difference_shows_both_values(expected, found, comparison, text):
    [difference] = differences(expected, found, comparison)
    assert difference.endswith(text)
    assert len(difference) < 120


def test_many_differences_are_cut():
    [difference] = differences(list(range(5000)), list(range(1, 5001)))
    assert difference == (
        "y is [0] 1 (expected 0), [1] 2 (expected 1), [2] 3 (expected 2) and 4,997 more"
    )


def test_missing_output_is_a_difference_and_an_unlisted_one_is_not():
    request = GoldenRequest({"x": [1]}, expect={"y": [1], "z": [2]})
    assert golden.differences(request, {"z": [2], "other": [3]}) == ["output y is missing"]
