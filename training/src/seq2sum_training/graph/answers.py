"""Answers from logits: the chosen characters, their probabilities, and their text.

All places of all questions are processed at once, with characters as rows. Text comes from tables
of all strings of up to four characters; the network alone chooses the characters.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf
from seq2sum.addition import contract

CHARACTERS = len(contract.ALPHABET)
PART = 4
"""Length of the texts in the largest table, which has 12 ** 4 = 20,736 of them."""


class Choice(NamedTuple):
    """Softmax and argmax of logits, computed with cheaper operators."""

    exponents: Any
    """exp(logit - largest logit of its column), float32 [characters, places * n]."""
    total: Any
    """Sum of the exponents, float32 [places, n]; 1 / total is the probability of the choice."""
    tokens: Any
    """The most probable character, the first one in a tie, int32 [places, n]."""

    @classmethod
    def from_logits(cls, logits: Any, places: int) -> Choice:
        """Returns the choice for logits, float32 [characters, places * n]."""
        below = logits - tf.reduce_max(logits, axis=0)
        exponents = tf.exp(below)
        # TensorFlow's argmax processes one number at a time. Here the largest logit of a column is
        # 0.0, whose bits are the integer 0; the bits of a negative number are a large negative
        # integer. So after the ranks are added, a column's maximum is the rank of its first zero.
        last = CHARACTERS - 1
        ranks = tf.constant(np.arange(last, -1, -1, dtype=np.int32)[:, None])
        chosen = last - tf.reduce_max(tf.bitcast(below, tf.int32) + ranks, axis=0)
        total = tf.reduce_sum(exponents, axis=0)
        return cls(exponents, tf.reshape(total, [places, -1]), tf.reshape(chosen, [places, -1]))

    def confidence(self, valid: Any) -> Any:
        """Returns the probability of the whole answer, float32 [n]; 0 where `valid` is false."""
        return tf.cast(valid, tf.float32) * (1 / tf.reduce_prod(self.total, axis=0))

    def probabilities(self) -> Any:
        """Returns the probability of each character in each place, float32 [n, places, 12]."""
        places = self.total.shape[0]
        exponents = tf.reshape(self.exponents, [CHARACTERS, places, -1])
        return tf.transpose(exponents / self.total, [2, 1, 0])

    def texts(self, valid: Any) -> Any:
        """Returns decimal text, string [n]; empty where `valid`, bool [n], is false."""
        parts = list(_parts(self.tokens, valid))
        # Blanks may be at both ends. The table of a single part has stripped texts.
        return parts[0] if len(parts) == 1 else tf.strings.strip(tf.strings.join(parts))


def _parts(tokens: Any, valid: Any) -> Iterator[Any]:
    places = tokens.shape[0]
    for start in range(0, places, PART):
        width = min(PART, places - start)
        texts = ["".join(characters) for characters in product(contract.ALPHABET, repeat=width)]
        if width == places:
            texts = [text.strip() for text in texts]
        weights = CHARACTERS ** np.arange(width - 1, -1, -1, dtype=np.int32)[:, None]
        key = tf.reduce_sum(tokens[start : start + width] * tf.constant(weights), axis=0)
        # The first text is that of invalid rows. A product is faster than `tf.where`.
        yield tf.gather(tf.constant(["", *texts]), (key + 1) * tf.cast(valid, tf.int32))
