"""Reading questions of any length by position, a byte at a time.

One table look-up per byte, summed over the row, tells how many digits and pluses there are
and where; the layout's table then moves the bytes. `words` does the same with less work where
a question fits into eight bytes.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray
from seq2sum.addition import contract

from seq2sum_training.data.layouts import Layout, window
from seq2sum_training.graph.normalize import tidied

FIELD_BITS = 10
"""Bits of each sum that a row's features hold; positions up to 9 digits sum to at most 190."""


def read(questions: Any, layout: Layout) -> tuple[tuple[Any, ...], Any]:
    """The tokens of each step, int32 [n] each, and the status, int32 [n]."""
    width = window(layout.digits)

    def opened(texts: Any) -> tuple[Any, Any]:
        raw = tf.io.decode_raw(texts, tf.uint8, fixed_length=width)
        return raw, tf.strings.length(texts)

    raw, length = tidied(questions, _untidy, opened, layout.digits)
    # Each byte contributes to five sums at once, packed into one int64.
    cells = tf.cast(raw, tf.int32) + 256 * tf.range(width)
    packed = tf.reduce_sum(tf.gather(tf.constant(_features(width)), cells), axis=1)
    digits, pluses, plus, places, nuls = (_field(packed, i) for i in range(5))
    end = digits + pluses
    well_formed = (
        (pluses == 1)
        & (plus >= 1)
        & (end >= plus + 2)
        # Distinct positions have the least possible sum only if they are the first ones.
        & (2 * places == end * (end - 1))
        # Only padding is NUL, and every byte that is there is a digit, a plus or a space.
        & (nuls == tf.maximum(width - length, 0))
        & (_field(packed, 5) == 0)
    )
    too_long = (plus > layout.digits) | (end - plus - 1 > layout.digits)
    status = tf.where(
        well_formed,
        tf.where(too_long, int(contract.Status.TOO_LONG), int(contract.Status.OK)),
        int(contract.Status.MALFORMED),
    )
    good = status == contract.Status.OK
    blank = tf.zeros_like(plus)
    tokens = layout.tokens_in_graph(raw, tf.where(good, plus, blank), tf.where(good, end, blank))
    return tuple(tf.unstack(tf.where(good[:, None], tokens, 0), axis=1)), status


def _untidy(raw: Any, length: Any) -> Any:
    """Rows with leading zeros or bytes beyond the window, bool [n]."""
    zero, plus = raw == ord("0"), raw == ord("+")
    a_digit = (raw >= ord("0")) & (raw <= ord("9"))
    leading = (zero[:, 0] & a_digit[:, 1]) | tf.reduce_any(
        plus[:, :-2] & zero[:, 1:-1] & a_digit[:, 2:], axis=1
    )
    return leading | (length > raw.shape[1])


def _features(width: int) -> NDArray[np.int64]:
    """For each byte at each position, its contribution to the packed sums, [width * 256]."""
    fields = np.zeros((6, width, 256), np.int64)
    position = np.arange(width)
    a_digit, plus, space, nul = list(b"0123456789"), ord("+"), ord(" "), 0
    fields[0][:, a_digit] = 1
    fields[1][:, plus] = 1
    fields[2][:, plus] = position
    fields[3][:, [*a_digit, plus]] = position[:, None]
    fields[4][:, nul] = 1
    fields[5] = 1
    fields[5][:, [*a_digit, plus, space, nul]] = 0
    shifts = FIELD_BITS * np.arange(6)[:, None, None]
    packed: NDArray[np.int64] = np.bitwise_or.reduce(fields << shifts, axis=0)
    return packed.reshape(-1)


def _field(packed: Any, index: int) -> Any:
    shifted = tf.bitwise.right_shift(packed, tf.constant(FIELD_BITS * index, tf.int64))
    return tf.cast(tf.bitwise.bitwise_and(shifted, 2**FIELD_BITS - 1), tf.int32)
