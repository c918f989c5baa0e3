"""The network's weights, and its forward pass as training grades it, unrolled.

Equal to the Keras model up to rounding, with less work: a one-hot times a matrix is a row of
that matrix, so the first layer gathers; the decoder's input is the same at every step, so it
is multiplied once; the first steps start from zero, so they multiply no state. `frozen` goes
further than that, where weights no longer change.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray
from seq2sum.addition import contract

from seq2sum_training.model.cells import CELLS, State

Matrix = NDArray[np.float32]


class Recurrent(NamedTuple):
    """Weights of one recurrent layer of `u` units and `g` gates."""

    kernel: Matrix
    """From the input, [inputs, g u]."""
    recurrent: Matrix
    """From the state, [u, g u]."""
    bias: Matrix
    """Added to the input's product, [g u]."""
    recurrent_bias: Matrix | None
    """Added to the state's product, [g u]; only GRU has one."""

    @classmethod
    def of(cls, kernel: Matrix, recurrent: Matrix, bias: Matrix) -> Recurrent:
        """From what a Keras layer holds: GRU keeps both biases in one array, [2, g u]."""
        two = len(bias.shape) == 2
        return cls(kernel, recurrent, bias[0] if two else bias, bias[1] if two else None)


class Weights(NamedTuple):
    """All weights of the network."""

    cell: str
    """Which step both layers take, a key of `cells.CELLS`."""
    encoder: Recurrent
    """Reads tokens."""
    decoder: Recurrent
    """Reads the encoder's last state at every step."""
    head_kernel: Matrix
    """[u, characters]."""
    head_bias: Matrix
    """[characters]."""

    @classmethod
    def of(cls, model: Any, *, cell: str, take: Callable[[Any], Any] = np.asarray) -> Weights:
        """The weights of a Keras model that `network.build` made with this cell.

        Args:
            model: The Keras model.
            cell: The recipe's cell.
            take: What makes a matrix of a Keras variable. `np.asarray` takes its value now;
                `tf.convert_to_tensor`, inside a graph, reads it anew in each call.
        """

        def matrices(layer: str) -> list[Matrix]:
            return [take(variable) for variable in model.get_layer(layer).weights]

        encoder, decoder = (Recurrent.of(*matrices(layer)) for layer in ("encoder", "decoder"))
        return cls(cell, encoder, decoder, *matrices("head"))


def probabilities(tokens: Any, weights: Weights, *, digits: int) -> Any:
    """Character probabilities, float32 [n, answer length, 12], in the order of writing.

    Args:
        tokens: What the encoder reads, int32 [n, steps].
        weights: The weights as they are now.
        digits: Most digits of an operand.
    """
    encoder, decoder = weights.encoder, weights.decoder
    rows = tf.convert_to_tensor(encoder.kernel + encoder.bias)
    inputs = [tf.gather(rows, token) for token in tf.unstack(tokens, axis=1)]
    *_, encoding = _outputs(weights.cell, encoder, inputs)

    repeated = encoding @ tf.convert_to_tensor(decoder.kernel) + tf.convert_to_tensor(decoder.bias)
    inputs = [repeated] * contract.answer_length(digits)
    # All places in one product: [n * places, units] times [units, characters].
    stacked = tf.stack(list(_outputs(weights.cell, decoder, inputs)), axis=1)
    flat = tf.reshape(stacked, [-1, weights.head_kernel.shape[0]])
    logits = flat @ tf.convert_to_tensor(weights.head_kernel)
    logits += tf.convert_to_tensor(weights.head_bias)
    shape = [-1, contract.answer_length(digits), len(contract.ALPHABET)]
    return tf.reshape(tf.nn.softmax(logits), shape)


def _outputs(cell: str, layer: Recurrent, inputs: list[Any]) -> Iterator[Any]:
    """The layer's outputs, [n, u] each, for its input products."""
    recurrent = tf.convert_to_tensor(layer.recurrent)
    bias = None if layer.recurrent_bias is None else tf.convert_to_tensor(layer.recurrent_bias)
    state: State = None
    for given in inputs:
        state = CELLS[cell](given, state, recurrent, bias)
        yield state[0]
