"""Gates `golden` and `disagreement`: verified questions, and answers judged by shares."""

from __future__ import annotations

import json

import pytest
from msgspec.structs import replace
from seq2sum_serving.deployment.errors import Failed
from seq2sum_serving.deployment.event_log import Verdict
from seq2sum_serving.gates import golden, policy
from seq2sum_serving.gates.golden import Golden

PASSED, FAILED, SKIPPED = Verdict.SUCCESSFUL, Verdict.FAILED, Verdict.SKIPPED

ASKED = Golden(
    tuple(f"{number}+1".encode() for number in range(1000)),
    tuple(str(number + 1) for number in range(1000)),
)


def answers(wrong=0, *, first=0, text="7777"):
    """Correct answers but for `wrong` ones from index `first` on."""
    return [text if first <= n < first + wrong else right for n, right in enumerate(ASKED.answers)]


def limits(min_exact_match=0.999, max_drop=0.0, max_share=0.001):
    base = policy.default()
    return replace(
        base,
        golden=policy.GoldenPolicy(min_exact_match=min_exact_match, max_drop=max_drop),
        disagreement=policy.DisagreementPolicy(max_share=max_share),
    )


ANY = {"min_exact_match": 0, "max_share": 1}
CASES = {
    "all right": (0, 0, {}, (PASSED, PASSED)),
    "no stable version": (0, None, {}, (PASSED, SKIPPED)),
    "at min_exact_match": (1, None, {}, (PASSED, SKIPPED)),
    "below min_exact_match": (2, None, {}, (FAILED, SKIPPED)),
    "worse than stable": (1, 0, {}, (FAILED, PASSED)),
    "at max_drop": (1, 0, {"max_drop": 0.001}, (PASSED, PASSED)),
    "at max_drop of many": (7, 3, ANY | {"max_drop": 0.004}, (PASSED, PASSED)),
    "over max_drop": (7, 2, ANY | {"max_drop": 0.004}, (FAILED, PASSED)),
    "right where stable is wrong": (0, 930, {}, (PASSED, PASSED)),
    "wrong in the same way": (2, 2, {"min_exact_match": 0.99}, (PASSED, PASSED)),
    "all wrong": (1000, None, {}, (FAILED, SKIPPED)),
    "both wrong": (1000, 1000, {"min_exact_match": 0}, (PASSED, PASSED)),
}


@pytest.mark.parametrize(("candidate", "stable", "changes", "expected"), CASES.values(), ids=CASES)
def test_verdicts(candidate, stable, changes, expected):
    stable = None if stable is None else answers(stable)
    results = golden.judge(ASKED, answers(candidate), stable, limits(**changes))
    assert [result.gate for result in results] == ["golden", "disagreement"]
    assert tuple(result.verdict for result in results) == expected
    assert all("\n" not in result.message for result in results)


def test_disagreement_counts_different_wrong_answers():
    results = golden.judge(
        ASKED, answers(2, text="1"), answers(2, text="2"), limits(min_exact_match=0, max_share=0)
    )
    assert results[0].verdict is PASSED
    assert results[1].verdict is FAILED
    assert results[1].values["disagreements"] == 2 - 1  # 0+1 = 1 is right
    _, one_wrong = golden.judge(ASKED, answers(1), answers(0), limits(max_share=0))
    assert "(0.1 %)" in one_wrong.message


def test_failure_message_has_values_limits_examples_and_advice():
    result, other = golden.judge(ASKED, answers(40), answers(0), limits())
    assert result.message == (
        "960 of 1,000 golden questions right, stable has 1,000: that is 96 %, and "
        "golden.min_exact_match is 99.9 %; that is 4 % less than stable, and golden.max_drop is "
        "0 %. Wrong answers: 0+1 = 7777 (not 1), 1+1 = 7777 (not 2), 2+1 = 7777 (not 3) and 37 "
        "more. Train and publish a better version under a new number"
    )
    assert result.values["exact_match"] == 0.96
    assert result.values["stable_exact_match"] == 1.0
    assert result.values["questions"] == 1000
    assert "0+1 = 7777 (stable: 1)" in other.message
    assert other.values["disagreements"] == 40


def test_bytes_and_control_characters_in_answers():
    given = [b"\xff\n\x1b[2J" + b"9" * 100, b"", *(text.encode() for text in ASKED.answers[2:])]
    result, _ = golden.judge(ASKED, given, None, limits())
    assert result.verdict is FAILED
    assert result.values["exact_match"] == 0.998
    assert "1+1 = nothing (not 2)" in result.message
    assert result.message.isprintable()


def test_number_of_answers_has_to_match():
    with pytest.raises(ValueError, match="zip"):
        golden.judge(ASKED, answers()[:-1], None, limits())


def file_of(questions, answers):
    return {"questions": questions, "answers": answers, "refused": {}}


GOOD = file_of([q.decode() for q in ASKED.questions], list(ASKED.answers))


def write_golden(folder, content):
    path = folder / "assets.extra" / "golden.json"
    path.parent.mkdir()
    path.write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())
    return folder


def test_read_returns_questions_and_answers(tmp_path):
    assert golden.read(write_golden(tmp_path, GOOD)) == ASKED


def test_leading_zeros_are_valid(tmp_path):
    asked = file_of([f"0{n}+1" for n in range(100)], [str(n + 1) for n in range(100)])
    assert len(golden.read(write_golden(tmp_path, asked)).questions) == golden.MIN_QUESTIONS


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"{", "Input data was truncated"),
        (b"\xff\xfe\xfd", "invalid golden questions"),
        (b"[" * 100_000, "invalid golden questions"),
        ([], "Expected `object`, got `array`"),
        ({"questions": ["1+1"] * 100}, "missing required field `answers`"),
        (file_of([1] * 100, ["2"] * 100), "Expected `str`, got `int` - at `$.questions[0]`"),
        (file_of(GOOD["questions"], GOOD["answers"][:-1]), "1,000 questions but 999 answers"),
        (file_of(["1+1"] * 100, ["2"] * 100), "a question occurs twice"),
        (
            file_of(GOOD["questions"][:99], GOOD["answers"][:99]),
            "99 questions, expected at least 100",
        ),
        (file_of(GOOD["questions"], ["9", *GOOD["answers"][1:]]), "'0+1' = '9' is wrong"),
        (file_of(["x", *GOOD["questions"][1:]], GOOD["answers"]), "'x' = '1' is wrong"),
        (file_of(["\ud800", *GOOD["questions"][1:]], GOOD["answers"]), "invalid golden questions"),
        (file_of(["1" * 9999 + "+1", *GOOD["questions"][1:]], GOOD["answers"]), "is wrong"),
    ],
)
def test_invalid_golden_questions_fail_the_version(tmp_path, content, expected):
    with pytest.raises(Failed) as caught:
        golden.read(write_golden(tmp_path, content))
    assert expected in str(caught.value)
    assert "golden.json" in str(caught.value)
    assert "new number" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_missing_golden_questions_fail_the_version(tmp_path):
    with pytest.raises(Failed, match="no golden questions at"):
        golden.read(tmp_path)


def test_folder_instead_of_the_file_fails_the_version(tmp_path):
    (tmp_path / "assets.extra" / "golden.json").mkdir(parents=True)
    with pytest.raises(Failed, match="Is a directory"):
        golden.read(tmp_path)
