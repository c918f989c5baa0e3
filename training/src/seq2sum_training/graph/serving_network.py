"""The trained network as the serving graph runs it: unrolled, its weights constants.

Equal to the Keras model up to rounding, with less work:

- a one-hot times a matrix is a row of that matrix, so the first layer gathers;
- what the encoder knows after its first characters is a table, recurrent product included;
- the decoder's input is the same at every step, so it is multiplied once;
- a layer's first step starts from zero, so it multiplies no state.

No variable can be lost between here and a server, since there is none.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf
from seq2sum.addition import contract

from seq2sum_training.data.layouts import Layout
from seq2sum_training.graph.tanh_cells import CELLS, Cell, Kept
from seq2sum_training.model.training_network import Matrix, Recurrent, Weights
from seq2sum_training.recipe import Recipe


class Frozen(NamedTuple):
    """A network's weights, arranged for `logits`."""

    cell: Cell
    """How both layers compute."""
    rows: Matrix
    """What each token gives to the encoder's gates, [vocabulary, g u]."""
    folded: int
    """Steps that `begun` goes over."""
    begun: tuple[Matrix, ...]
    """After any `folded` tokens: the state's product, and what the cell keeps;
    [vocabulary ** folded, ...] each. Empty if none is folded."""
    encoder: Recurrent
    """Reads tokens, by way of `rows`."""
    decoder: Recurrent
    """Reads the encoder's last output at every step."""
    head: Matrix
    """From the decoder's output to characters, [u, characters]."""
    head_bias: Matrix
    """[characters, 1]."""
    places: int
    """Characters of an answer."""
    backwards: bool
    """Whether the last place is written first."""

    @classmethod
    def of(cls, recipe: Recipe, model: Any) -> Frozen:
        """From a trained Keras model of this recipe."""
        weights = Weights.of(model, cell=recipe.network.cell)
        cell = CELLS[weights.cell]
        encoder = _scaled(weights.encoder, cell, source=1)
        rows = encoder.kernel + encoder.bias
        folded = Layout.named(recipe.layout, recipe.digits).folded
        return cls(
            cell=cell,
            rows=rows,
            folded=folded,
            begun=_begun(cell, encoder, rows, folded),
            encoder=encoder,
            decoder=_scaled(weights.decoder, cell, source=cell.output),
            head=weights.head_kernel / np.float32(cell.output),
            head_bias=weights.head_bias[:, None],
            places=contract.answer_length(recipe.digits),
            backwards=recipe.answers == "reversed",
        )

    def logits(self, steps: tuple[Any, ...]) -> Any:
        """What the network makes of tokens, int32 [n] for each step of the encoder.

        Returns:
            float32 [characters, places * n], the most significant place first. Characters are
            rows, because maxima and sums over rows take many columns at a time.
        """
        own, kept = _nothing(self.encoder, axis=1), None
        if self.folded:
            index, *others = steps[: self.folded]
            for step in others:
                index = index * len(self.rows) + step
            own, *begun = (tf.gather(tf.constant(table), index) for table in self.begun)
            kept = tuple(begun)
        inputs = [tf.gather(tf.constant(self.rows), step) for step in steps[self.folded :]]
        *_, (encoding, _) = _run(self.cell, self.encoder, inputs, own, kept, axis=1)

        # From here on units are rows: then their parts lie together and need no copying.
        decoder = self.decoder
        repeated = _times(decoder.kernel, encoding, axis=0, transposed=True)
        inputs = [repeated + tf.constant(decoder.bias[:, None])] * self.places
        own = _nothing(decoder, axis=0)
        outputs = [output for output, _ in _run(self.cell, decoder, inputs, own, None, axis=0)]
        stacked = tf.concat(outputs[::-1] if self.backwards else outputs, axis=1)
        return _times(self.head, stacked, axis=0) + tf.constant(self.head_bias)


def _run(
    cell: Cell, layer: Recurrent, inputs: list[Any], own: Any, kept: Kept, *, axis: int
) -> Iterator[tuple[Any, tuple[Any, ...]]]:
    """Output and what is kept after each step; `own` and `kept` are of the step before."""
    output = None
    for given in inputs:
        own = own if output is None else _product(output, layer, axis=axis)
        output, kept = cell.step(given, own, kept, axis)
        yield output, kept


def _product(output: Any, layer: Recurrent, *, axis: int) -> Any:
    """What the state gives to the next step's gates, [n, g u]; transposed if `axis` is 0."""
    own, bias = _times(layer.recurrent, output, axis=axis), _nothing(layer, axis=axis)
    return own if bias is None else own + bias


def _nothing(layer: Recurrent, *, axis: int) -> Any:
    """The same for the zeros before the first step."""
    bias = layer.recurrent_bias
    return None if bias is None else tf.constant(np.expand_dims(bias, 1 - axis))


def _times(matrix: Matrix, values: Any, *, axis: int, transposed: bool = False) -> Any:
    """Values times a matrix, their units being on this axis, or on the other if `transposed`."""
    if axis == 1:
        return tf.matmul(values, tf.constant(matrix))
    return tf.matmul(tf.constant(np.ascontiguousarray(matrix.T)), values, transpose_b=transposed)


def _begun(cell: Cell, encoder: Recurrent, rows: Matrix, folded: int) -> tuple[Matrix, ...]:
    if not folded:
        return ()
    tokens = np.array(list(product(range(len(rows)), repeat=folded)))
    with tf.init_scope():  # computed here and now, even while a graph is being built
        inputs = [tf.constant(rows[step]) for step in tokens.T]
        *_, (output, kept) = _run(cell, encoder, inputs, _nothing(encoder, axis=1), None, axis=1)
        return tuple(part.numpy() for part in (_product(output, encoder, axis=1), *kept))


def _scaled(layer: Recurrent, cell: Cell, *, source: float) -> Recurrent:
    """The weights of a layer for `cell`, whose input is `source` times that of the Keras layer."""
    units = len(layer.recurrent)
    gates, own = (np.repeat(np.array(part, np.float32), units) for part in (cell.gates, cell.own))
    bias = layer.recurrent_bias
    return Recurrent(
        kernel=layer.kernel * gates / np.float32(source),
        recurrent=layer.recurrent * own / np.float32(cell.output),
        bias=layer.bias * gates,
        recurrent_bias=None if bias is None else bias * own,
    )
