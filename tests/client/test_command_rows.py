"""Answers as text, CSV and JSON Lines: quick blocks and single rows say the same."""

from __future__ import annotations

import csv
import io
import json
import math
from array import array

import pytest
from hypothesis import given
from hypothesis import strategies as st
from seq2sum._command.rows import FORMATS, Csv, JsonLines, Row, Text, decoded, rows
from seq2sum.addition.answers import Columns

QUESTIONS = st.text(st.characters(exclude_categories=["Cs"]), max_size=6) | st.binary(max_size=4)
ANSWERS = st.sampled_from([b"95", b"1000", b"", b"9 5", b'"', b"a,b", b"\n", b"\r", b"\xff"])
COLUMNS = st.lists(
    st.tuples(
        QUESTIONS,
        ANSWERS,
        st.floats(0, 1, width=32) | st.sampled_from([math.nan, math.inf]),
        st.sampled_from([0, 0, 0, 1, 2]),
        st.integers(0, 2**63 - 1),
    ),
    max_size=8,
).map(lambda made: columns(*made))


def columns(*made):
    each = zip(*made, strict=True) if made else ((), (), (), (), ())
    questions, texts, confidences, statuses, versions = map(list, each)
    return Columns(questions, texts, array("f", confidences), array("i", statuses), versions)


GOOD = columns(("53+42", b"95", 0.98686, 0, 1), ("999+1", b"1000", 1.0, 0, 3))
MIXED = columns(("53+42", b"95", 0.98686, 0, 1), ("x", b"", 0, 1, 1), (b"\xff", b"", 0, 1, 1))


def test_text_is_for_readers_and_leaves_refused_questions_out():
    first = "53+42 = 95  (confidence 0.9869, version 1)\n"
    assert Text().block(GOOD) == f"{first}999+1 = 1000  (confidence 1.0000, version 3)\n"
    assert Text().block(MIXED) == first


def test_csv_has_a_row_for_every_question():
    assert Csv().block(GOOD) == "53+42,95,0.98686,1,\n999+1,1000,1,3,\n"
    told = "is not a question: write two numbers like '53+42'"
    assert Csv().block(MIXED) == (
        f"53+42,95,0.98686,1,\nx,,,1,'x' {told}\n\\xff,,,1,b'\\xff' {told}\n"
    )


def test_json_has_an_object_for_every_question():
    first, second, third = objects(JsonLines().block(MIXED))
    assert first == {
        "question": "53+42", "answer": "95", "confidence": 0.98686, "version": 1, "error": None,
    }  # fmt: skip
    assert (second["answer"], second["confidence"], second["version"]) == (None, None, 1)
    assert second["error"].startswith("'x' is not a question")
    assert third["question"] == "\\xff"


def objects(text):
    return [json.loads(line) for line in text.splitlines()]


@pytest.mark.parametrize("name", FORMATS)
@given(made=COLUMNS)
def test_a_block_is_its_rows_one_after_the_other(name, made):
    one_by_one = "".join(map(FORMATS[name].row, rows(made)))
    assert FORMATS[name].block(made) == one_by_one


@given(made=COLUMNS)
def test_json_is_read_back_as_it_was_and_is_pure_ascii(made):
    text = JsonLines().block(made)
    assert text.isascii()
    assert text.count("\n") == len(made)
    for read, row in zip(objects(text), rows(made), strict=True):
        if row.confidence is not None:
            assert read["confidence"] == pytest.approx(row.confidence, rel=1e-6)
        assert Row(**read | {"confidence": row.confidence}) == row


@given(made=COLUMNS)
def test_csv_is_read_back_as_it_was(made):
    found = list(csv.reader(io.StringIO(Csv().block(made), newline="")))
    for read, row in zip(found, rows(made), strict=True):
        assert (read[0], read[1], read[4]) == (row.question, row.answer or "", row.error or "")
        assert read[3] == str(row.version)


@given(made=COLUMNS)
def test_text_moves_no_cursor(made):
    text = Text().block(made)
    assert text.count("\n") == made.statuses.count(0)
    assert text.replace("\n", "").isprintable()


def test_answers_are_decoded_even_where_they_break_lines():
    assert decoded([b"1", b"a\nb", b"\xff"]) == ["1", "a\nb", "\\xff"]
    assert decoded([]) == []
