"""The network in Keras: an encoder, a decoder that reads its last output, a softmax per step.

The architecture is that of the tutorial keras-io/examples/nlp/addition_rnn.py: the input is
one-hot, and nothing in it is specific to addition.
"""

from __future__ import annotations

from typing import Any

import keras
from seq2sum.addition import contract

from seq2sum_training.data.layouts import Layout
from seq2sum_training.recipe import Recipe

GATES = {"lstm": 4, "gru": 3, "simple_rnn": 1}
"""Number of matrices by which each cell multiplies its state in a step."""


def build(recipe: Recipe) -> Any:
    """Builds the recipe's Keras model with new weights.

    The model maps one-hot questions, float32 [n, steps, vocabulary], to probabilities, float32
    [n, answer length, 12], in the order in which the recipe writes answers.
    """
    layout = Layout.named(recipe.layout, recipe.digits)
    question = keras.Input((layout.steps, layout.vocabulary), name="question")
    state = _recurrent(recipe.network.cell, recipe.network.encoder, name="encoder")(question)
    repeated = keras.layers.RepeatVector(contract.answer_length(recipe.digits), name="bridge")(
        state
    )
    states = _recurrent(
        recipe.network.cell, recipe.network.decoder, name="decoder", return_sequences=True
    )(repeated)
    head = keras.layers.Dense(len(contract.ALPHABET), activation="softmax", name="characters")
    answer = keras.layers.TimeDistributed(head, name="head")(states)
    return keras.Model(question, answer, name=contract.MODEL_NAME)


def multiply_adds(recipe: Recipe) -> int:
    """Returns multiply-adds per question in the serving graph, without biases and gates.

    There, the encoder's input product and its state after the first characters are look-ups, the
    decoder's input is multiplied once, and the first step of a layer has no state to multiply.
    """
    gates, net = GATES[recipe.network.cell], recipe.network
    places = contract.answer_length(recipe.digits)
    layout = Layout.named(recipe.layout, recipe.digits)
    encoder = (layout.steps - layout.folded - 1) * gates * net.encoder**2
    decoder = gates * net.encoder * net.decoder + (places - 1) * gates * net.decoder**2
    return encoder + decoder + places * net.decoder * len(contract.ALPHABET)


def _recurrent(cell: str, units: int, **options: Any) -> Any:
    # Unrolled and without cuDNN's kernel, so that XLA can compile a whole training step.
    match cell:
        case "lstm":
            return keras.layers.LSTM(units, unroll=True, use_cudnn=False, **options)
        case "gru":
            return keras.layers.GRU(units, unroll=True, use_cudnn=False, **options)
        case _:
            return keras.layers.SimpleRNN(units, unroll=True, **options)
