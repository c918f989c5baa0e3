"""The network: an encoder's last state, repeated to a decoder, a character distribution a step.

The architecture of the tutorial: what it reads is one-hot, and nothing of the sum is wired in.
"""

from __future__ import annotations

from typing import Any

import keras
from seq2sum import contract

from seq2sum_training.layouts import VOCABULARY, Layout
from seq2sum_training.recipe import Recipe


def build(recipe: Recipe) -> Any:
    """The recipe's Keras model with fresh weights.

    It maps one-hot questions, float32 [n, steps, vocabulary], to probabilities, float32
    [n, answer length, 12], in the order in which the recipe writes answers.
    """
    layout = Layout.named(recipe.layout, recipe.digits)
    units = recipe.network.units
    # Unrolled and without cuDNN's kernel, so that XLA can compile the whole step.
    how = {"unroll": True, "use_cudnn": False}
    question = keras.Input((layout.steps, VOCABULARY), name="question")
    state = keras.layers.LSTM(units, name="encoder", **how)(question)
    repeated = keras.layers.RepeatVector(contract.answer_length(recipe.digits), name="bridge")(
        state
    )
    states = keras.layers.LSTM(units, return_sequences=True, name="decoder", **how)(repeated)
    head = keras.layers.Dense(len(contract.ALPHABET), activation="softmax", name="characters")
    answer = keras.layers.TimeDistributed(head, name="head")(states)
    return keras.Model(question, answer, name=contract.MODEL_NAME)
