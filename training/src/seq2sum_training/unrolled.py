"""The network's forward pass for serving, from trained weights, unrolled and frozen.

Equal to the Keras model up to rounding, with less work: a one-hot times a matrix is a row of
that matrix, so the first layer gathers; the decoder's input is the same at every step, so it
is multiplied once; the first steps start from zero, so they multiply no state. Weights are
constants of the graph: no variable can be lost between here and a server.

LSTM as in Keras: gates in the order input, forget, cell, output; one kernel for all four.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray
from seq2sum import contract

Matrix = NDArray[np.float32]


class Lstm(NamedTuple):
    """Weights of one layer of `u` units."""

    kernel: Matrix
    """From the input, [inputs, 4 u]."""
    recurrent: Matrix
    """From the state, [u, 4 u]."""
    bias: Matrix
    """[4 u]."""


class Weights(NamedTuple):
    """All weights of the network."""

    encoder: Lstm
    """Reads tokens."""
    decoder: Lstm
    """Reads the encoder's last state at every step."""
    head_kernel: Matrix
    """[u, characters]."""
    head_bias: Matrix
    """[characters]."""

    @classmethod
    def of(cls, model: Any) -> Weights:
        """The weights of a Keras model that `network.build` made."""

        def arrays(layer: str) -> list[Matrix]:
            return [np.asarray(w, np.float32) for w in model.get_layer(layer).get_weights()]

        return cls(Lstm(*arrays("encoder")), Lstm(*arrays("decoder")), *arrays("head"))


def probabilities(tokens: Any, weights: Weights, *, digits: int) -> Any:
    """Character probabilities, float32 [n, answer length, 12], in the order of writing.

    Args:
        tokens: What the encoder reads, int32 [n, steps].
        weights: The trained weights.
        digits: Most digits of an operand.
    """
    rows = tf.constant(weights.encoder.kernel + weights.encoder.bias)
    recurrent = tf.constant(weights.encoder.recurrent)
    state = None
    for token in tf.unstack(tokens, axis=1):
        state = _step(tf.gather(rows, token), state, recurrent)
    assert state is not None  # every layout has steps

    repeated = state[0] @ tf.constant(weights.decoder.kernel) + tf.constant(weights.decoder.bias)
    recurrent = tf.constant(weights.decoder.recurrent)
    state = None
    outputs = []
    for _ in range(contract.answer_length(digits)):
        state = _step(repeated, state, recurrent)
        outputs.append(state[0])
    # All places in one product: [n * places, units] times [units, characters].
    stacked = tf.stack(outputs, axis=1)
    flat = tf.reshape(stacked, [-1, weights.head_kernel.shape[0]])
    logits = flat @ tf.constant(weights.head_kernel) + tf.constant(weights.head_bias)
    shape = [-1, contract.answer_length(digits), len(contract.ALPHABET)]
    return tf.reshape(tf.nn.softmax(logits), shape)


def _step(given: Any, state: tuple[Any, Any] | None, recurrent: Any) -> tuple[Any, Any]:
    """One LSTM step: output and cell, each [n, units]; no state means zeros."""
    gates = given if state is None else given + state[0] @ recurrent
    into, forget, cell, out = tf.split(gates, 4, axis=1)
    fresh = tf.sigmoid(into) * tf.tanh(cell)
    kept = fresh if state is None else tf.sigmoid(forget) * state[1] + fresh
    return tf.sigmoid(out) * tf.tanh(kept), kept
