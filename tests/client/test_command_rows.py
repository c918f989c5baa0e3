"""Answers as text, CSV and JSON Lines: fast blocks and single rows give the same output."""

from __future__ import annotations

import csv
import io
import json
import math
from array import array

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from seq2sum._command.rows import FORMATS, Csv, JsonLines, Row, Text, decode_texts, rows
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
).map(lambda answers: columns(*answers))


def columns(*answers):
    values = zip(*answers, strict=True) if answers else ((), (), (), (), ())
    questions, texts, confidences, statuses, versions = map(list, values)
    return Columns(questions, texts, array("f", confidences), array("i", statuses), versions)


GOOD = columns(("53+42", b"95", 0.98686, 0, 1), ("999+1", b"1000", 1.0, 0, 3))
MIXED = columns(("53+42", b"95", 0.98686, 0, 1), ("x", b"", 0, 1, 1), (b"\xff", b"", 0, 1, 1))


def test_text_leaves_out_refused_questions():
    first = "53+42 = 95  (confidence 0.9869, version 1)\n"
    assert Text().block(GOOD) == f"{first}999+1 = 1000  (confidence 1.0000, version 3)\n"
    assert Text().block(MIXED) == first


def test_csv_has_a_row_for_every_question():
    assert Csv().block(GOOD) == "53+42,95,0.98686,1,\n999+1,1000,1,3,\n"
    error = "is not a question: write two numbers like '53+42'"
    assert Csv().block(MIXED) == (
        f"53+42,95,0.98686,1,\nx,,,1,'x' {error}\n\\xff,,,1,b'\\xff' {error}\n"
    )


def test_json_lines_have_an_object_for_every_question():
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
@settings(deadline=None)
@given(answers=COLUMNS)
def test_block_equals_its_rows(name, answers):
    one_by_one = "".join(map(FORMATS[name].row, rows(answers)))
    assert FORMATS[name].block(answers) == one_by_one


@given(answers=COLUMNS)
def test_json_lines_are_ascii_and_parse_to_the_rows(answers):
    text = JsonLines().block(answers)
    assert text.isascii()
    assert text.count("\n") == len(answers)
    for read, row in zip(objects(text), rows(answers), strict=True):
        if row.confidence is not None:
            assert read["confidence"] == pytest.approx(row.confidence, rel=1e-6)
        assert Row(**read | {"confidence": row.confidence}) == row


@given(answers=COLUMNS)
def test_csv_parses_to_the_rows(answers):
    parsed = list(csv.reader(io.StringIO(Csv().block(answers), newline="")))
    for read, row in zip(parsed, rows(answers), strict=True):
        assert (read[0], read[1], read[4]) == (row.question, row.answer or "", row.error or "")
        assert read[3] == str(row.version)


@given(answers=COLUMNS)
def test_text_is_printable(answers):
    text = Text().block(answers)
    assert text.count("\n") == answers.statuses.count(0)
    assert text.replace("\n", "").isprintable()


def test_decode_texts_keeps_newlines_in_answers():
    assert decode_texts([b"1", b"a\nb", b"\xff"]) == ["1", "a\nb", "\\xff"]
    assert decode_texts([]) == []
