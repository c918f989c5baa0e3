"""One step of each recurrent layer for serving: the cells of Keras with tanh alone.

sigmoid(x) = 0.5 + 0.5 tanh(x / 2), and Eigen's tanh takes half the time of its sigmoid. What is
halved or doubled on the way is put into the weights beforehand, which is exact: only exponents
change. An LSTM's output is kept doubled, since 2 h = (1 + tanh(o / 2)) tanh(c) saves a product.

A step does not multiply: it takes the products of the input and of the state before it, and
gives the output and what else it wants to keep. None stands for zeros before the first step.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import tensorflow as tf

Kept = tuple[Any, ...] | None
"""What a step reads of the state beside its product, [n, u] each."""
Step = Callable[[Any, Any, Kept, int], tuple[Any, tuple[Any, ...]]]
"""From the input's and the state's product with their biases, [n, g u] each, what was kept, and
the axis of the units, to the output, [n, u], and what is kept. With 0 for the axis all of them
are transposed."""


class Cell(NamedTuple):
    """How a cell computes, and what its weights are multiplied with for that."""

    step: Step
    """One step."""
    gates: tuple[float, ...]
    """Factor of the input's part of each gate."""
    own: tuple[float, ...]
    """Factor of the state's part of each gate."""
    output: float
    """What the output that it gives is multiplied with."""


def _lstm(given: Any, own: Any, kept: Kept, axis: int) -> tuple[Any, tuple[Any, ...]]:
    """Gates in the order input, forget, cell, output; keeps the cell state."""
    gates = tf.tanh(given if own is None else given + own)
    into, forget, cell, out = tf.split(gates, 4, axis=axis)
    twice = (into + 1) * cell
    if kept is not None:
        twice += (forget + 1) * kept[0]
    state = 0.5 * twice
    return (out + 1) * tf.tanh(state), (state,)


def _gru(given: Any, own: Any, kept: Kept, axis: int) -> tuple[Any, tuple[Any, ...]]:
    """Gates in the order update, reset, candidate; the reset is after the product. Keeps itself."""
    update, reset, candidate = tf.split(given, 3, axis=axis)
    own_update, own_reset, own_candidate = tf.split(own, 3, axis=axis)
    keep = 0.5 * (tf.tanh(update + own_update) + 1)
    fresh = tf.tanh(candidate + (tf.tanh(reset + own_reset) + 1) * own_candidate)
    output = fresh - keep * fresh if kept is None else fresh + keep * (kept[0] - fresh)
    return output, (output,)


def _simple_rnn(given: Any, own: Any, _: Kept, __: int) -> tuple[Any, tuple[Any, ...]]:
    """Keeps nothing."""
    return tf.tanh(given if own is None else given + own), ()


CELLS: dict[str, Cell] = {
    "lstm": Cell(_lstm, (0.5, 0.5, 1, 0.5), (0.5, 0.5, 1, 0.5), 2),
    # The candidate's own part meets a reset gate that is twice as large as Keras' one.
    "gru": Cell(_gru, (0.5, 0.5, 1), (0.5, 0.5, 0.5), 1),
    "simple_rnn": Cell(_simple_rnn, (1,), (1,), 1),
}
"""The cell of each name that a recipe can have."""
