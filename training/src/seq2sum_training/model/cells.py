"""One step of each recurrent layer, as Keras computes it, on what the input already gave.

A layer's input product is made once for many steps, so a step takes it as `given`. The state
is a tuple with the output first; None stands for the zeros before the first step, which need
no product.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import tensorflow as tf

State = tuple[Any, ...] | None
Step = Callable[[Any, State, Any, Any], tuple[Any, ...]]
"""From `given`, the state, the recurrent kernel and the recurrent bias to the next state."""


def lstm(given: Any, state: State, recurrent: Any, _: Any) -> tuple[Any, ...]:
    """Output and cell, [n, u] each; gates in the order input, forget, cell, output."""
    gates = given if state is None else given + state[0] @ recurrent
    into, forget, cell, out = tf.split(gates, 4, axis=1)
    fresh = tf.sigmoid(into) * tf.tanh(cell)
    kept = fresh if state is None else tf.sigmoid(forget) * state[1] + fresh
    return tf.sigmoid(out) * tf.tanh(kept), kept


def gru(given: Any, state: State, recurrent: Any, bias: Any) -> tuple[Any, ...]:
    """Output, [n, u]; gates in the order update, reset, candidate, the reset after the product."""
    own = tf.broadcast_to(bias, tf.shape(given)) if state is None else state[0] @ recurrent + bias
    update, reset, candidate = tf.split(given, 3, axis=1)
    own_update, own_reset, own_candidate = tf.split(own, 3, axis=1)
    keep = tf.sigmoid(update + own_update)
    fresh = tf.tanh(candidate + tf.sigmoid(reset + own_reset) * own_candidate)
    return ((1 - keep) * fresh if state is None else keep * state[0] + (1 - keep) * fresh,)


def simple_rnn(given: Any, state: State, recurrent: Any, _: Any) -> tuple[Any, ...]:
    """Output, [n, u]."""
    return (tf.tanh(given if state is None else given + state[0] @ recurrent),)


CELLS: dict[str, Step] = {"lstm": lstm, "gru": gru, "simple_rnn": simple_rnn}
"""The step of each cell that a recipe can name."""
