"""Layouts: in which order a question's characters reach the encoder, a step each.

    question     53+42      999+1
    padded       53+42__    999+1__     as read, padded right (the tutorial)
    reversed     __24+35    __1+999     the padded question, last character first
    aligned      24_+35_    1__+999     fixed columns, least significant digit first
    paired       32 54 __   91 9_ 9_    two digits of one place a step, least significant first

Sums are made from the least significant place up. `aligned` brings the digits of one place
always at the same two steps, so the network need not find out where a number begins, and
`paired` brings them at once: a token of its vocabulary is one of 11 x 11 pairs.

A layout only moves and groups characters, it never computes with their values. So it is a
table: from where the plus stands and where the question ends to the source positions of every
step. Training reads the table with numpy and the serving graph with TensorFlow: one table,
two spellings.
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
"""A source position that stands for a blank."""

PLACE_CHARACTERS = " 0123456789"
"""What can stand in one place of an operand: a blank or a digit."""


FOLDED_CHARACTERS = 3
"""Most characters of a question that a table of the serving graph goes over."""


def window(digits: int) -> int:
    """Bytes of a question that are looked at: the longest one, and one that must be blank."""
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
"""For each layout: the source positions of all steps, from plus, end and digits."""


@dataclass(frozen=True, slots=True, eq=False)  # arrays have no one truth to compare by
class Layout:
    """One layout for operands of up to `digits` digits."""

    name: str
    """Its name in recipes."""
    digits: int
    """Most digits of an operand."""
    table: NDArray[np.int32]
    """Source positions, [(digits + 1) * window, steps, characters a step]; the row is
    `plus * window + end`."""
    token_of_byte: NDArray[np.int32]
    """What a byte adds to the token of its step, [characters a step * 256]; the row is
    `256 * place in the step + byte`. What the alphabet does not have reads as a blank."""
    vocabulary: int
    """Distinct tokens of a step."""

    @classmethod
    def named(cls, name: str, digits: int) -> Layout:
        """The layout of this name."""
        width = window(digits)
        rows = [
            SOURCES[name](plus, end, digits) for plus in range(digits + 1) for end in range(width)
        ]
        table = np.array(rows, np.int32)
        table[table == BLANK] = width - 1  # the window's last byte is blank in every question
        characters = table.shape[2]
        alphabet = contract.ALPHABET if characters == 1 else PLACE_CHARACTERS
        return cls(
            name, digits, table, _token_parts(alphabet, characters), len(alphabet) ** characters
        )

    @property
    def steps(self) -> int:
        """Steps of the encoder."""
        return int(self.table.shape[1])

    @property
    def folded(self) -> int:
        """Steps at the encoder's beginning that the serving graph has in a table.

        At most 3 characters, one token if it stands for two of them, and never the last step:
        a table may know how a question begins, not all of it.
        """
        return min(FOLDED_CHARACTERS // int(self.table.shape[2]), self.steps - 1)

    def tokens(self, questions: Texts) -> NDArray[np.int32]:
        """The encoder's tokens, [n, steps], for questions as `questions.questions` writes them."""
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
        parts = tf.gather(tf.constant(self.token_of_byte), arranged + tf.constant(self._offsets))
        return tf.reduce_sum(parts, axis=2)

    @property
    def _offsets(self) -> NDArray[np.int32]:
        return 256 * np.arange(self.table.shape[2], dtype=np.int32)


def _token_parts(alphabet: str, characters: int) -> NDArray[np.int32]:
    """`Layout.token_of_byte`: tokens number the groups of characters in their sorted order."""
    parts = np.zeros((characters, 256), np.int32)
    for place in range(characters):
        for index, character in enumerate(alphabet):
            parts[place, ord(character)] = index * len(alphabet) ** (characters - 1 - place)
    return parts.reshape(-1)


ANSWER_TOKEN = _token_parts(contract.ALPHABET, 1)
"""Token id of a byte of an answer."""


def answer_tokens(answers: Texts, *, length: int, backwards: bool) -> NDArray[np.int32]:
    """Tokens of answers padded right to `length`, [n, length]; `backwards`: last digit first."""
    raw = answers.astype(f"S{length}").view(np.uint8).reshape(-1, length)
    if backwards:
        end = np.count_nonzero(raw, axis=1)[:, None]
        place = end - 1 - np.arange(length)
        raw = np.where(place >= 0, np.take_along_axis(raw, np.maximum(place, 0), axis=1), 0)
    return ANSWER_TOKEN[raw]
