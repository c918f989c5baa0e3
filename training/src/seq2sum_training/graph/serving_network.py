"""The trained network in the serving graph: unrolled, with its weights as constants.

Equal to the Keras model up to rounding, with less work:

- the encoder looks up rows of its kernel instead of multiplying one-hot vectors;
- the state after the first characters, with its recurrent product, is looked up in a table;
- the decoder's input is the same at every step, so it is multiplied once;
- the first step of a layer has a zero state, so it needs no recurrent product.

Without variables, no checkpoint has to be restored when a server loads the graph.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf
from seq2sum.addition import contract

from seq2sum_training.data.layouts import Layout
from seq2sum_training.graph.tanh_cells import CELLS, Cell, State
from seq2sum_training.model.training_network import Matrix, Recurrent, Weights
from seq2sum_training.recipe import Recipe


class ServingNetwork(NamedTuple):
    """A network's weights, prepared for `logits`."""

    cell: Cell
    """Cell of both layers."""
    embedding: Matrix
    """Input product of each token in the encoder, with its bias, [vocabulary, g u]."""
    folded: int
    """Number of first encoder steps that `folded_tables` replaces."""
    folded_tables: tuple[Matrix, ...]
    """Recurrent product and state after any `folded` tokens, [vocabulary ** folded, ...] each;
    empty if no step is folded."""
    encoder: Recurrent
    """Layer that reads tokens."""
    decoder: Recurrent
    """Layer that reads the encoder's last output at every step."""
    head: Matrix
    """Kernel from the decoder's output to characters, [u, characters]."""
    head_bias: Matrix
    """[characters, 1]."""
    places: int
    """Characters of an answer."""
    backwards: bool
    """Whether the network writes the last character first."""

    @classmethod
    def from_model(cls, recipe: Recipe, model: Any) -> ServingNetwork:
        """Takes the weights of a trained Keras model of this recipe."""
        weights = Weights.from_model(model, cell=recipe.network.cell)
        cell = CELLS[weights.cell]
        encoder = _scaled(weights.encoder, cell, source=1)
        embedding = encoder.kernel + encoder.bias
        folded = Layout.named(recipe.layout, recipe.digits).folded
        return cls(
            cell=cell,
            embedding=embedding,
            folded=folded,
            folded_tables=_folded_tables(cell, encoder, embedding, folded),
            encoder=encoder,
            decoder=_scaled(weights.decoder, cell, source=cell.output_factor),
            head=weights.head_kernel / np.float32(cell.output_factor),
            head_bias=weights.head_bias[:, None],
            places=contract.answer_length(recipe.digits),
            backwards=recipe.answers == "reversed",
        )

    def logits(self, steps: tuple[Any, ...]) -> Any:
        """Returns the logits for the tokens of each encoder step, int32 [n] each.

        Returns:
            float32 [characters, places * n], the most significant place first. Characters are
            rows, because maxima and sums over rows process many columns at a time.
        """
        recurrent, state = _initial_product(self.encoder, axis=1), None
        if self.folded:
            index, *others = steps[: self.folded]
            for step in others:
                index = index * len(self.embedding) + step
            recurrent, *rest = (
                tf.gather(tf.constant(table), index) for table in self.folded_tables
            )
            state = tuple(rest)
        inputs = [tf.gather(tf.constant(self.embedding), step) for step in steps[self.folded :]]
        *_, (encoding, _) = _run(self.cell, self.encoder, inputs, recurrent, state, axis=1)

        # From here on units are rows, so that the gates are contiguous and need no copying.
        decoder = self.decoder
        repeated = _matmul(decoder.kernel, encoding, axis=0, transposed=True)
        inputs = [repeated + tf.constant(decoder.bias[:, None])] * self.places
        recurrent = _initial_product(decoder, axis=0)
        outputs = [out for out, _ in _run(self.cell, decoder, inputs, recurrent, None, axis=0)]
        stacked = tf.concat(outputs[::-1] if self.backwards else outputs, axis=1)
        return _matmul(self.head, stacked, axis=0) + tf.constant(self.head_bias)


def _run(
    cell: Cell, layer: Recurrent, inputs: list[Any], recurrent: Any, state: State, *, axis: int
) -> Iterator[tuple[Any, tuple[Any, ...]]]:
    """Yields output and state after each step, from the recurrent product and state before."""
    output = None
    for projected in inputs:
        recurrent = recurrent if output is None else _recurrent_product(output, layer, axis=axis)
        output, state = cell.step(projected, recurrent, state, axis)
        yield output, state


def _recurrent_product(output: Any, layer: Recurrent, *, axis: int) -> Any:
    """Returns the product of an output for the next step, [n, g u]; transposed if `axis` is 0."""
    recurrent = _matmul(layer.recurrent, output, axis=axis)
    bias = _initial_product(layer, axis=axis)
    return recurrent if bias is None else recurrent + bias


def _initial_product(layer: Recurrent, *, axis: int) -> Any:
    """Returns the recurrent product of a zero output, which is the bias; None if it has none."""
    bias = layer.recurrent_bias
    return None if bias is None else tf.constant(np.expand_dims(bias, 1 - axis))


def _matmul(matrix: Matrix, values: Any, *, axis: int, transposed: bool = False) -> Any:
    """Multiplies by a matrix values with units on `axis`, or on the other one if `transposed`."""
    if axis == 1:
        return tf.matmul(values, tf.constant(matrix))
    return tf.matmul(tf.constant(np.ascontiguousarray(matrix.T)), values, transpose_b=transposed)


def _folded_tables(
    cell: Cell, encoder: Recurrent, embedding: Matrix, folded: int
) -> tuple[Matrix, ...]:
    if not folded:
        return ()
    tokens = np.array(list(product(range(len(embedding)), repeat=folded)))
    with tf.init_scope():  # computed eagerly, even while a graph is built
        inputs = [tf.constant(embedding[step]) for step in tokens.T]
        initial = _initial_product(encoder, axis=1)
        *_, (output, state) = _run(cell, encoder, inputs, initial, None, axis=1)
        return tuple(t.numpy() for t in (_recurrent_product(output, encoder, axis=1), *state))


def _scaled(layer: Recurrent, cell: Cell, *, source: float) -> Recurrent:
    """Returns a layer's weights for `cell`, with an input that is `source` times Keras' input."""
    units = len(layer.recurrent)
    on_input, on_recurrent = (
        np.repeat(np.array(factors, np.float32), units)
        for factors in (cell.input_factors, cell.recurrent_factors)
    )
    bias = layer.recurrent_bias
    return Recurrent(
        kernel=layer.kernel * on_input / np.float32(source),
        recurrent=layer.recurrent * on_recurrent / np.float32(cell.output_factor),
        bias=layer.bias * on_input,
        recurrent_bias=None if bias is None else bias * on_recurrent,
    )
