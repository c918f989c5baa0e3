"""Answers from logits: softmax, argmax and text."""

from __future__ import annotations

import numpy as np
import pytest
from seq2sum.addition import contract
from seq2sum_training.graph.answers import CHARACTERS, Choice

pytestmark = pytest.mark.tensorflow


def random_logits(places, rows=50):
    """Returns random logits as the network's output, and as [rows, places, characters]."""
    logits = np.random.default_rng(places).normal(size=(CHARACTERS, places, rows)) * 4
    logits = logits.astype(np.float32)
    return logits.reshape(CHARACTERS, -1), logits.transpose(2, 1, 0)


def softmax(logits):
    exponents = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return exponents / exponents.sum(axis=-1, keepdims=True)


@pytest.mark.parametrize("places", [2, 4, 5, 19])
def test_choice_has_softmax_and_argmax(places):
    logits, by_row = random_logits(places)
    choice, expected = Choice.from_logits(logits, places), softmax(by_row)
    np.testing.assert_allclose(choice.probabilities(), expected, atol=1e-6)
    assert (expected.argmax(axis=2) == choice.tokens.numpy().T).all()
    valid = np.arange(len(expected)) % 3 > 0
    confidence = choice.confidence(valid).numpy()
    np.testing.assert_allclose(confidence, expected.max(axis=2).prod(axis=1) * valid, rtol=1e-5)


@pytest.mark.parametrize("places", [2, 4, 5, 19])
def test_texts_have_the_chosen_characters_in_valid_rows(places):
    logits, by_row = random_logits(places)
    valid = np.arange(50) % 3 != 1
    texts = ["".join(contract.ALPHABET[i] for i in row).strip() for row in by_row.argmax(axis=2)]
    result = Choice.from_logits(logits, places).texts(valid).numpy()
    assert [t.decode() for t in result] == [
        t if v else "" for t, v in zip(texts, valid, strict=True)
    ]


def test_choice_takes_the_first_of_equal_logits():
    logits = np.zeros((CHARACTERS, 3), np.float32)
    logits[[4, 9], 1] = 2
    logits[:, 2] = -500
    logits[11, 2] = 500
    assert Choice.from_logits(logits, 1).tokens.numpy().tolist() == [[0, 4, 11]]
