"""Layouts: the examples of the docstring, and two spellings that agree on every question."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
from seq2sum.addition import contract
from seq2sum_training.data.layouts import SOURCES, Layout, answer_tokens
from seq2sum_training.data.questions import every_pair, questions
from seq2sum_training.graph.question_reader import read

EXAMPLES = {
    "padded": {"53+42": "53+42  ", "999+1": "999+1  ", "7+123": "7+123  "},
    "reversed": {"53+42": "  24+35", "999+1": "  1+999", "7+123": "  321+7"},
    "aligned": {"53+42": "24 +35 ", "999+1": "1  +999", "7+123": "321+7  "},
    "paired": {"53+42": "32 54   ", "999+1": "91 9  9 ", "7+123": "73  2  1"},
}


def characters(tokens):
    return ["".join(contract.ALPHABET[token] for token in row) for row in tokens]


def arranged(layout, asked):
    """What each question's tokens stand for, as the module's docstring writes them."""
    tokens = layout.tokens(asked)
    if layout.vocabulary == len(contract.ALPHABET):
        return characters(tokens)
    places = " 0123456789"
    return [" ".join(places[token // 11] + places[token % 11] for token in row) for row in tokens]


@pytest.mark.parametrize("name", SOURCES)
def test_each_layout_has_examples(name):
    assert name in EXAMPLES


@pytest.mark.parametrize("name", EXAMPLES)
def test_a_layout_arranges_its_examples(name):
    asked = np.array([question.encode() for question in EXAMPLES[name]])
    assert arranged(Layout.named(name, 3), asked) == list(EXAMPLES[name].values())


@pytest.mark.parametrize("name", SOURCES)
def test_both_spellings_agree_on_every_question(name):
    layout = Layout.named(name, 3)
    asked = questions(*every_pair(3))
    in_graph = tf.function(lambda rows: read(rows, layout))
    for part in np.split(asked, 10):
        found = in_graph(tf.constant(part.astype(object)))
        assert (found.tokens.numpy() == layout.tokens(part)).all()
        assert (found.status.numpy() == contract.Status.OK).all()


def test_a_paired_token_is_one_of_all_pairs_of_digits_and_blanks():
    layout = Layout.named("paired", 3)
    assert layout.vocabulary == 121
    assert layout.steps == 3
    tokens = layout.tokens(questions(*every_pair(3)))
    assert set(tokens.reshape(-1).tolist()) == set(range(121))
    short = layout.tokens(questions(*every_pair(2)))
    assert (short[:, 2] == 0).all()  # no hundreds in two digits


@pytest.mark.parametrize("name", SOURCES)
def test_both_spellings_agree_on_long_questions(name):
    layout = Layout.named(name, 18)
    random = np.random.default_rng(3)
    asked = questions(*random.integers(0, 10 ** random.integers(1, 19, (2, 2000))))
    found = read(tf.constant(asked.astype(object)), layout)
    assert (found.tokens.numpy() == layout.tokens(asked)).all()
    assert (found.status.numpy() == contract.Status.OK).all()


def test_answers_are_padded_right_either_way_round():
    answers = np.array([b"95", b"1000", b"7"])
    assert characters(answer_tokens(answers, length=4, backwards=False)) == ["95  ", "1000", "7   "]
    assert characters(answer_tokens(answers, length=4, backwards=True)) == ["59  ", "0001", "7   "]
