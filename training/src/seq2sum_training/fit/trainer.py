"""The trainer: optimizer steps in XLA-compiled blocks, and grading of answers.

A block of steps is one call into TensorFlow, which keeps the overhead of Python small. A second
model of the same shape has the averaged weights; it is graded, saved and exported.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray
from seq2sum.addition import contract

from seq2sum_training.data.layouts import Layout, answer_tokens
from seq2sum_training.data.questions import Mask, Numbers, questions, sums
from seq2sum_training.model import network
from seq2sum_training.model.training_network import Weights, probabilities
from seq2sum_training.recipe import Fit, Recipe

BLOCK_QUESTIONS = 6400
"""Training questions per block of steps, which has one row in the history."""
GRADED_ROWS = 1024
"""Questions per grading call, always the same for XLA; larger calls exceed the CPU caches."""
MUON_ADAM_RATE = 1 / 3
"""Learning rate of Adam relative to Muon's, for the weights that Muon leaves to Adam."""

Pairs = tuple[Numbers, Numbers]


class Grades(NamedTuple):
    """Grades of the averaged weights' answers, one row per question."""

    right: Mask
    """Whether every character is right, [n]."""
    loss: NDArray[np.float32]
    """Largest cross-entropy of a character, nats, [n]."""


class Trainer:
    """A network in training: two models and the optimizer."""

    def __init__(self, recipe: Recipe) -> None:
        """Draws initial weights; sets Keras' global seed to the recipe's."""
        self._recipe = recipe
        self._layout = Layout.named(recipe.layout, recipe.digits)
        self.block_steps = -(-BLOCK_QUESTIONS // recipe.fit.batch)
        """Most steps per call to `train`."""
        keras.utils.set_random_seed(recipe.seed)
        self._model = network.build(recipe)
        self.model = network.build(recipe)
        """Keras model with the averaged weights; the last weights if the recipe has no average."""
        self.model.set_weights(self._model.get_weights())
        self._optimizer = _optimizer(recipe.fit)
        self._optimizer.build(self._model.trainable_variables)
        self._initial_optimizer = [_copy(v) for v in self._optimizer.variables]
        self._train = tf.function(self._train_block, jit_compile=True, autograph=False)
        self._grade = tf.function(self._grade_rows, jit_compile=True, autograph=False)

    def train(self, batches: Sequence[Pairs], rates: NDArray[np.float32]) -> float:
        """Runs one optimizer step per batch, with these learning rates.

        Returns:
            The mean cross-entropy per character, nats.
        """
        size = self._recipe.fit.batch
        # Shapes are constant, so that XLA compiles once; the weights of padding are 0.
        weights = np.zeros((self.block_steps, size), np.float32)
        first, second = np.zeros((2, self.block_steps, size), np.int64)
        for step, (a, b) in enumerate(batches):
            first[step, : len(a)], second[step, : len(b)] = a, b
            weights[step, : len(a)] = 1
        tokens = self._tokens(first.reshape(-1), second.reshape(-1))
        inputs, targets = (part.reshape(self.block_steps, size, -1) for part in tokens)
        padded = np.zeros(self.block_steps, np.float32)
        padded[: len(rates)] = rates
        block = map(tf.constant, (inputs, targets, weights, padded, len(batches)))
        return float(self._train(*block))

    def grade(self, first: Numbers, second: Numbers) -> Grades:
        """Grades the averaged weights' answers to these pairs."""
        right, loss = np.empty(len(first), np.bool_), np.empty(len(first), np.float32)
        for start in range(0, len(first), GRADED_ROWS):
            part = slice(start, start + GRADED_ROWS)
            tokens = self._tokens(first[part], second[part])
            rows = len(tokens[0])
            padded = [np.pad(t, ((0, GRADED_ROWS - rows), (0, 0))) for t in tokens]
            graded = self._grade(*map(tf.constant, padded))
            right[part], loss[part] = (g.numpy()[:rows] for g in graded)
        return Grades(right, loss)

    def initial_weights(self, attempt: int) -> list[NDArray[Any]]:
        """Returns new initial weights, different for each attempt from the second on."""
        drawn = np.random.SeedSequence([self._recipe.seed, attempt]).generate_state(1)
        keras.utils.set_random_seed(int(drawn[0]))
        return [_copy(variable) for variable in network.build(self._recipe).weights]

    def weights(self) -> list[NDArray[Any]]:
        """Returns a copy of the averaged weights."""
        return [_copy(variable) for variable in self.model.weights]

    def restart_from(self, weights: Sequence[NDArray[Any]]) -> None:
        """Sets both models to these weights, and resets the optimizer."""
        self.model.set_weights(weights)
        self._model.set_weights(weights)
        for variable, value in zip(self._optimizer.variables, self._initial_optimizer, strict=True):
            variable.assign(value)

    def state(self) -> dict[str, NDArray[Any]]:
        """Returns all variables on which the next step depends."""
        return {name: _copy(variable) for name, variable in self._variables().items()}

    def restore(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Restores a result of `state`, of this process or another."""
        for name, variable in self._variables().items():
            variable.assign(state[name])

    def _variables(self) -> dict[str, Any]:
        groups = {
            "last": self._model.variables,
            "averaged": self.model.variables,
            "optimizer": self._optimizer.variables,
        }
        return {f"{group}/{i}": v for group, vs in groups.items() for i, v in enumerate(vs)}

    def _tokens(self, first: Numbers, second: Numbers) -> tuple[NDArray[np.int32], ...]:
        """Returns input tokens, [n, steps], and target tokens, [n, answer length]."""
        inputs = self._layout.tokens(questions(first, second))
        targets = answer_tokens(
            sums(first, second),
            length=contract.answer_length(self._recipe.digits),
            backwards=self._recipe.answers == "reversed",
        )
        return inputs, targets

    def _train_block(self, inputs: Any, targets: Any, weights: Any, rates: Any, count: Any) -> Any:
        # A while_loop, because the AutoGraph of TensorFlow 2.21 leaves `for step in tf.range(...)`
        # as it is where its own DeprecationWarnings on Python 3.13 are errors, as in our tests.
        def step(number: Any, total: Any) -> tuple[Any, Any]:
            self._optimizer.learning_rate.assign(rates[number])
            loss = self._train_step(inputs[number], targets[number], weights[number])
            return number + 1, total + loss

        start = (tf.constant(0), tf.constant(0.0))
        _, total = tf.while_loop(lambda number, _: number < count, step, start)
        return total / tf.cast(count, tf.float32)

    def _train_step(self, inputs: Any, targets: Any, weights: Any) -> Any:
        variables = self._model.trainable_variables
        with tf.GradientTape() as tape:
            one_hot = tf.one_hot(inputs, self._layout.vocabulary)
            predicted = self._model(one_hot, training=True)
            losses = keras.ops.sparse_categorical_crossentropy(targets, predicted)
            rows = tf.reduce_mean(losses, axis=1)
            loss = tf.reduce_sum(rows * weights) / tf.reduce_sum(weights)
        self._optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables, strict=True))
        momentum = self._recipe.fit.average or 0.0
        for averaged, last in zip(self.model.trainable_variables, variables, strict=True):
            averaged.assign(momentum * averaged + (1 - momentum) * last)
        return loss

    def _grade_rows(self, inputs: Any, targets: Any) -> tuple[Any, Any]:
        weights = Weights.from_model(
            self.model, cell=self._recipe.network.cell, convert=tf.convert_to_tensor
        )
        predicted = probabilities(inputs, weights, digits=self._recipe.digits)
        chosen = tf.argmax(predicted, axis=2, output_type=tf.int32)
        right = tf.reduce_all(chosen == targets, axis=1)
        losses = keras.ops.sparse_categorical_crossentropy(targets, predicted)
        return right, tf.reduce_max(losses, axis=1)


def _copy(variable: Any) -> NDArray[Any]:
    """Copies a variable's value; `convert_to_numpy` alone may return shared memory."""
    return np.array(keras.ops.convert_to_numpy(variable))


def _optimizer(fit: Fit) -> Any:
    if fit.optimizer == "adam":
        return keras.optimizers.Adam(fit.learning_rate, global_clipnorm=fit.clip_norm)
    return keras.optimizers.Muon(
        fit.learning_rate,
        global_clipnorm=fit.clip_norm,
        weight_decay=0.0,
        adam_lr_ratio=MUON_ADAM_RATE,
        # The first and the last matrix map tokens, not states, so Adam trains them. These are
        # patterns of variable paths, in which \w+ matches the name of the cell.
        exclude_layers=[r"^encoder/\w+/kernel$", r"^head/"],
    )
