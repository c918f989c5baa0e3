"""Steps of the recurrent cells, as Keras computes them.

The caller multiplies the inputs of many steps by the kernel at once, adds the bias, and passes each
step its part as `projected`. The state is a tuple with the output first; None is the zero state
before the first step, which needs no product.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import tensorflow as tf

State = tuple[Any, ...] | None
Step = Callable[[Any, State, Any, Any], tuple[Any, ...]]
"""Takes `projected`, the state, the recurrent kernel and its bias; returns the next state."""


def lstm(projected: Any, state: State, recurrent: Any, _: Any) -> tuple[Any, ...]:
    """Returns output and cell, [n, u] each; gates in the order input, forget, cell, output."""
    gates = projected if state is None else projected + state[0] @ recurrent
    into, forget, cell, out = tf.split(gates, 4, axis=1)
    update = tf.sigmoid(into) * tf.tanh(cell)
    next_cell = update if state is None else tf.sigmoid(forget) * state[1] + update
    return tf.sigmoid(out) * tf.tanh(next_cell), next_cell


def gru(projected: Any, state: State, recurrent: Any, bias: Any) -> tuple[Any, ...]:
    """Returns the output, [n, u]; gates in the order update, reset, candidate.

    The reset gate is applied after the product (`reset_after` in Keras).
    """
    if state is None:
        product = tf.broadcast_to(bias, tf.shape(projected))
    else:
        product = state[0] @ recurrent + bias
    update, reset, candidate = tf.split(projected, 3, axis=1)
    update_product, reset_product, candidate_product = tf.split(product, 3, axis=1)
    keep = tf.sigmoid(update + update_product)
    fresh = tf.tanh(candidate + tf.sigmoid(reset + reset_product) * candidate_product)
    return ((1 - keep) * fresh if state is None else keep * state[0] + (1 - keep) * fresh,)


def simple_rnn(projected: Any, state: State, recurrent: Any, _: Any) -> tuple[Any, ...]:
    """Returns the output, [n, u]."""
    return (tf.tanh(projected if state is None else projected + state[0] @ recurrent),)


CELLS: dict[str, Step] = {"lstm": lstm, "gru": gru, "simple_rnn": simple_rnn}
"""The step of each cell that a recipe can name."""
