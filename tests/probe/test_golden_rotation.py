"""Each round sends a few golden questions, and successive rounds cover all of them."""

from __future__ import annotations

import pytest
from seq2sum.addition import contract
from seq2sum_serving.gates.golden import Golden
from seq2sum_serving.probe.golden_rotation import SINGLE_DIGIT_SUMS, questions_of_round

FIVE = Golden(tuple(f"{n}+0".encode() for n in range(5)), tuple("01234"))


@pytest.mark.parametrize(
    ("number", "count", "answers"),
    [
        (0, 2, "01"),
        (1, 2, "23"),
        (2, 2, "40"),
        (3, 2, "12"),
        (0, 5, "01234"),
        (1, 5, "01234"),
        (0, 9, "01234"),
        (10**9, 1, "0"),
    ],
)
def test_rotation_starts_over_after_the_last_question(number, count, answers):
    found = questions_of_round(FIVE, number, count)
    assert "".join(answer for _, answer in found) == answers
    assert [question for question, _ in found] == [f"{answer}+0".encode() for answer in answers]


def test_rotation_covers_every_question():
    rounds = [questions_of_round(SINGLE_DIGIT_SUMS, number, 3) for number in range(34)]
    assert {question for each in rounds for question, _ in each} == set(SINGLE_DIGIT_SUMS.questions)


def test_single_digit_sums_are_correct_and_start_with_a_carry():
    questions, answers = SINGLE_DIGIT_SUMS.questions, SINGLE_DIGIT_SUMS.answers
    assert len(set(questions)) == 100
    for question, answer in zip(questions, answers, strict=True):
        a, b = contract.operands(question)
        assert len(a) == len(b) == 1
        assert int(a) + int(b) == int(answer)
    assert answers[0] == "18"
