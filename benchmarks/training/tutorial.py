"""The tutorial as it is usually run: stock Keras layers, `compile`, `fit`.

The recipe `seed` has the same data, network and optimiser, but uses our trainer. This module
measures their cost with Keras's own `fit`.
"""

from __future__ import annotations

import time
from typing import Any, NamedTuple

import numpy as np
from seq2sum.addition import contract
from seq2sum_training import recipe
from seq2sum_training.data.batches import FixedBatches
from seq2sum_training.data.layouts import Layout, answer_tokens
from seq2sum_training.data.questions import Numbers, all_pairs, questions, sums

ROWS = 8192
"""Questions per call to `predict`."""


class Tutorial(NamedTuple):
    """Cost and errors of the trained network."""

    cpu_seconds: float
    """CPU time of `fit`."""
    errors: int
    questions: int
    """1,000,000: all sums of numbers with up to three digits."""


def run() -> Tutorial:
    """Trains as the tutorial does and evaluates on all questions."""
    import keras

    seed = recipe.load("seed")
    assert not isinstance(seed.data, recipe.Fresh)  # the tutorial has a fixed data set
    keras.utils.set_random_seed(seed.seed)
    model = network(seed)
    model.compile(loss="categorical_crossentropy", optimizer="adam", metrics=["accuracy"])
    batches = FixedBatches(seed, seed.data)
    validation = one_hot(*batches.validation.T, digits=seed.digits)
    epochs = seed.fit.steps // batches.steps_per_epoch
    start_cpu = time.process_time()
    model.fit(
        *one_hot(*batches.training.T, digits=seed.digits),
        batch_size=seed.fit.batch,
        epochs=epochs,
        validation_data=validation,
        verbose=0,
    )
    cpu = time.process_time() - start_cpu
    first, second = all_pairs(seed.digits)
    wrong = 0
    for start in range(0, len(first), ROWS):
        part = slice(start, start + ROWS)
        inputs, answers = one_hot(first[part], second[part], digits=seed.digits)
        chosen = model.predict_on_batch(inputs).argmax(axis=2)
        wrong += int((chosen != answers.argmax(axis=2)).any(axis=1).sum())
    return Tutorial(round(cpu, 1), wrong, len(first))


def network(like: recipe.Recipe) -> Any:
    """Returns the tutorial's network in stock Keras layers, with the sizes of this recipe."""
    import keras

    return keras.Sequential(
        [
            keras.Input((2 * like.digits + 1, len(contract.ALPHABET))),
            keras.layers.LSTM(like.network.encoder),
            keras.layers.RepeatVector(contract.answer_length(like.digits)),
            keras.layers.LSTM(like.network.decoder, return_sequences=True),
            keras.layers.Dense(len(contract.ALPHABET), activation="softmax"),
        ]
    )


def one_hot(first: Numbers, second: Numbers, *, digits: int) -> tuple[Any, Any]:
    """Returns the questions and the answers of these pairs, both one-hot."""
    tokens = Layout.named("padded", digits).tokens(questions(first, second))
    length = contract.answer_length(digits)
    answers = answer_tokens(sums(first, second), length=length, backwards=False)
    characters = np.eye(len(contract.ALPHABET), dtype=np.float32)
    return characters[tokens], characters[answers]
