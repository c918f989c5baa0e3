"""Reads questions of up to eight bytes, each as one 64-bit word.

    1. Bit 4 is set in digits and clear in the other characters of a question, so one product
       collects a pattern of the bytes that may be digits. Pattern and length determine the
       positions of the plus and of the end, and select a row of the tables in `Patterns`.
    2. XOR with the expected bytes leaves digits as 0 to 9 and all other bytes as 0; otherwise the
       row is not a valid question.
    3. A product for each operand packs its digits, 4 bits each and aligned to the right. A missing
       digit and a leading zero are both 0, so leading zeros have no effect.
    4. A table for each operand gives its contribution to the tokens of every step.

The tables depend on characters and their positions; no step computes with the values of digits.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray
from seq2sum.addition import contract

from seq2sum_training.data.layouts import Layout
from seq2sum_training.graph.normalize import decode_normalized

WIDTH = 8
"""Bytes per word."""
MAX_DIGITS = 3
"""Most digits of an operand, so that the longest question has 7 bytes."""
DIGIT_BITS = 0x1010101010101010
COLLECT = sum(1 << (52 - 7 * byte) for byte in range(WIDTH))
"""Factor on the digit bits that moves bit 4 of byte i to bit 56 + i, without collisions."""
HIGH_NIBBLES = 0xF0F0F0F0F0F0F0F0
KEYS = 1 << (4 * MAX_DIGITS)
KEY_SHIFT = 64 - 4 * MAX_DIGITS
"""Lowest bit of an operand's key (its packed digits) in the product. The key is in the highest
bits, so that the bytes after the operand overflow and are lost."""


class Patterns(NamedTuple):
    """Tables by pattern of digits and length, int64 [9 * 256] each.

    The row is `256 * length + 128 + pattern`, the pattern as a signed byte.
    """

    expected: NDArray[np.int64]
    """Question of this pattern, with "0" for each digit."""
    allowed: NDArray[np.int64]
    """Added to each byte after the XOR, so that an invalid one carries into the high half of its
    byte: 6 for a digit, 15 for any other character."""
    first: NDArray[np.int64]
    """Factor that packs the first operand's digits from `KEY_SHIFT` up."""
    second: NDArray[np.int64]
    """Factor that packs the second operand's digits from `KEY_SHIFT` up."""
    status: NDArray[np.int64]
    """`contract.Status` if all bytes are valid, minus `MALFORMED`."""


def read(questions: Any, layout: Layout) -> tuple[tuple[Any, ...], Any]:
    """Returns the tokens of each step, int32 [n] each, and the status, int32 [n]."""

    def decode(texts: Any) -> tuple[Any, Any]:
        word = tf.io.decode_raw(texts, tf.int64, fixed_length=WIDTH)
        return tf.reshape(word, [-1]), tf.strings.length(texts)

    word, length = decode_normalized(
        questions, lambda _, length: length > WIDTH, decode, layout.digits
    )
    pattern = _shifted(tf.bitwise.bitwise_and(word, DIGIT_BITS) * COLLECT, 56)
    row = pattern + tf.gather(tf.constant(256 * np.arange(WIDTH + 1) + 128), length)
    # One look-up of five numbers is faster than five look-ups.
    table = np.stack(_patterns(layout.digits), axis=1)
    patterns = Patterns(*tf.unstack(tf.gather(tf.constant(table), row), axis=1))
    rest = tf.bitwise.bitwise_xor(word, patterns.expected)
    unexpected = tf.bitwise.bitwise_or(rest, rest + patterns.allowed)
    as_expected = tf.bitwise.bitwise_and(unexpected, _signed(HIGH_NIBBLES)) == 0
    malformed = int(contract.Status.MALFORMED)
    # Products are several times as fast as `tf.where` with a scalar, which broadcasts.
    status = malformed + tf.cast(as_expected, tf.int64) * patterns.status

    first, second = (
        tf.bitwise.bitwise_and(_shifted(rest * factor, KEY_SHIFT), KEYS - 1)
        for factor in (patterns.first, patterns.second)
    )
    by_first, offset_by_first, by_second = _token_tables(layout)
    if offset_by_first.any():
        second += tf.gather(tf.constant(offset_by_first), first)
    tokens = tf.gather(tf.constant(by_first), first) + tf.gather(tf.constant(by_second), second)
    tokens *= tf.cast(status == contract.Status.OK, tf.int32)
    bits = _bits(layout)
    steps = tuple(
        tf.bitwise.bitwise_and(tf.bitwise.right_shift(tokens, bits * step), 2**bits - 1)
        for step in range(layout.steps)
    )
    return steps, tf.cast(status, tf.int32)


def _patterns(digits: int) -> Patterns:
    """Returns the tables for operands of up to `digits` digits."""
    rows = [[0] * (WIDTH + 1) * 256 for _ in Patterns._fields]
    # Rows of invalid patterns stay 0: MALFORMED, and the factor 0, with which operands become 0.
    for first in range(1, WIDTH - 1):
        for second in range(1, WIDTH - first):
            end = first + 1 + second
            marks = "1" * first + "0" + "1" * second + "0" * (WIDTH - end)
            pattern = int.from_bytes([int(marks[::-1], 2)], signed=True)
            fits = max(first, second) <= digits
            for length in range(end, WIDTH + 1):
                text = b"0" * first + b"+" + b"0" * second + b" " * (length - end)
                allowed = bytes(6 if mark == "1" else 15 for mark in marks)
                values = (
                    int.from_bytes(text, "little"),
                    int.from_bytes(allowed, "little"),
                    _packing_factor(first - 1, first) if fits else 0,
                    _packing_factor(end - 1, second) if fits else 0,
                    (contract.Status.OK if fits else contract.Status.TOO_LONG)
                    - contract.Status.MALFORMED,
                )
                for table, value in zip(rows, values, strict=True):
                    table[256 * length + 128 + pattern] = _signed(value)
    return Patterns(*(np.array(table, np.int64) for table in rows))


def _packing_factor(last: int, count: int) -> int:
    """Returns the factor that packs `count` digits that end at byte `last`, from `KEY_SHIFT` up."""
    return sum(1 << (KEY_SHIFT + 4 * i - 8 * (last - i)) for i in range(count))


def _token_tables(
    layout: Layout,
) -> tuple[NDArray[np.int32], NDArray[np.int64], NDArray[np.int32]]:
    """Returns tables from the operands' keys to their contributions to the packed tokens.

    Returns:
        The first operand's table, [KEYS]; by the first operand's key, the offset into the second
        operand's table, [KEYS], all zeros if that has one row; the second operand's table, flat,
        [KEYS] or with a row for each length of the first operand.
    """
    numbers = np.arange(10**layout.digits)
    keys = sum((numbers // 10**place % 10) << (4 * place) for place in range(MAX_DIGITS))
    lengths = np.char.str_len(numbers.astype("S"))

    def packed(first: Any, second: Any) -> NDArray[np.int64]:
        texts = np.char.add(np.char.add(np.asarray(first, "S"), b"+"), np.asarray(second, "S"))
        shifts = _bits(layout) * np.arange(layout.steps)
        words: NDArray[np.int64] = (layout.tokens(texts).astype(np.int64) << shifts).sum(axis=1)
        return words

    by_first, offsets = np.zeros(KEYS, np.int32), np.zeros(KEYS, np.int64)
    by_first[keys] = packed(numbers, [0])
    offsets[keys] = KEYS * (lengths - 1)
    by_second = np.zeros((layout.digits, KEYS), np.int32)
    for row in range(layout.digits):
        any_first = ["1" * (row + 1)]
        by_second[row, keys] = packed(any_first, numbers) - packed(any_first, [0])
    if (by_second == by_second[0]).all():
        return by_first, np.zeros_like(offsets), by_second[0]
    return by_first, offsets, by_second.reshape(-1)


def _bits(layout: Layout) -> int:
    """Returns the bits per packed token."""
    return (layout.vocabulary - 1).bit_length()


def _shifted(words: Any, bits: int) -> Any:
    return tf.bitwise.right_shift(words, tf.constant(bits, tf.int64))


def _signed(value: int) -> int:
    """Returns the int64 with the lowest 64 bits of this integer."""
    return int.from_bytes((value % 2**64).to_bytes(8, "little"), "little", signed=True)
