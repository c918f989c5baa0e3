"""Answers from logits: softmax and argmax done otherwise, and text from tables."""

from __future__ import annotations

import numpy as np
import pytest
from seq2sum.addition import contract
from seq2sum_training.graph.answers import CHARACTERS, Choice


def drawn(places, rows=50):
    """Logits as the network gives them, and the same as [rows, places, characters]."""
    logits = np.random.default_rng(places).normal(size=(CHARACTERS, places, rows)) * 4
    logits = logits.astype(np.float32)
    return logits.reshape(CHARACTERS, -1), logits.transpose(2, 1, 0)


def softmax(logits):
    exponents = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return exponents / exponents.sum(axis=-1, keepdims=True)


@pytest.mark.parametrize("places", [2, 4, 5, 19])
def test_choice_is_softmax_and_argmax(places):
    logits, as_read = drawn(places)
    choice, expected = Choice.of(logits, places), softmax(as_read)
    np.testing.assert_allclose(choice.probabilities(), expected, atol=1e-6)
    assert (expected.argmax(axis=2) == choice.tokens.numpy().T).all()
    np.testing.assert_allclose(choice.confidence(), expected.max(axis=2).prod(axis=1), rtol=1e-5)


@pytest.mark.parametrize("places", [2, 4, 5, 19])
def test_text_is_the_chosen_characters_where_a_row_is_good(places):
    logits, as_read = drawn(places)
    good = np.arange(50) % 3 != 1
    texts = ["".join(contract.ALPHABET[i] for i in row).strip() for row in as_read.argmax(axis=2)]
    found = Choice.of(logits, places).texts(good).numpy()
    assert [t.decode() for t in found] == [t if g else "" for t, g in zip(texts, good, strict=True)]


def test_the_first_of_equals_is_chosen():
    logits = np.zeros((CHARACTERS, 3), np.float32)
    logits[[4, 9], 1] = 2
    logits[:, 2] = -500
    logits[11, 2] = 500
    assert Choice.of(logits, 1).tokens.numpy().tolist() == [[0, 4, 11]]
