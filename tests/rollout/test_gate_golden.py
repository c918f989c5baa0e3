"""Golden questions: read with distrust, judged by shares."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from seq2sum_serving.deployment.errors import Failed
from seq2sum_serving.deployment.event_log import Verdict
from seq2sum_serving.gates import golden, policy
from seq2sum_serving.gates.golden import Golden

PASSED, FAILED, UNKNOWN = Verdict.SUCCESSFUL, Verdict.FAILED, Verdict.SKIPPED

ASKED = Golden(
    tuple(f"{number}+1".encode() for number in range(1000)),
    tuple(str(number + 1) for number in range(1000)),
)


def answers(wrong=0, *, first=0, said="7777"):
    """All right but so many, from a place on."""
    return [said if first <= n < first + wrong else text for n, text in enumerate(ASKED.answers)]


def limits(floor=0.999, drop=0.0, most=0.001):
    base = policy.default()
    return replace(
        base,
        golden=policy.GoldenPolicy(floor=floor, drop=drop),
        disagreement=policy.DisagreementPolicy(most=most),
    )


@pytest.mark.parametrize(
    ("candidate", "stable", "policy_", "expected"),
    [
        pytest.param(0, 0, limits(), (PASSED, PASSED), id="all right"),
        pytest.param(0, None, limits(), (PASSED, UNKNOWN), id="no stable version"),
        pytest.param(1, None, limits(), (PASSED, UNKNOWN), id="exactly at the floor"),
        pytest.param(2, None, limits(), (FAILED, UNKNOWN), id="below the floor"),
        pytest.param(1, 0, limits(), (FAILED, PASSED), id="worse than stable"),
        pytest.param(1, 0, limits(drop=0.001), (PASSED, PASSED), id="exactly at the drop"),
        pytest.param(7, 3, limits(floor=0, drop=0.004, most=1), (PASSED, PASSED), id="at a drop"),
        pytest.param(7, 2, limits(floor=0, drop=0.004, most=1), (FAILED, PASSED), id="over a drop"),
        pytest.param(0, 930, limits(), (PASSED, PASSED), id="right where stable is wrong"),
        pytest.param(2, 2, limits(floor=0.99), (PASSED, PASSED), id="wrong in the same way"),
        pytest.param(1000, None, limits(), (FAILED, UNKNOWN), id="all wrong"),
        pytest.param(1000, 1000, limits(floor=0), (PASSED, PASSED), id="wrong both"),
    ],
)
def test_answers_are_judged(candidate, stable, policy_, expected):
    stable = None if stable is None else answers(stable)
    results = golden.judge(ASKED, answers(candidate), stable, policy_)
    assert [result.gate for result in results] == ["golden", "disagreement"]
    assert tuple(result.verdict for result in results) == expected
    assert all("\n" not in result.message for result in results)


def test_disagreement_is_where_it_is_wrong_and_another():
    results = golden.judge(
        ASKED, answers(2, said="1"), answers(2, said="2"), limits(floor=0, most=0)
    )
    assert results[0].verdict is PASSED
    assert results[1].verdict is FAILED
    assert results[1].values["disagreements"] == 2 - 1  # 0+1 = 1 is right
    assert (
        "0.1 %" in golden.judge(ASKED, answers(1), answers(0), limits(floor=0, most=0))[1].message
    )


def test_a_failure_says_figures_limits_examples_and_what_to_do():
    result, other = golden.judge(ASKED, answers(40), answers(0), limits())
    assert result.message == (
        "960 of 1,000 golden questions right, stable has 1,000: that is 96 %, and golden.floor is "
        "99.9 %; that is 4 % less than stable, and golden.drop is 0 %. Wrong are 0+1 = 7777 (not "
        "1), 1+1 = 7777 (not 2), 2+1 = 7777 (not 3) and 37 more. Train and publish a better "
        "version under a new number"
    )
    assert result.values["exact_match"] == 0.96
    assert result.values["stable_exact_match"] == 1.0
    assert result.values["questions"] == 1000
    assert "0+1 = 7777 (stable: 1)" in other.message
    assert other.values["disagreements"] == 40


def test_bytes_and_odd_answers_are_taken_as_they_are():
    said = [b"\xff\n\x1b[2J" + b"9" * 100, b"", *(text.encode() for text in ASKED.answers[2:])]
    result, _ = golden.judge(ASKED, said, None, limits())
    assert result.verdict is FAILED
    assert result.values["exact_match"] == 0.998
    assert "1+1 = nothing (not 2)" in result.message
    assert result.message.isprintable()


def test_as_many_answers_as_questions_are_needed():
    with pytest.raises(ValueError, match="zip"):
        golden.judge(ASKED, answers()[:-1], None, limits())


def file_of(questions, true):
    return {"questions": questions, "answers": true, "refused": {}}


GOOD = file_of([q.decode() for q in ASKED.questions], list(ASKED.answers))


def placed(folder, content):
    path = folder / "assets.extra" / "golden.json"
    path.parent.mkdir()
    path.write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())
    return folder


def test_golden_questions_are_read(tmp_path):
    assert golden.read(placed(tmp_path, GOOD)) == ASKED


def test_leading_zeros_change_no_sum(tmp_path):
    asked = file_of([f"0{n}+1" for n in range(100)], [str(n + 1) for n in range(100)])
    assert len(golden.read(placed(tmp_path, asked)).questions) == golden.FEWEST_QUESTIONS


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"{", "is not JSON"),
        (b"\xff\xfe\xfd", "is not JSON"),
        (b"[" * 100_000, "is not JSON"),
        ([], "`questions` is not there, or is no list of texts"),
        ({"questions": ["1+1"] * 100}, "`answers` is not there"),
        (file_of([1] * 100, ["2"] * 100), "`questions` is not there, or is no list of texts"),
        (file_of(GOOD["questions"], GOOD["answers"][:-1]), "1,000 questions and 999 answers"),
        (file_of(["1+1"] * 100, ["2"] * 100), "a question is there twice"),
        (file_of(GOOD["questions"][:99], GOOD["answers"][:99]), "99 of them, and 100 is the least"),
        (file_of(GOOD["questions"], ["9", *GOOD["answers"][1:]]), "'0+1' = '9' is not true"),
        (file_of(["x", *GOOD["questions"][1:]], GOOD["answers"]), "'x' = '1' is not true"),
        (file_of(["\ud800", *GOOD["questions"][1:]], GOOD["answers"]), "is not true"),
        (file_of(["1" * 9999 + "+1", *GOOD["questions"][1:]], GOOD["answers"]), "is not true"),
    ],
)
def test_questions_that_cannot_be_used_fail_the_version(tmp_path, content, expected):
    with pytest.raises(Failed) as caught:
        golden.read(placed(tmp_path, content))
    assert expected in str(caught.value)
    assert "golden.json" in str(caught.value)
    assert "new number" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_version_without_golden_questions_fails(tmp_path):
    with pytest.raises(Failed, match="there are no golden questions at"):
        golden.read(tmp_path)


def test_a_folder_in_the_place_of_the_file_fails(tmp_path):
    (tmp_path / "assets.extra" / "golden.json").mkdir(parents=True)
    with pytest.raises(Failed, match="Is a directory"):
        golden.read(tmp_path)
