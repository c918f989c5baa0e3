"""The serving graph: the three signatures of the contract around a trained network."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf
from seq2sum.addition import contract

from seq2sum_training.data.layouts import Layout
from seq2sum_training.graph.answers import Choice
from seq2sum_training.graph.question_reader import read
from seq2sum_training.graph.serving_network import Frozen
from seq2sum_training.recipe import Recipe

Outputs = dict[str, Any]


class ServingModel:
    """A trained network as a server asks it: byte strings in, the contract's tensors out."""

    def __init__(self, recipe: Recipe, model: Any) -> None:
        """Takes the weights of `model`, a trained Keras model of this recipe."""
        self.recipe = recipe
        self._layout = Layout.named(recipe.layout, recipe.digits)
        self._network = Frozen.of(recipe, model)
        # A function of its own, so that two signatures share one copy of the weights.
        self._choose = self._concrete(self._chosen)
        self.signatures: dict[str, Any] = {
            contract.DEFAULT.name: self._concrete(self._answer),
            contract.DETAILED.name: self._concrete(self._detail),
            contract.PREPROCESSED.name: self._concrete(self._preprocess),
        }
        """A concrete function for each signature, called by keyword: `f(questions=...)`."""

    def ask(self, questions: Any, *, signature: str = contract.DEFAULT.name) -> Outputs:
        """The outputs of a signature as numpy arrays, for byte strings of shape [n]."""
        rows = tf.constant(np.asarray(questions, object), tf.string)
        answered = self.signatures[signature](questions=rows)
        return {name: tensor.numpy() for name, tensor in answered.items()}

    def answers(self, questions: Any) -> tuple[Any, Any]:
        """Answers, bytes [n], and confidences, float32 [n], to byte strings of shape [n]."""
        outputs = self.ask(questions)
        return outputs[contract.ANSWERS.name].astype("S"), outputs[contract.CONFIDENCE.name]

    def save(self, path: str) -> None:
        """Writes a SavedModel with the three signatures."""
        tf.saved_model.save(tf.Module(), path, signatures=self.signatures)

    def describe(self) -> dict[str, Any]:
        """The contract of this version."""
        return contract.describe(
            digits=self.recipe.digits,
            steps=self._layout.steps,
            vocabulary=self._layout.vocabulary,
        )

    def _concrete(self, body: Callable[[Any], Any]) -> Any:
        spec = tf.TensorSpec([None], tf.string, name=contract.QUESTIONS.name)
        return tf.function(body, input_signature=[spec], autograph=False).get_concrete_function()

    def _chosen(self, questions: Any) -> tuple[Choice, Any]:
        """What the network chose, and the status."""
        reading = read(questions, self._layout)
        return Choice.of(self._network.logits(reading.steps), self._network.places), reading.status

    def _answer(self, questions: Any) -> Outputs:
        choice, status = self._choose(questions)
        good = status == contract.Status.OK
        return {
            contract.ANSWERS.name: choice.texts(good),
            contract.CONFIDENCE.name: tf.where(good, choice.confidence(), 0.0),
            contract.STATUS.name: status,
        }

    def _detail(self, questions: Any) -> Outputs:
        choice, status = self._choose(questions)
        return {
            contract.PROBABILITIES.name: choice.probabilities(),
            contract.TOKEN_IDS.name: tf.transpose(choice.tokens),
            contract.STATUS.name: status,
        }

    def _preprocess(self, questions: Any) -> Outputs:
        tokens = read(questions, self._layout).tokens
        return {contract.ONE_HOT.name: tf.one_hot(tokens, self._layout.vocabulary)}
