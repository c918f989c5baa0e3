"""A few golden questions a round, and all of them in turns."""

from __future__ import annotations

import pytest
from seq2sum.addition import contract
from seq2sum_serving.gates.golden import Golden
from seq2sum_serving.probe.golden_rotation import SUMS, turn

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
def test_after_the_last_question_the_first_one_comes_again(number, count, answers):
    found = turn(FIVE, number, count)
    assert "".join(answer for _, answer in found) == answers
    assert [question for question, _ in found] == [f"{answer}+0".encode() for answer in answers]


def test_every_question_has_its_turn():
    asked = {question for number in range(34) for question, _ in turn(SUMS, number, 3)}
    assert asked == set(SUMS.questions)


def test_sums_that_any_version_can_read_are_true_and_begin_with_a_carry():
    assert len(set(SUMS.questions)) == 100
    for question, answer in zip(SUMS.questions, SUMS.answers, strict=True):
        a, b = contract.operands(question)
        assert len(a) == len(b) == 1
        assert int(a) + int(b) == int(answer)
    assert SUMS.answers[0] == "18"
