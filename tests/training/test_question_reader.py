"""Reading of questions in the graph, compared with the grammar of the contract."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from seq2sum.addition import contract
from seq2sum_training.data.layouts import SOURCES, Layout
from seq2sum_training.graph.question_reader import read
from support.grammar import EXAMPLES

pytestmark = pytest.mark.tensorflow

LAYOUTS = {digits: Layout.named("aligned", digits) for digits in (1, 2, 3, 4, 9)}
"""By digits of an operand: `word_reader` reads up to 3, `window_reader` more."""


def reader(layout):
    return tf.function(
        lambda rows: read(rows, layout),
        input_signature=[tf.TensorSpec([None], tf.string)],
        autograph=False,
    )


READERS = {digits: reader(layout) for digits, layout in LAYOUTS.items()}


def status_and_tokens(rows, digits=3):
    encoded = READERS[digits](tf.constant(rows, tf.string, shape=[len(rows)]))
    return encoded.status.numpy().tolist(), encoded.tokens.numpy()


def test_read_gives_the_status_of_every_contract_example():
    status, _ = status_and_tokens(list(EXAMPLES))
    assert status == list(EXAMPLES.values())


@pytest.mark.parametrize(("question", "expected"), EXAMPLES.items(), ids=lambda v: repr(v)[:30])
def test_read_gives_the_status_of_a_single_example(question, expected):
    status, _ = status_and_tokens([question])
    assert status == [expected]


def test_leading_zeros_and_trailing_spaces_are_ignored():
    spellings = [b"7+12", b"007+12", b"07+012", b"7+12 ", b"007+012" + b" " * 30, b"7+12  "]
    status, tokens = status_and_tokens(spellings)
    assert status == [0] * len(spellings)
    assert (tokens == tokens[0]).all()


@pytest.mark.parametrize("name", SOURCES)
def test_operands_with_leading_zeros_have_the_tokens_of_plain_ones(name):
    layout = Layout.named(name, 3)
    spellings = [str(n).zfill(width) for width in (1, 2, 3) for n in range(10**width)]
    random = np.random.default_rng(2)
    pairs = [random.permutation(spellings), random.permutation(spellings)]
    asked = [f"{a}+{b}".encode() for a, b in zip(*pairs, strict=True)]
    plain = np.array([f"{int(a)}+{int(b)}".encode() for a, b in zip(*pairs, strict=True)])
    encoded = read(tf.constant(asked), layout)
    assert not encoded.status.numpy().any()
    assert (encoded.tokens.numpy() == layout.tokens(plain)).all()


def test_unusual_rows_are_read_in_one_batch_with_plain_rows():
    rows = [b"1+2", b"003+04", b"5+6" + b" " * 40, b"7+8" + b" " * 40 + b"x", b"9+9"]
    plain = LAYOUTS[4].tokens(np.array([b"1+2", b"3+4", b"5+6", b"9+9"]))
    for digits in (3, 4):
        status, tokens = status_and_tokens(rows, digits)
        assert status == [0, 0, 0, 1, 0]
        assert not tokens[3].any()
    assert (tokens[[0, 1, 2, 4]] == plain).all()


def test_operand_of_zeros_reads_as_one_zero():
    _, tokens = status_and_tokens([b"0+0", b"000+00"])
    assert (tokens[0] == tokens[1]).all()
    assert np.count_nonzero(tokens[0]) == 3


def test_invalid_questions_read_as_blanks():
    _, tokens = status_and_tokens([b"1+x", b"1234+1", b"", b"1+2"])
    assert not tokens[:3].any()
    assert tokens[3].any()


def test_empty_batch():
    status, tokens = status_and_tokens([])
    assert status == []
    assert tokens.shape == (0, 7)


QUESTION_LIKE = st.lists(
    st.sampled_from(
        [b"0", b"00", b"1", b"9", b"42", b"999", b"+", b"++", b" ", b"  ", b"\0", b"x"]
    ),
    max_size=8,
).map(b"".join)
ANYTHING = st.one_of(st.binary(max_size=20), QUESTION_LIKE, st.text(max_size=8).map(str.encode))


@settings(max_examples=400, deadline=None, derandomize=True)
@given(rows=st.lists(ANYTHING, min_size=1, max_size=8), digits=st.sampled_from(sorted(LAYOUTS)))
def test_read_agrees_with_the_grammar_of_the_contract(rows, digits):
    status, tokens = status_and_tokens(rows, digits)
    assert status == [contract.status_of(row, digits=digits) for row in rows]
    for row, read_tokens in zip(rows, tokens, strict=True):
        if contract.status_of(row, digits=digits) is contract.Status.OK:
            plain = b"+".join(str(int(operand)).encode() for operand in contract.operands(row))
            assert (LAYOUTS[digits].tokens(np.array([plain]))[0] == read_tokens).all()
