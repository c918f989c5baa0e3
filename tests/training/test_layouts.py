"""Layouts: the examples of the docstring, and agreement of numpy and graph."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
from seq2sum.addition import contract
from seq2sum_training.data.layouts import SOURCES, Layout, answer_tokens
from seq2sum_training.data.questions import all_pairs, questions
from seq2sum_training.graph.question_reader import read

pytestmark = pytest.mark.tensorflow

EXAMPLES = {
    "padded": {"53+42": "53+42  ", "999+1": "999+1  ", "7+123": "7+123  "},
    "reversed": {"53+42": "  24+35", "999+1": "  1+999", "7+123": "  321+7"},
    "aligned": {"53+42": "24 +35 ", "999+1": "1  +999", "7+123": "321+7  "},
    "paired": {"53+42": "32 54   ", "999+1": "91 9  9 ", "7+123": "73  2  1"},
}


def characters(tokens):
    return ["".join(contract.ALPHABET[token] for token in row) for row in tokens]


def as_text(layout, texts):
    """Formats each question's tokens as in the docstring of `layouts`."""
    tokens = layout.tokens(texts)
    if layout.vocabulary == len(contract.ALPHABET):
        return characters(tokens)
    symbols = " 0123456789"
    return [" ".join(symbols[token // 11] + symbols[token % 11] for token in row) for row in tokens]


@pytest.mark.parametrize("name", SOURCES)
def test_every_layout_has_examples(name):
    assert name in EXAMPLES


@pytest.mark.parametrize("name", EXAMPLES)
def test_layout_orders_the_characters_of_its_examples(name):
    texts = np.array([question.encode() for question in EXAMPLES[name]])
    assert as_text(Layout.named(name, 3), texts) == list(EXAMPLES[name].values())


@pytest.mark.parametrize("name", SOURCES)
def test_numpy_and_graph_give_the_same_tokens_for_every_question(name):
    layout = Layout.named(name, 3)
    texts = questions(*all_pairs(3))
    in_graph = tf.function(lambda rows: read(rows, layout), autograph=False)
    for part in np.split(texts, 10):
        encoded = in_graph(tf.constant(part.astype(object)))
        assert (encoded.tokens.numpy() == layout.tokens(part)).all()
        assert (encoded.status.numpy() == contract.Status.OK).all()


def test_paired_tokens_are_all_pairs_of_digits_and_blanks():
    layout = Layout.named("paired", 3)
    assert layout.vocabulary == 121
    assert layout.steps == 3
    tokens = layout.tokens(questions(*all_pairs(3)))
    assert set(tokens.reshape(-1).tolist()) == set(range(121))
    short = layout.tokens(questions(*all_pairs(2)))
    assert (short[:, 2] == 0).all()  # two digits have no hundreds


@pytest.mark.parametrize("name", SOURCES)
def test_numpy_and_graph_give_the_same_tokens_for_long_questions(name):
    layout = Layout.named(name, 18)
    random = np.random.default_rng(3)
    texts = questions(*random.integers(0, 10 ** random.integers(1, 19, (2, 2000))))
    encoded = read(tf.constant(texts.astype(object)), layout)
    assert (encoded.tokens.numpy() == layout.tokens(texts)).all()
    assert (encoded.status.numpy() == contract.Status.OK).all()


def test_answer_tokens_are_padded_right_in_both_directions():
    answers = np.array([b"95", b"1000", b"7"])
    assert characters(answer_tokens(answers, length=4, backwards=False)) == ["95  ", "1000", "7   "]
    assert characters(answer_tokens(answers, length=4, backwards=True)) == ["59  ", "0001", "7   "]
