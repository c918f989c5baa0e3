"""Fitting: optimiser steps on batches, in blocks that XLA compiles as a whole.

A block of steps is one call into TensorFlow, so that Python's share of the time is small.
The averaged weights live in a second model of the same shape, which is what is evaluated,
saved and exported.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray
from seq2sum import contract

from seq2sum_training import network
from seq2sum_training.batches import Batches
from seq2sum_training.errors import UserError
from seq2sum_training.history import Progress
from seq2sum_training.layouts import VOCABULARY, Layout, answer_tokens
from seq2sum_training.questions import Numbers, questions, sums
from seq2sum_training.recipe import Fit, Recipe

BLOCK_STEPS = 50
"""Steps of one call into TensorFlow, and of one row of the history."""
PROBE_QUESTIONS = 2000
"""Questions of the exact-match probe; they come from the training pairs."""
PROBE_STEP = 2**31
"""Batches from here on are the probe's; no run trains that long."""
MUON_ADAM_RATE = 1 / 3
"""Adam's rate, relative to Muon's, for the weights that Muon leaves to it."""


class Trainer:
    """One training run in memory."""

    def __init__(self, recipe: Recipe, batches: Batches) -> None:
        """Draws the initial weights; the process's Keras seed is set to the recipe's."""
        self._recipe = recipe
        self._layout = Layout.named(recipe.layout, recipe.digits)
        self._batches = batches
        keras.utils.set_random_seed(recipe.seed)
        self._model = network.build(recipe)
        self.model = network.build(recipe)
        """The Keras model with the averaged weights (the last ones, if nothing is averaged)."""
        self.model.set_weights(self._model.get_weights())
        self._optimizer = _optimizer(recipe.fit)
        self._optimizer.build(self._model.trainable_variables)
        self._train = tf.function(self._train_block, jit_compile=True)
        self._predict = tf.function(self.model, reduce_retracing=True)

    def run(self) -> Iterator[Progress]:
        """Trains from the first step to the last, telling after each block.

        Raises:
            UserError: The loss is not finite any more.
        """
        recipe = self._recipe
        probe = self._probe()
        for start in range(0, recipe.fit.steps, BLOCK_STEPS):
            count = min(BLOCK_STEPS, recipe.fit.steps - start)
            began = time.perf_counter()
            block = self._block(range(start, start + count))
            loss = float(self._train(*map(tf.constant, block), tf.constant(count)))
            seconds = time.perf_counter() - began
            if not math.isfinite(loss):
                raise UserError(
                    f"the loss is {loss} after step {start + count}: lower fit.learning_rate"
                )
            yield Progress(start + count, loss, self._exact(*probe), int(block[2].sum()) / seconds)

    def _tokens(self, first: Numbers, second: Numbers) -> tuple[NDArray[np.int32], ...]:
        asked = self._layout.tokens(questions(first, second))
        answered = answer_tokens(
            sums(first, second),
            length=contract.answer_length(self._recipe.digits),
            backwards=self._recipe.answers == "reversed",
        )
        return asked, answered

    def _block(self, steps: range) -> tuple[NDArray[Any], ...]:
        """Tokens [BLOCK_STEPS, batch, …] and row weights, which are 0 where a batch is short."""
        size = self._recipe.fit.batch
        weights = np.zeros((BLOCK_STEPS, size), np.float32)
        first, second = np.zeros((2, BLOCK_STEPS, size), np.int64)
        for place, step in enumerate(steps):
            a, b = self._batches.batch(step)
            first[place, : len(a)], second[place, : len(b)] = a, b
            weights[place, : len(a)] = 1
        asked, answered = self._tokens(first.reshape(-1), second.reshape(-1))
        shape = (BLOCK_STEPS, size, -1)
        return asked.reshape(shape), answered.reshape(shape), weights

    def _train_block(self, asked: Any, answered: Any, weights: Any, count: Any) -> Any:
        total = tf.constant(0.0)
        for step in tf.range(count):
            total += self._train_step(asked[step], answered[step], weights[step])
        return total / tf.cast(count, tf.float32)

    def _train_step(self, asked: Any, answered: Any, weights: Any) -> Any:
        variables = self._model.trainable_variables
        with tf.GradientTape() as tape:
            predicted = self._model(tf.one_hot(asked, VOCABULARY), training=True)
            losses = keras.ops.sparse_categorical_crossentropy(answered, predicted)
            rows = tf.reduce_mean(losses, axis=1)
            loss = tf.reduce_sum(rows * weights) / tf.reduce_sum(weights)
        self._optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables, strict=True))
        keep = self._recipe.fit.average or 0.0
        for averaged, last in zip(self.model.trainable_variables, variables, strict=True):
            averaged.assign(keep * averaged + (1 - keep) * last)
        return loss

    def _probe(self) -> tuple[NDArray[np.int32], ...]:
        pairs: list[tuple[Numbers, Numbers]] = []
        while sum(len(a) for a, _ in pairs) < PROBE_QUESTIONS:
            pairs.append(self._batches.batch(PROBE_STEP + len(pairs)))
        first, second = (
            np.concatenate(part)[:PROBE_QUESTIONS] for part in zip(*pairs, strict=True)
        )
        return self._tokens(first, second)

    def _exact(self, asked: NDArray[np.int32], answered: NDArray[np.int32]) -> float:
        predicted = self._predict(tf.one_hot(asked, VOCABULARY)).numpy().argmax(axis=2)
        return float((predicted == answered).all(axis=1).mean())


def _optimizer(fit: Fit) -> Any:
    rate: Any = fit.learning_rate
    if fit.schedule == "cosine":
        rate = keras.optimizers.schedules.CosineDecay(
            0.0, fit.steps - fit.warm_up, warmup_target=fit.learning_rate, warmup_steps=fit.warm_up
        )
    if fit.optimizer == "adam":
        return keras.optimizers.Adam(rate, global_clipnorm=fit.clip_norm)
    # Patterns on the paths of variables.
    tables = [r"^encoder/lstm_cell/kernel$", r"^head/"]
    return keras.optimizers.Muon(
        rate,
        global_clipnorm=fit.clip_norm,
        weight_decay=0.0,
        adam_lr_ratio=MUON_ADAM_RATE,
        # The first and the last matrix are look-up tables of tokens, not maps of a state.
        exclude_layers=tables,
    )
