"""Reading questions inside the graph: byte strings in, encoder tokens and a status out.

Nothing here raises on data. A server merges the rows of many callers into one batch, and an
error would hit all of them; so a row that is no question gets a status, and its neighbours
their answers.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import tensorflow as tf

from seq2sum_training.data.layouts import Layout
from seq2sum_training.graph import window_reader, word_reader


class Reading(NamedTuple):
    """What was read, a row for each question."""

    steps: tuple[Any, ...]
    """What the encoder reads at each step, int32 [n]; blanks where there is no question."""
    status: Any
    """`contract.Status`, int32 [n]."""

    @property
    def tokens(self) -> Any:
        """All steps side by side, int32 [n, steps]."""
        return tf.stack(self.steps, axis=1)


def read(questions: Any, layout: Layout) -> Reading:
    """The tokens and the status of questions, a string tensor of shape [n]."""
    way = word_reader if layout.digits <= word_reader.MOST_DIGITS else window_reader
    return Reading(*way.read(questions, layout))
