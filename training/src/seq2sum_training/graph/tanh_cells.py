"""Steps of the recurrent cells for serving: Keras' cells with tanh as the only activation.

sigmoid(x) = 0.5 + 0.5 tanh(x / 2), and Eigen's tanh takes half the time of its sigmoid. Factors of
one half and two are multiplied into the weights beforehand, which is exact: only exponents change.
An LSTM's output is kept doubled, since 2 h = (1 + tanh(o / 2)) tanh(c) saves a product.

A step multiplies no matrices: it takes the input and the last output already multiplied by their
weights, and returns the new output and the rest of the state. Before the first step, None stands
for zeros.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import tensorflow as tf

State = tuple[Any, ...] | None
"""State after the last step, [n, u] each; the product of the last output is passed separately."""
Step = Callable[[Any, Any, State, int], tuple[Any, tuple[Any, ...]]]
"""Takes the products of the input and of the last output with their weights, biases included,
[n, g u] each for g gates of u units, the state, and the axis of the units; returns the output,
[n, u], and the state. If the axis is 0, all of these are transposed."""


class Cell(NamedTuple):
    """A cell, and the factors by which its weights are scaled."""

    step: Step
    """Computes one step."""
    input_factors: tuple[float, ...]
    """Factor of the input's product for each gate."""
    recurrent_factors: tuple[float, ...]
    """Factor of the last output's product for each gate."""
    output_factor: float
    """Factor of the output, relative to Keras' cell."""


def _lstm(projected: Any, recurrent: Any, state: State, axis: int) -> tuple[Any, tuple[Any, ...]]:
    """Gates in the order input, forget, cell, output; the state is the cell."""
    gates = tf.tanh(projected if recurrent is None else projected + recurrent)
    into, forget, cell, out = tf.split(gates, 4, axis=axis)
    twice = (into + 1) * cell
    if state is not None:
        twice += (forget + 1) * state[0]
    next_cell = 0.5 * twice
    return (out + 1) * tf.tanh(next_cell), (next_cell,)


def _gru(projected: Any, recurrent: Any, state: State, axis: int) -> tuple[Any, tuple[Any, ...]]:
    """Gates in the order update, reset, candidate, as `reset_after`; the state is the output."""
    update, reset, candidate = tf.split(projected, 3, axis=axis)
    update_product, reset_product, candidate_product = tf.split(recurrent, 3, axis=axis)
    keep = 0.5 * (tf.tanh(update + update_product) + 1)
    fresh = tf.tanh(candidate + (tf.tanh(reset + reset_product) + 1) * candidate_product)
    output = fresh - keep * fresh if state is None else fresh + keep * (state[0] - fresh)
    return output, (output,)


def _simple_rnn(projected: Any, recurrent: Any, _: State, __: int) -> tuple[Any, tuple[Any, ...]]:
    """The state is empty."""
    return tf.tanh(projected if recurrent is None else projected + recurrent), ()


CELLS: dict[str, Cell] = {
    "lstm": Cell(_lstm, (0.5, 0.5, 1, 0.5), (0.5, 0.5, 1, 0.5), 2),
    # The candidate's recurrent product is multiplied by twice the reset gate, hence 0.5.
    "gru": Cell(_gru, (0.5, 0.5, 1), (0.5, 0.5, 0.5), 1),
    "simple_rnn": Cell(_simple_rnn, (1,), (1,), 1),
}
"""The cell of each name that a recipe can have."""
