"""Gate `memory`: judged if the policy has a query, and skipped otherwise."""

from __future__ import annotations

import math

import pytest
from seq2sum_serving.deployment.event_log import Verdict
from seq2sum_serving.gates.memory import judge
from seq2sum_serving.gates.policy import MemoryPolicy, default

PASSED, FAILED = Verdict.SUCCESSFUL, Verdict.FAILED
INCONCLUSIVE, ERROR, SKIPPED = Verdict.INCONCLUSIVE, Verdict.ERROR, Verdict.SKIPPED


def limits(max_megabytes=0.0, query="sum(x)"):
    return MemoryPolicy(query=query, max_megabytes=max_megabytes, max_growth=2.0)


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
