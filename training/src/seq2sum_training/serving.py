"""The serving graph: the three signatures of the contract around a trained network."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf
from seq2sum import contract

from seq2sum_training.layouts import Layout
from seq2sum_training.reading import read
from seq2sum_training.recipe import Recipe
from seq2sum_training.unrolled import Weights, probabilities

Outputs = dict[str, Any]


class ServingModel:
    """A trained network as a server asks it: byte strings in, the contract's tensors out."""

    def __init__(self, recipe: Recipe, model: Any) -> None:
        """Takes the weights of `model`, a trained Keras model of this recipe."""
        self.recipe = recipe
        self._layout = Layout.named(recipe.layout, recipe.digits)
        self._weights = Weights.of(model, cell=recipe.network.cell)
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

    def _concrete(self, body: Callable[[Any], Outputs]) -> Any:
        spec = tf.TensorSpec([None], tf.string, name=contract.QUESTIONS.name)
        return tf.function(body, input_signature=[spec]).get_concrete_function()

    def _places(self, questions: Any) -> tuple[Any, Any]:
        """Probabilities with the most significant place first, and the status."""
        tokens, status = read(questions, self._layout)
        places = probabilities(tokens, self._weights, digits=self.recipe.digits)
        if self.recipe.answers == "reversed":
            places = tf.reverse(places, axis=[1])
        return places, status

    def _answer(self, questions: Any) -> Outputs:
        places, status = self._places(questions)
        characters = tf.gather(tf.constant(list(contract.ALPHABET)), tf.argmax(places, axis=2))
        good = status == contract.Status.OK
        texts = tf.strings.strip(tf.strings.reduce_join(characters, axis=1))
        sure = tf.reduce_prod(tf.reduce_max(places, axis=2), axis=1)
        return {
            contract.ANSWERS.name: tf.where(good, texts, ""),
            contract.CONFIDENCE.name: tf.where(good, sure, 0.0),
            contract.STATUS.name: status,
        }

    def _detail(self, questions: Any) -> Outputs:
        places, status = self._places(questions)
        return {
            contract.PROBABILITIES.name: places,
            contract.TOKEN_IDS.name: tf.argmax(places, axis=2, output_type=tf.int32),
            contract.STATUS.name: status,
        }

    def _preprocess(self, questions: Any) -> Outputs:
        tokens, _ = read(questions, self._layout)
        return {contract.ONE_HOT.name: tf.one_hot(tokens, self._layout.vocabulary)}
