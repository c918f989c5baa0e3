"""Memory: judged where the policy says how to ask, and unknown otherwise."""

from __future__ import annotations

import math

import pytest
from seq2sum_serving.deployment.event_log import Verdict
from seq2sum_serving.gates.memory import judge
from seq2sum_serving.gates.policy import MemoryPolicy, default

PASSED, FAILED = Verdict.SUCCESSFUL, Verdict.FAILED
OPEN, UNKNOWN = Verdict.INCONCLUSIVE, Verdict.SKIPPED


def limits(most=0.0, growth=2.0, query="sum(x)"):
    return MemoryPolicy(query=query, most_megabytes=most, growth=growth)


@pytest.mark.parametrize(
    ("before", "after", "policy", "verdict", "said"),
    [
        pytest.param(None, None, limits(query=""), UNKNOWN, "give [memory] query", id="no query"),
        pytest.param(
            None, None, limits(), UNKNOWN, "gives nothing for memory.query", id="no answer"
        ),
        pytest.param(None, None, limits(most=9), OPEN, "gives nothing", id="a limit, no answer"),
        pytest.param(5e8, math.nan, limits(), UNKNOWN, "gives nothing", id="nan"),
        pytest.param(math.nan, 5e8, limits(), UNKNOWN, "not known before", id="nan before"),
        pytest.param(0.0, 5e8, limits(), UNKNOWN, "not known before", id="nothing before"),
        pytest.param(None, 5e8, limits(), UNKNOWN, "set memory.most_megabytes", id="no before"),
        pytest.param(None, 5e8, limits(most=500), PASSED, "500 MB", id="no before, at the limit"),
        pytest.param(None, 5.01e8, limits(most=500), FAILED, "most_megabytes is 500", id="over it"),
        pytest.param(5e8, 1e9, limits(), PASSED, "1,000 MB, 2 times as before", id="at the growth"),
        pytest.param(
            5e8,
            1.2e9,
            limits(),
            FAILED,
            "take 1,200 MB, 2.4 times the 500 MB before the load, and memory.growth is 2",
            id="over the growth",
        ),
        pytest.param(5e8, 4e8, limits(), PASSED, "0.8 times", id="less than before"),
        pytest.param(
            5e8, 4e8, limits(most=300), FAILED, "most_megabytes is 300", id="and too much"
        ),
    ],
)
def test_memory_is_judged(before, after, policy, verdict, said):
    result = judge(before, after, policy)
    assert (result.gate, result.verdict) == ("memory", verdict)
    assert said in result.message
    assert result.message.isprintable()
    assert ("publish a smaller one" in result.message) == (verdict is FAILED)


def test_figures_are_bytes():
    figures = judge(5e8, 6e8, limits()).values
    assert figures == {"bytes_before": 5e8, "bytes": 6e8, "growth": 1.2}


def test_the_defaults_stop_nothing():
    assert judge(None, None, default().memory).verdict is UNKNOWN
