"""The serving graph: the contract's three signatures around a trained network."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf
from seq2sum.addition import contract

from seq2sum_training.data.layouts import Layout
from seq2sum_training.graph.answers import Choice
from seq2sum_training.graph.question_reader import read
from seq2sum_training.graph.serving_network import ServingNetwork
from seq2sum_training.recipe import Recipe

Outputs = dict[str, Any]


class ServingModel:
    """A trained network with the contract's signatures, from byte strings to output tensors."""

    def __init__(self, recipe: Recipe, model: Any) -> None:
        """Builds the graph with the weights of `model`, a trained Keras model of this recipe."""
        self.recipe = recipe
        self._layout = Layout.named(recipe.layout, recipe.digits)
        self._network = ServingNetwork.from_model(recipe, model)
        # A separate function, so that two signatures share one copy of the weights.
        self._choose = self._concrete(self._choice)
        self.signatures: dict[str, Any] = {
            contract.DEFAULT.name: self._concrete(self._answer),
            contract.DETAILED.name: self._concrete(self._detail),
            contract.PREPROCESSED.name: self._concrete(self._preprocess),
        }
        """A concrete function for each signature, called by keyword: `f(questions=...)`."""

    def ask(self, questions: Any, *, signature: str = contract.DEFAULT.name) -> Outputs:
        """Returns the outputs of a signature as numpy arrays, for byte strings of shape [n]."""
        rows = tf.constant(np.asarray(questions, object), tf.string)
        outputs = self.signatures[signature](questions=rows)
        return {name: tensor.numpy() for name, tensor in outputs.items()}

    def answers(self, questions: Any) -> tuple[Any, Any]:
        """Returns n answers (bytes) and n confidences (float32) for n byte strings."""
        outputs = self.ask(questions)
        return outputs[contract.ANSWERS.name].astype("S"), outputs[contract.CONFIDENCE.name]

    def save(self, path: str) -> None:
        """Writes a SavedModel with the three signatures."""
        tf.saved_model.save(tf.Module(), path, signatures=self.signatures)

    def describe(self) -> dict[str, Any]:
        """Returns the contract of this graph, for contract.json."""
        return contract.describe(
            digits=self.recipe.digits,
            steps=self._layout.steps,
            vocabulary=self._layout.vocabulary,
        )

    def _concrete(self, body: Callable[[Any], Any]) -> Any:
        spec = tf.TensorSpec([None], tf.string, name=contract.QUESTIONS.name)
        return tf.function(body, input_signature=[spec], autograph=False).get_concrete_function()

    def _choice(self, questions: Any) -> tuple[Choice, Any]:
        encoded = read(questions, self._layout)
        logits = self._network.logits(encoded.steps)
        return Choice.from_logits(logits, self._network.places), encoded.status

    def _answer(self, questions: Any) -> Outputs:
        choice, status = self._choose(questions)
        valid = status == contract.Status.OK
        return {
            contract.ANSWERS.name: choice.texts(valid),
            contract.CONFIDENCE.name: choice.confidence(valid),
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
