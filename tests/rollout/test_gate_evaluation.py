"""Gate `evaluation`: the evaluation that an export recorded."""

from __future__ import annotations

import pytest
from seq2sum_serving.deployment.event_log import Verdict
from seq2sum_serving.gates import evaluation
from seq2sum_serving.gates.policy import GoldenPolicy

PASSED, FAILED, SKIPPED = Verdict.SUCCESSFUL, Verdict.FAILED, Verdict.SKIPPED


def recorded(errors=0, questions=1_000_000, *, exhaustive=True, **more):
    found = {"questions": questions, "errors": errors, "exhaustive": exhaustive}
    return {"evaluation": found, "golden": {"questions": 1060, "right": 1060}} | more


def limits(min_accuracy=0.999, max_drop=0.0):
    return GoldenPolicy(min_accuracy, max_drop)


FORCED = {"forced": True, "golden": {"questions": 1060, "right": 41}}
SAMPLE = {"questions": 10_000, "exhaustive": False}
ALONE = "judged by golden requests alone"
CASES = {
    "no error": (recorded(), recorded(), {}, PASSED, "0 errors in 1,000,000 inputs (exh"),
    "no stable version": (recorded(999), None, {}, PASSED, "999 errors in 1,000,000"),
    "stable recorded nothing": (recorded(9), {}, {}, PASSED, "9 errors in"),
    "at min_accuracy": (recorded(1000), None, {}, PASSED, "golden.min_accuracy is 99.9 %"),
    "below min_accuracy": (recorded(1001), None, {}, FAILED, "accuracy is 99.8999 %, and gold"),
    "worse than stable": (recorded(42), recorded(), {}, FAILED, "that is 0.0042 % less than stab"),
    "at max_drop": (recorded(42), recorded(2), {"max_drop": 4e-5}, PASSED, "stable had 2"),
    "better than stable": (recorded(5), recorded(42), {}, PASSED, "stable had 42"),
    "a sample": (recorded(9, **SAMPLE), None, {}, PASSED, "10,000 inputs (random sample)"),
    "samples are not compared": (
        recorded(9, **SAMPLE),
        recorded(0, **SAMPLE),
        {},
        PASSED,
        "9 errors in 10,000 inputs (random sample)",
    ),
    "other inputs are not compared": (recorded(9), recorded(0, 10), {}, PASSED, "9 errors in"),
    "forced": (
        recorded(932_423, **FORCED),
        recorded(),
        {},
        FAILED,
        "exported by force with 41 of 1,060 golden requests right",
    ),
    "forced under any limits": (
        recorded(0, **FORCED),
        None,
        {"min_accuracy": 0, "max_drop": 1},
        FAILED,
        "exported by force with 41 of 1,060",
    ),
    "forced without golden counts": ({"forced": True}, None, {}, FAILED, "Exported by force alth"),
    "not forced": (recorded(forced=False), None, {}, PASSED, "0 errors"),
    "no evaluation": ({"contract": 2}, recorded(), {}, SKIPPED, ALONE),
    "no contract": (None, None, {}, SKIPPED, ALONE),
}


@pytest.mark.parametrize(
    ("candidate", "stable", "changes", "verdict", "text"), CASES.values(), ids=CASES
)
def test_verdicts(candidate, stable, changes, verdict, text):
    result = evaluation.judge(candidate, stable, limits(**changes))
    assert (result.gate, result.verdict) == ("evaluation", verdict)
    assert text in result.message
    assert "\n" not in result.message


@pytest.mark.parametrize(
    "invalid",
    [
        None,
        [],
        {},
        {"questions": 0, "errors": 0, "exhaustive": True},
        {"questions": 10, "errors": 11, "exhaustive": True},
        {"questions": 10, "errors": -1, "exhaustive": True},
        {"questions": "10", "errors": 0, "exhaustive": True},
        {"questions": 10, "errors": 0.5, "exhaustive": True},
        {"questions": 10, "errors": 0, "exhaustive": "yes"},
    ],
)
def test_invalid_evaluation_fails(invalid):
    result = evaluation.judge({"evaluation": invalid}, None, limits())
    assert result.verdict is FAILED
    assert "not valid" in result.message
    stable = evaluation.judge(recorded(3), {"evaluation": invalid}, limits())
    assert stable.verdict is PASSED


def test_values_include_errors_per_million():
    result = evaluation.judge(recorded(21, 500_000), recorded(0, 500_000), limits(max_drop=1))
    assert result.values == {
        "inputs": 500_000,
        "errors": 21,
        "errors_per_million": 42.0,
        "stable_errors": 0,
    }
