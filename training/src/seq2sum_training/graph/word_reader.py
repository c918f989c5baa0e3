"""Reading questions of up to eight bytes, each as one 64-bit number.

    1. Bit 4 is set in digits and clear in what else a question has, so one product collects a
       pattern: which of the eight bytes may be digits. With the length it tells where the plus
       and the end would have to be, and everything else follows from tables of patterns.
    2. XOR with what the pattern expects leaves digits as 0 to 9 and all other bytes as 0, or
       the row is no question.
    3. A product for each operand moves its digits together, 4 bits each and aligned to the
       right. An operand without a digit in some place is like one with a zero there, which
       is how leading zeros come to mean nothing.
    4. A table for each operand gives what it contributes to the tokens of every step.

The tables are about characters and where they stand; nothing is computed with what digits mean.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray
from seq2sum.addition import contract

from seq2sum_training.data.layouts import Layout
from seq2sum_training.graph.normalize import tidied

WIDTH = 8
"""Bytes of a word."""
MOST_DIGITS = 3
"""Of an operand: the longest question has 7 bytes then."""
DIGIT_BITS = 0x1010101010101010
COLLECT = sum(1 << (52 - 7 * byte) for byte in range(WIDTH))
"""Times the digit bits: bit 4 of byte i goes to bit 56 + i, and no two products meet."""
HIGH_NIBBLES = 0xF0F0F0F0F0F0F0F0
KEYS = 1 << (4 * MOST_DIGITS)
KEY = 64 - 4 * MOST_DIGITS
"""Where an operand's key, the digits of it, begins after the product: the topmost bits, so
that what follows the operand in the question is shifted out."""


class Patterns(NamedTuple):
    """What follows from a pattern of digits and a length, int64 [9 * 256] each.

    The row is `256 * length + 128 + pattern`, the pattern as a signed byte.
    """

    expected: NDArray[np.int64]
    """A question of this pattern, with "0" for each digit."""
    allowed: NDArray[np.int64]
    """What carries into the high half of a byte when it is added to something that is not
    allowed there: 6 where a digit stands, 15 where there is nothing left to differ."""
    first: NDArray[np.int64]
    """The factor that moves the first operand's digits to `KEY`."""
    second: NDArray[np.int64]
    """The factor that moves the second operand's digits to `KEY`."""
    status: NDArray[np.int64]
    """`contract.Status` if the bytes are as expected."""


def read(questions: Any, layout: Layout) -> tuple[tuple[Any, ...], Any]:
    """The tokens of each step, int32 [n] each, and the status, int32 [n]."""

    def opened(texts: Any) -> tuple[Any, Any]:
        word = tf.io.decode_raw(texts, tf.int64, fixed_length=WIDTH)
        return tf.reshape(word, [-1]), tf.strings.length(texts)

    word, length = tidied(questions, lambda _, length: length > WIDTH, opened, layout.digits)
    pattern = _shifted(tf.bitwise.bitwise_and(word, DIGIT_BITS) * COLLECT, 56)
    row = pattern + tf.gather(tf.constant(256 * np.arange(WIDTH + 1) + 128), length)
    # One look-up of five numbers takes less time than five.
    table = np.stack(_patterns(layout.digits), axis=1)
    patterns = Patterns(*tf.unstack(tf.gather(tf.constant(table), row), axis=1))
    rest = tf.bitwise.bitwise_xor(word, patterns.expected)
    odd = tf.bitwise.bitwise_or(rest, rest + patterns.allowed)
    as_expected = tf.bitwise.bitwise_and(odd, _signed(HIGH_NIBBLES)) == 0
    status = tf.where(as_expected, patterns.status, int(contract.Status.MALFORMED))

    first, second = (
        tf.bitwise.bitwise_and(_shifted(rest * factor, KEY), KEYS - 1)
        for factor in (patterns.first, patterns.second)
    )
    by_first, row_of_first, by_second = _parts(layout)
    if row_of_first.any():
        second += tf.gather(tf.constant(row_of_first), first)
    tokens = tf.gather(tf.constant(by_first), first) + tf.gather(tf.constant(by_second), second)
    tokens = tf.where(status == contract.Status.OK, tokens, 0)
    bits = _bits(layout)
    steps = tuple(
        tf.bitwise.bitwise_and(tf.bitwise.right_shift(tokens, bits * step), 2**bits - 1)
        for step in range(layout.steps)
    )
    return steps, tf.cast(status, tf.int32)


def _patterns(digits: int) -> Patterns:
    """The tables for operands of up to `digits` digits."""
    rows = [[0] * (WIDTH + 1) * 256 for _ in Patterns._fields]
    # Rows of no pattern keep the status and the factor 0: their operands read as zeros.
    rows[-1] = [int(contract.Status.MALFORMED)] * len(rows[-1])
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
                    _together(first - 1, first) if fits else 0,
                    _together(end - 1, second) if fits else 0,
                    int(contract.Status.OK if fits else contract.Status.TOO_LONG),
                )
                for table, value in zip(rows, values, strict=True):
                    table[256 * length + 128 + pattern] = _signed(value)
    return Patterns(*(np.array(table, np.int64) for table in rows))


def _together(last: int, count: int) -> int:
    """The factor that moves `count` digits, up to byte `last`, to `KEY`."""
    return sum(1 << (KEY + 4 * i - 8 * (last - i)) for i in range(count))


def _parts(layout: Layout) -> tuple[NDArray[np.int32], NDArray[np.int64], NDArray[np.int32]]:
    """What each operand contributes to the packed tokens, by its key: 4 bits a digit.

    Returns:
        The first operand's part, [KEYS]; where the second's begins for this first, [KEYS], all
        zeros if it is the same for all; the second's, [KEYS] or a row for each length of the
        first, flat.
    """
    numbers = np.arange(10**layout.digits)
    keys = sum((numbers // 10**place % 10) << (4 * place) for place in range(MOST_DIGITS))
    lengths = np.char.str_len(numbers.astype("S"))

    def packed(first: Any, second: Any) -> NDArray[np.int64]:
        texts = np.char.add(np.char.add(np.asarray(first, "S"), b"+"), np.asarray(second, "S"))
        shifts = _bits(layout) * np.arange(layout.steps)
        words: NDArray[np.int64] = (layout.tokens(texts).astype(np.int64) << shifts).sum(axis=1)
        return words

    by_first, begins = np.zeros(KEYS, np.int32), np.zeros(KEYS, np.int64)
    by_first[keys] = packed(numbers, [0])
    begins[keys] = KEYS * (lengths - 1)
    by_second = np.zeros((layout.digits, KEYS), np.int32)
    for row in range(layout.digits):
        some = ["1" * (row + 1)]
        by_second[row, keys] = packed(some, numbers) - packed(some, [0])
    if (by_second == by_second[0]).all():
        return by_first, np.zeros_like(begins), by_second[0]
    return by_first, begins, by_second.reshape(-1)


def _bits(layout: Layout) -> int:
    """Bits of a token among the packed ones."""
    return (layout.vocabulary - 1).bit_length()


def _shifted(words: Any, bits: int) -> Any:
    return tf.bitwise.right_shift(words, tf.constant(bits, tf.int64))


def _signed(value: int) -> int:
    """The int64 with the bits of this uint64."""
    return int.from_bytes(value.to_bytes(8, "little"), "little", signed=True)
