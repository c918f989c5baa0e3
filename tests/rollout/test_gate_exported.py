"""What an export says of its evaluation is judged before the version is loaded."""

from __future__ import annotations

import pytest
from seq2sum_serving.deployment.event_log import Verdict
from seq2sum_serving.gates import exported
from seq2sum_serving.gates.policy import GoldenPolicy

PASSED, FAILED, UNKNOWN = Verdict.SUCCESSFUL, Verdict.FAILED, Verdict.SKIPPED


def told(errors=0, questions=1_000_000, *, exhaustive=True, **more):
    figures = {"questions": questions, "errors": errors, "exhaustive": exhaustive}
    return {"evaluation": figures, "golden": {"questions": 1060, "right": 1060}} | more


def limits(floor=0.999, drop=0.0):
    return GoldenPolicy(floor, drop)


FORCED = {"forced": True, "golden": {"questions": 1060, "right": 41}}
SAID = {
    "no error": (told(), told(), limits(), PASSED, "0 errors in 1,000,000 questions, all there"),
    "no stable version": (told(999), None, limits(), PASSED, "999 errors in 1,000,000"),
    "a stable version that says nothing": (told(9), {}, limits(), PASSED, "9 errors in"),
    "exactly at the floor": (told(1000), None, limits(), PASSED, "golden.floor is 99.9 %"),
    "below the floor": (told(1001), None, limits(), FAILED, "that is 99.8999 % right, and golden"),
    "worse than stable": (told(42), told(0), limits(), FAILED, "that is 0.0042 % less than stable"),
    "exactly at the drop": (told(42), told(2), limits(drop=4e-5), PASSED, "stable had 2"),
    "better than stable": (told(5), told(42), limits(), PASSED, "stable had 42"),
    "a sample": (told(9, 10_000, exhaustive=False), None, limits(), PASSED, "random questions"),
    "a sample is not compared": (
        told(9, 10_000, exhaustive=False),
        told(0, 10_000, exhaustive=False),
        limits(),
        PASSED,
        "9 errors in 10,000 random questions",
    ),
    "another problem is not compared": (told(9), told(0, 10_000), limits(), PASSED, "9 errors in"),
    "forced": (
        told(932_423, **FORCED),
        told(),
        limits(),
        FAILED,
        "exported by force with 41 of 1,060 golden questions right",
    ),
    "forced under any limits": (
        told(0, **FORCED),
        None,
        limits(floor=0, drop=1),
        FAILED,
        "exported by force with 41 of 1,060",
    ),
    "forced without figures": (
        {"forced": True},
        None,
        limits(),
        FAILED,
        "Exported by force although",
    ),
    "not forced": (told(forced=False), None, limits(), PASSED, "0 errors"),
    "an older version": (
        {"digits": 3},
        told(),
        limits(),
        UNKNOWN,
        "judged by its golden questions",
    ),
    "no contract": (None, None, limits(), UNKNOWN, "judged by its golden questions alone"),
}


@pytest.mark.parametrize(
    ("candidate", "stable", "policy", "verdict", "words"), SAID.values(), ids=SAID
)
def test_figures_are_judged(candidate, stable, policy, verdict, words):
    result = exported.judge(candidate, stable, policy)
    assert (result.gate, result.verdict) == ("golden", verdict)
    assert words in result.message
    assert "\n" not in result.message


@pytest.mark.parametrize(
    "figures",
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
def test_figures_that_no_export_writes_are_not_trusted(figures):
    result = exported.judge({"evaluation": figures}, None, limits())
    assert result.verdict is FAILED
    assert "not valid" in result.message
    stable = exported.judge(told(3), {"evaluation": figures}, limits())
    assert stable.verdict is PASSED


def test_the_history_gets_errors_in_a_million():
    result = exported.judge(told(21, 500_000), told(0, 500_000), limits(drop=1))
    assert result.values == {
        "questions": 500_000,
        "errors": 21,
        "errors_per_million": 42.0,
        "stable_errors": 0,
    }
