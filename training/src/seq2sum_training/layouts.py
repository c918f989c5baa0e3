"""Layouts: in which order a question's characters reach the encoder, a step each.

    question     53+42      999+1
    padded       53+42__    999+1__     as read, padded right (the tutorial)
    reversed     __24+35    __1+999     the padded question, last character first
    aligned      24_+35_    1__+999     fixed columns, least significant digit first

Sums are made from the least significant place up. `aligned` brings the digits of one place
always at the same two steps, so the network need not find out where a number begins.

A layout only moves characters, it never looks at digits. So it is a table: from where the
plus stands and where the question ends to the source position of every step. Training reads
the table with numpy and the serving graph with TensorFlow: one table, two spellings.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray
from seq2sum import contract

from seq2sum_training.questions import Texts

BLANK = -1
"""A source position that stands for a blank."""

VOCABULARY = len(contract.ALPHABET)
"""Distinct tokens of a step: one character each."""

TOKEN_OF_BYTE = np.zeros(256, np.int32)
"""Token id of a byte; what is not in the alphabet reads as a blank, and so does padding."""
for _token, _character in enumerate(contract.ALPHABET):
    TOKEN_OF_BYTE[ord(_character)] = _token


def window(digits: int) -> int:
    """Bytes of a question that are looked at: the longest one, and one that must be blank."""
    return 2 * digits + 2


def _padded(_: int, end: int, digits: int) -> list[int]:
    return [i if i < end else BLANK for i in range(2 * digits + 1)]


def _reversed(plus: int, end: int, digits: int) -> list[int]:
    return _padded(plus, end, digits)[::-1]


def _aligned(plus: int, end: int, digits: int) -> list[int]:
    second = [end - 1 - i if end - 1 - i > plus else BLANK for i in range(digits)]
    first = [plus - 1 - i if plus - 1 - i >= 0 else BLANK for i in range(digits)]
    return [*second, plus, *first]


SOURCES: dict[str, Callable[[int, int, int], list[int]]] = {
    "padded": _padded,
    "reversed": _reversed,
    "aligned": _aligned,
}
"""For each layout: the source positions of all steps, from plus, end and digits."""


@dataclass(frozen=True, slots=True, eq=False)  # arrays have no one truth to compare by
class Layout:
    """One layout for operands of up to `digits` digits."""

    name: str
    """Its name in recipes."""
    digits: int
    """Most digits of an operand."""
    table: NDArray[np.int32]
    """Source positions, shape [(digits + 1) * window, steps]; the row is `plus * window + end`."""

    @classmethod
    def named(cls, name: str, digits: int) -> Layout:
        """The layout of this name."""
        width = window(digits)
        rows = [
            SOURCES[name](plus, end, digits) for plus in range(digits + 1) for end in range(width)
        ]
        table = np.array(rows, np.int32)
        table[table == BLANK] = width - 1  # the window's last byte is blank in every question
        return cls(name, digits, table)

    @property
    def steps(self) -> int:
        """Steps of the encoder."""
        return int(self.table.shape[1])

    def tokens(self, questions: Texts) -> NDArray[np.int32]:
        """The encoder's tokens, [n, steps], for questions as `questions.questions` writes them."""
        width = window(self.digits)
        raw = questions.astype(f"S{width}").view(np.uint8).reshape(-1, width)
        plus = np.argmax(raw == ord("+"), axis=1)
        end = np.count_nonzero(raw, axis=1)
        sources = self.table[plus * width + end]
        return np.take_along_axis(TOKEN_OF_BYTE[raw], sources, axis=1)

    def tokens_in_graph(self, raw: Any, plus: Any, end: Any) -> Any:
        """The same in TensorFlow operators.

        Args:
            raw: Bytes of the questions, uint8 [n, window].
            plus: Position of the plus, int32 [n].
            end: Characters up to the last digit, int32 [n].

        Returns:
            The encoder's tokens, int32 [n, steps].
        """
        sources = tf.gather(tf.constant(self.table), plus * window(self.digits) + end)
        arranged = tf.gather(tf.cast(raw, tf.int32), sources, batch_dims=1)
        return tf.gather(tf.constant(TOKEN_OF_BYTE), arranged)


def answer_tokens(answers: Texts, *, length: int, backwards: bool) -> NDArray[np.int32]:
    """Tokens of answers padded right to `length`, [n, length]; `backwards`: last digit first."""
    raw = answers.astype(f"S{length}").view(np.uint8).reshape(-1, length)
    if backwards:
        end = np.count_nonzero(raw, axis=1)[:, None]
        place = end - 1 - np.arange(length)
        raw = np.where(place >= 0, np.take_along_axis(raw, np.maximum(place, 0), axis=1), 0)
    return TOKEN_OF_BYTE[raw]
