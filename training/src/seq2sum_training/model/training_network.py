"""The network's weights, and the unrolled forward pass with which training grades answers.

Equal to the Keras model up to rounding, with less work: the first layer looks up rows of its
kernel instead of multiplying one-hot vectors; the decoder's input is the same at every step, so it
is multiplied once; the first step of a layer has a zero state and multiplies none.
`graph.serving_network` precomputes more, because its weights are constants.
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
    """Kernel of the input, [inputs, g u]."""
    recurrent: Matrix
    """Kernel of the state, [u, g u]."""
    bias: Matrix
    """Bias of the input's product, [g u]."""
    recurrent_bias: Matrix | None
    """Bias of the state's product, [g u]; only for GRU."""

    @classmethod
    def from_keras(cls, kernel: Matrix, recurrent: Matrix, bias: Matrix) -> Recurrent:
        """Takes the weights of a Keras layer; GRU has both biases in one array, [2, g u]."""
        if len(bias.shape) == 2:
            return cls(kernel, recurrent, bias[0], bias[1])
        return cls(kernel, recurrent, bias, None)


class Weights(NamedTuple):
    """All weights of the network."""

    cell: str
    """Cell of both layers, a key of `cells.CELLS`."""
    encoder: Recurrent
    """Layer that reads tokens."""
    decoder: Recurrent
    """Layer that reads the encoder's last output at every step."""
    head_kernel: Matrix
    """[u, characters]."""
    head_bias: Matrix
    """[characters]."""

    @classmethod
    def from_model(
        cls, model: Any, *, cell: str, convert: Callable[[Any], Any] = np.asarray
    ) -> Weights:
        """Takes the weights of a Keras model that `network.build` made.

        Args:
            model: The Keras model.
            cell: The recipe's cell.
            convert: Converts a Keras variable to a matrix. `np.asarray` copies the present value;
                `tf.convert_to_tensor`, inside a graph, reads the variable in each call.
        """

        def matrices(layer: str) -> list[Matrix]:
            return [convert(variable) for variable in model.get_layer(layer).weights]

        encoder, decoder = (Recurrent.from_keras(*matrices(n)) for n in ("encoder", "decoder"))
        return cls(cell, encoder, decoder, *matrices("head"))


def probabilities(tokens: Any, weights: Weights, *, digits: int) -> Any:
    """Returns character probabilities, float32 [n, answer length, 12], as the recipe orders them.

    Args:
        tokens: Encoder tokens, int32 [n, steps].
        weights: Weights of the network.
        digits: Most digits of an operand.
    """
    encoder, decoder = weights.encoder, weights.decoder
    rows = tf.convert_to_tensor(encoder.kernel + encoder.bias)
    inputs = [tf.gather(rows, token) for token in tf.unstack(tokens, axis=1)]
    *_, encoding = _outputs(weights.cell, encoder, inputs)

    repeated = encoding @ tf.convert_to_tensor(decoder.kernel) + tf.convert_to_tensor(decoder.bias)
    inputs = [repeated] * contract.answer_length(digits)
    # One product for all characters: [n * answer length, units] times [units, 12].
    stacked = tf.stack(list(_outputs(weights.cell, decoder, inputs)), axis=1)
    flat = tf.reshape(stacked, [-1, weights.head_kernel.shape[0]])
    logits = flat @ tf.convert_to_tensor(weights.head_kernel)
    logits += tf.convert_to_tensor(weights.head_bias)
    shape = [-1, contract.answer_length(digits), len(contract.ALPHABET)]
    return tf.reshape(tf.nn.softmax(logits), shape)


def _outputs(cell: str, layer: Recurrent, inputs: list[Any]) -> Iterator[Any]:
    """Yields the layer's output after each step, [n, u], for its input products."""
    recurrent = tf.convert_to_tensor(layer.recurrent)
    bias = None if layer.recurrent_bias is None else tf.convert_to_tensor(layer.recurrent_bias)
    state: State = None
    for projected in inputs:
        state = CELLS[cell](projected, state, recurrent, bias)
        yield state[0]
