"""Reads questions inside the graph: from byte strings to encoder tokens and a status.

No input raises an error. A server merges the rows of many callers into one batch, which an error
would fail as a whole; so an invalid row gets a status, and the other rows get their answers.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import tensorflow as tf

from seq2sum_training.data.layouts import Layout
from seq2sum_training.graph import window_reader, word_reader


class EncodedQuestions(NamedTuple):
    """Tokens and status of questions, one row each."""

    steps: tuple[Any, ...]
    """Tokens of each encoder step, int32 [n]; blanks for an invalid question."""
    status: Any
    """`contract.Status`, int32 [n]."""

    @property
    def tokens(self) -> Any:
        """Tokens of all steps, int32 [n, steps]."""
        return tf.stack(self.steps, axis=1)


def read(questions: Any, layout: Layout) -> EncodedQuestions:
    """Reads questions, a string tensor of shape [n]."""
    reader = word_reader if layout.digits <= word_reader.MAX_DIGITS else window_reader
    return EncodedQuestions(*reader.read(questions, layout))
