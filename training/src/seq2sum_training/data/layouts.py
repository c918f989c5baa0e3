"""Layouts: the order in which the encoder reads the characters of a question.

    question     53+42      999+1
    padded       53+42__    999+1__     as read, padded right (as in the Keras tutorial)
    reversed     __24+35    __1+999     the padded question, last character first
    aligned      24_+35_    1__+999     fixed columns, least significant digit first
    paired       32 54 __   91 9_ 9_    both digits of a place in one step, least significant first

Addition goes from the least significant place up. With `aligned` the digits of a place are always
at the same two steps, so the network need not learn where a number begins. With `paired` they are
in one step: its vocabulary is the 11 x 11 pairs of a digit or blank.

A layout only moves and groups characters; it never computes with their values. It is stored as a
table from the position of the plus and the end of the question to the source positions of every
step. Training applies the table with numpy, the serving graph with TensorFlow.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray
from seq2sum.addition import contract

from seq2sum_training.data.questions import Texts

BLANK = -1
"""Source position of a blank."""

PLACE_CHARACTERS = " 0123456789"
"""Characters of one place of an operand: a blank or a digit."""

MAX_FOLDED_CHARACTERS = 3
"""Most characters of a question whose encoder state the serving graph precomputes."""


def window(digits: int) -> int:
    """Returns the number of bytes read of a question: its greatest length, and a blank byte."""
    return 2 * digits + 2


Step = tuple[int, ...]
"""Source positions of the characters that one encoder step reads."""


def _padded(_: int, end: int, digits: int) -> list[Step]:
    return [(i if i < end else BLANK,) for i in range(2 * digits + 1)]


def _reversed(plus: int, end: int, digits: int) -> list[Step]:
    return _padded(plus, end, digits)[::-1]


def _aligned(plus: int, end: int, digits: int) -> list[Step]:
    places = _paired(plus, end, digits)
    return [*((second,) for _, second in places), (plus,), *((first,) for first, _ in places)]


def _paired(plus: int, end: int, digits: int) -> list[Step]:
    first = [plus - 1 - i if plus - 1 - i >= 0 else BLANK for i in range(digits)]
    second = [end - 1 - i if end - 1 - i > plus else BLANK for i in range(digits)]
    return list(zip(first, second, strict=True))


SOURCES: dict[str, Callable[[int, int, int], list[Step]]] = {
    "padded": _padded,
    "reversed": _reversed,
    "aligned": _aligned,
    "paired": _paired,
}
"""For each layout, a function from plus, end and digits to the source positions of all steps."""


@dataclass(frozen=True, slots=True, eq=False)  # arrays cannot be compared as one truth value
class Layout:
    """A layout for operands of up to `digits` digits."""

    name: str
    """Name in recipes."""
    digits: int
    """Most digits of an operand."""
    table: NDArray[np.int32]
    """Source positions, [(digits + 1) * window, steps, characters per step]; the row is
    `plus * window + end`."""
    token_of_byte: NDArray[np.int32]
    """Contribution of a byte to the token of its step, [characters per step * 256]; the row is
    `256 * index in the step + byte`. Bytes outside the alphabet count as blanks."""
    vocabulary: int
    """Number of distinct tokens."""

    @classmethod
    def named(cls, name: str, digits: int) -> Layout:
        """Returns the layout with this name."""
        width = window(digits)
        rows = [
            SOURCES[name](plus, end, digits) for plus in range(digits + 1) for end in range(width)
        ]
        table = np.array(rows, np.int32)
        table[table == BLANK] = width - 1  # the last byte of the window is always blank
        characters = table.shape[2]
        alphabet = contract.ALPHABET if characters == 1 else PLACE_CHARACTERS
        return cls(
            name, digits, table, _token_parts(alphabet, characters), len(alphabet) ** characters
        )

    @property
    def steps(self) -> int:
        """Encoder steps."""
        return int(self.table.shape[1])

    @property
    def folded(self) -> int:
        """Number of first encoder steps that the serving graph replaces by a table.

        At most 3 characters, and never all steps: a table may contain the beginnings of questions,
        not whole questions.
        """
        return min(MAX_FOLDED_CHARACTERS // int(self.table.shape[2]), self.steps - 1)

    def tokens(self, questions: Texts) -> NDArray[np.int32]:
        """Returns encoder tokens, [n, steps], for results of `questions.questions`."""
        width = window(self.digits)
        raw = questions.astype(f"S{width}").view(np.uint8).reshape(-1, width)
        plus = np.argmax(raw == ord("+"), axis=1)
        end = np.count_nonzero(raw, axis=1)
        sources = self.table[plus * width + end].reshape(len(raw), -1)
        arranged = np.take_along_axis(raw, sources, axis=1).reshape(len(raw), *self.table.shape[1:])
        tokens: NDArray[np.int32] = self.token_of_byte[arranged + self._offsets].sum(
            axis=2, dtype=np.int32
        )
        return tokens

    def tokens_in_graph(self, raw: Any, plus: Any, end: Any) -> Any:
        """Like `tokens`, in TensorFlow operators.

        Args:
            raw: Bytes of the questions, uint8 [n, window].
            plus: Position of the plus, int32 [n].
            end: Characters up to the last digit, int32 [n].

        Returns:
            Encoder tokens, int32 [n, steps].
        """
        sources = tf.gather(tf.constant(self.table), plus * window(self.digits) + end)
        arranged = tf.gather(tf.cast(raw, tf.int32), sources, batch_dims=1)
        parts = tf.gather(tf.constant(self.token_of_byte), arranged + tf.constant(self._offsets))
        return tf.reduce_sum(parts, axis=2)

    @property
    def _offsets(self) -> NDArray[np.int32]:
        return 256 * np.arange(self.table.shape[2], dtype=np.int32)


def _token_parts(alphabet: str, characters: int) -> NDArray[np.int32]:
    """Returns `Layout.token_of_byte`; tokens number the groups of characters in sorted order."""
    parts = np.zeros((characters, 256), np.int32)
    for position in range(characters):
        for index, character in enumerate(alphabet):
            parts[position, ord(character)] = index * len(alphabet) ** (characters - 1 - position)
    return parts.reshape(-1)


ANSWER_TOKEN = _token_parts(contract.ALPHABET, 1)
"""Token of each byte of an answer, [256]."""


def answer_tokens(answers: Texts, *, length: int, backwards: bool) -> NDArray[np.int32]:
    """Returns tokens of answers, [n, length], padded on the right.

    Args:
        answers: Decimal text, [n].
        length: Characters of an answer.
        backwards: Whether the last digit comes first.
    """
    raw = answers.astype(f"S{length}").view(np.uint8).reshape(-1, length)
    if backwards:
        end = np.count_nonzero(raw, axis=1)[:, None]
        source = end - 1 - np.arange(length)
        raw = np.where(source >= 0, np.take_along_axis(raw, np.maximum(source, 0), axis=1), 0)
    return ANSWER_TOKEN[raw]
