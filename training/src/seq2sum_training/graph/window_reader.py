"""Reads questions of any length from a window of bytes.

One table look-up per byte, summed over the row, counts the digits and pluses and finds their
positions; the layout's table then moves the bytes. `word_reader` does less work for questions of
up to eight bytes.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray
from seq2sum.addition import contract

from seq2sum_training.data.layouts import Layout, window
from seq2sum_training.graph.normalize import decode_normalized

FIELD_BITS = 10
"""Bits of each packed sum: with 18 digits, the positions in a window sum to 703 at most."""


def read(questions: Any, layout: Layout) -> tuple[tuple[Any, ...], Any]:
    """Returns the tokens of each step, int32 [n] each, and the status, int32 [n]."""
    width = window(layout.digits)

    def decode(texts: Any) -> tuple[Any, Any]:
        raw = tf.io.decode_raw(texts, tf.uint8, fixed_length=width)
        return raw, tf.strings.length(texts)

    raw, length = decode_normalized(questions, _is_unusual, decode, layout.digits)
    # Each byte contributes to six sums at once, packed into one int64.
    index = tf.cast(raw, tf.int32) + 256 * tf.range(width)
    packed = tf.reduce_sum(tf.gather(tf.constant(_features(width)), index), axis=1)
    digits, pluses, plus, positions, nuls = (_field(packed, i) for i in range(5))
    end = digits + pluses
    well_formed = (
        (pluses == 1)
        & (plus >= 1)
        & (end >= plus + 2)
        # The sum of distinct positions is minimal only if they are the first ones.
        & (2 * positions == end * (end - 1))
        # Only padding is NUL, and every other byte is a digit, a plus or a space.
        & (nuls == tf.maximum(width - length, 0))
        & (_field(packed, 5) == 0)
    )
    too_long = (plus > layout.digits) | (end - plus - 1 > layout.digits)
    status = tf.where(
        well_formed,
        tf.where(too_long, int(contract.Status.TOO_LONG), int(contract.Status.OK)),
        int(contract.Status.MALFORMED),
    )
    valid = status == contract.Status.OK
    zero = tf.zeros_like(plus)
    tokens = layout.tokens_in_graph(raw, tf.where(valid, plus, zero), tf.where(valid, end, zero))
    return tuple(tf.unstack(tf.where(valid[:, None], tokens, 0), axis=1)), status


def _is_unusual(raw: Any, length: Any) -> Any:
    """Returns the rows with leading zeros or bytes beyond the window, bool [n]."""
    zero, plus = raw == ord("0"), raw == ord("+")
    digit = (raw >= ord("0")) & (raw <= ord("9"))
    leading = (zero[:, 0] & digit[:, 1]) | tf.reduce_any(
        plus[:, :-2] & zero[:, 1:-1] & digit[:, 2:], axis=1
    )
    return leading | (length > raw.shape[1])


def _features(width: int) -> NDArray[np.int64]:
    """Returns the packed addends of each byte value at each position, int64 [width * 256]."""
    fields = np.zeros((6, width, 256), np.int64)
    position = np.arange(width)
    digits, plus, space, nul = list(b"0123456789"), ord("+"), ord(" "), 0
    fields[0][:, digits] = 1
    fields[1][:, plus] = 1
    fields[2][:, plus] = position
    fields[3][:, [*digits, plus]] = position[:, None]
    fields[4][:, nul] = 1
    fields[5] = 1
    fields[5][:, [*digits, plus, space, nul]] = 0
    shifts = FIELD_BITS * np.arange(6)[:, None, None]
    packed: NDArray[np.int64] = np.bitwise_or.reduce(fields << shifts, axis=0)
    return packed.reshape(-1)


def _field(packed: Any, index: int) -> Any:
    shifted = tf.bitwise.right_shift(packed, tf.constant(FIELD_BITS * index, tf.int64))
    return tf.cast(tf.bitwise.bitwise_and(shifted, 2**FIELD_BITS - 1), tf.int32)
