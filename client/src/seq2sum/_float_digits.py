"""Floats of less than 64 bits: the nearest to a number, and the fewest digits that name one."""

from __future__ import annotations

import math
import struct

from seq2sum._dtypes import BFLOAT16, DTYPES, FLOAT8_E4M3FN, FLOAT8_E5M2
from seq2sum._narrow_floats import narrowed
from seq2sum._tensor import unpacked

DIGITS = {
    "DT_FLOAT": (7, 9), "DT_HALF": (3, 5), BFLOAT16: (2, 4),
    FLOAT8_E5M2: (1, 2), FLOAT8_E4M3FN: (1, 3),
}  # fmt: skip
"""The fewest digits that are tried, and the number that is always enough."""


def nearest(dtype: str, value: float) -> float | None:
    """Returns the nearest number of a float dtype; None if the value is too large for it."""
    try:
        if DTYPES[dtype].narrow:
            content = narrowed(dtype, [value])
        else:
            content = struct.pack(f"<{DTYPES[dtype].code}", value)
    except (OverflowError, struct.error):  # the latter for integers that fit no float
        return None
    found: float = unpacked(dtype, content)[0]
    return found


def shortest(dtype: str, value: float) -> float:
    """Returns a number of a float dtype as the float with the fewest digits that is nearest to it.

    In 32 bits, 0.1 is 0.10000000149011612; but these digits say no more than 0.1 does.
    """
    if dtype not in DIGITS or not math.isfinite(value):
        return value
    fewest, enough = DIGITS[dtype]
    for digits in range(fewest, enough):
        short = float(f"{value:.{digits}g}")
        if nearest(dtype, short) == value:
            return short
    return float(f"{value:.{enough}g}")
