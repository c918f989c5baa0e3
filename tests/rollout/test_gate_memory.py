"""Gate `memory`: judged if the policy has a query, and skipped otherwise."""

from __future__ import annotations

import math

import pytest
from msgspec.structs import replace
from seq2sum_serving.deployment.event_log import Verdict
from seq2sum_serving.gates.memory import judge, judge_groups
from seq2sum_serving.gates.policy import MemoryPolicy, default

PASSED, FAILED = Verdict.SUCCESSFUL, Verdict.FAILED
INCONCLUSIVE, ERROR, SKIPPED = Verdict.INCONCLUSIVE, Verdict.ERROR, Verdict.SKIPPED


def limits(max_megabytes=0.0, query="sum(x)", candidate_query=""):
    return MemoryPolicy(
        query=query, candidate_query=candidate_query, max_megabytes=max_megabytes, max_growth=2.0
    )


CASES = {
    "no query": (None, None, limits(query=""), SKIPPED, "set query in [memory]"),
    "no value": (None, None, limits(), ERROR, "returns nothing for memory.query"),
    "a limit, no value": (None, None, limits(9), INCONCLUSIVE, "returns nothing"),
    "nan": (5e8, math.nan, limits(), ERROR, "returns nothing"),
    "nan before": (math.nan, 5e8, limits(), SKIPPED, "before the load is unknown"),
    "nothing before": (0.0, 5e8, limits(), SKIPPED, "before the load is unknown"),
    "no before": (None, 5e8, limits(), SKIPPED, "set memory.max_megabytes"),
    "no before, at the limit": (None, 5e8, limits(500), PASSED, "500 MB"),
    "no before, over it": (None, 5.01e8, limits(500), FAILED, "max_megabytes is 500"),
    "at max_growth": (5e8, 1e9, limits(), PASSED, "1,000 MB, 2 times the memory before"),
    "over max_growth": (
        5e8,
        1.2e9,
        limits(),
        FAILED,
        "take 1,200 MB, 2.4 times the 500 MB before the load, and memory.max_growth is 2",
    ),
    "less than before": (5e8, 4e8, limits(), PASSED, "0.8 times"),
    "less and too much": (5e8, 4e8, limits(300), FAILED, "max_megabytes is 300"),
}


@pytest.mark.parametrize(
    ("before", "after", "policy", "verdict", "text"), CASES.values(), ids=CASES
)
def test_verdicts(before, after, policy, verdict, text):
    result = judge(before, after, policy)
    assert (result.gate, result.verdict) == ("memory", verdict)
    assert text in result.message
    assert result.message.isprintable()
    assert ("publish a smaller one" in result.message) == (verdict is FAILED)


def test_values_are_bytes():
    values = judge(5e8, 6e8, limits()).values
    assert values == {"bytes_before": 5e8, "bytes": 6e8, "growth": 1.2}


def test_defaults_skip_the_gate():
    assert judge(None, None, default().memory).verdict is SKIPPED
    assert judge_groups(None, None, default().memory).verdict is SKIPPED


GROUPS = {
    "no query": (5e8, None, limits(), SKIPPED, "set candidate_query in [memory]"),
    "no value": (5e8, None, limits(), ERROR, "returns nothing for memory.candidate_query"),
    "a limit, no value": (5e8, math.nan, limits(9), INCONCLUSIVE, "returns nothing"),
    "nothing of stable": (None, 5e8, limits(), SKIPPED, "memory of the stable group is unknown"),
    "at max_growth": (5e8, 1e9, limits(), PASSED, "1,000 MB, 2 times the memory of the stable gr"),
    "over max_growth": (
        5e8,
        1.2e9,
        limits(),
        FAILED,
        (
            "The servers of the candidate group take 1,200 MB, 2.4 times the 500 MB of the stable "
            "group, and memory.max_growth is 2. Give"
        ),
    ),
    "too much": (5e8, 4e8, limits(300), FAILED, "take 400 MB, and memory.max_megabytes is 300"),
}


@pytest.mark.parametrize(
    ("stable", "candidate", "policy", "verdict", "text"), GROUPS.values(), ids=GROUPS
)
def test_verdicts_of_groups(stable, candidate, policy, verdict, text):
    query = "" if verdict is SKIPPED and candidate is None else "sum(y)"
    result = judge_groups(stable, candidate, replace(policy, candidate_query=query))
    assert (result.gate, result.verdict) == ("memory", verdict)
    assert text in result.message
    assert result.values["stable_bytes"] == stable
