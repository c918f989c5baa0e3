"""Gates that compare the metrics of the candidate group with those of the stable group."""

from __future__ import annotations

import pytest
from msgspec.structs import replace
from seq2sum_serving.deployment.event_log import Verdict
from seq2sum_serving.gates import policy
from seq2sum_serving.gates.group_comparison import GATES, judge
from seq2sum_serving.gates.group_metrics import GroupMetrics

SHORT = {
    Verdict.SUCCESSFUL: "pass",
    Verdict.FAILED: "fail",
    Verdict.INCONCLUSIVE: "open",
    Verdict.SKIPPED: "skip",
}
HEALTHY = {
    "servers": 1,
    "answered": 1000.0,
    "p50_milliseconds": 10.0,
    "p99_milliseconds": 40.0,
    "queued": 1000.0,
    "queue_p99_milliseconds": 10.0,
    "load_seconds": 4.0,
}


def group(**changes):
    return GroupMetrics(**{**HEALTHY, **changes})


def limits(**live):
    base = policy.default()
    return replace(base, live=replace(base.live, **live))


def bad(count, status="INTERNAL"):
    return {"errors": {status: float(count)}}


def probed(count, failed=0, **others):
    return {"probes": count, "probe_errors": failed, **others}


CASES = {
    "all well": ({}, {}, "pass pass pass pass"),
    "one error": (bad(1), {}, "fail pass pass pass"),
    "errors of any status": (bad(1, "INVALID_ARGUMENT"), {}, "fail pass pass pass"),
    "errors as in stable": (bad(12), bad(10), "pass pass pass pass"),
    "more than in stable": (bad(40), bad(10), "fail pass pass pass"),
    "fails before min_calls": (
        {"answered": 0.0, "queued": 0.0, "queue_p99_milliseconds": None, **bad(2)},
        {},
        "fail open skip pass",
    ),
    "two calls of stable excuse nothing": (
        bad(400),
        {"answered": 1.0, **bad(1)},
        "fail open pass pass",
    ),
    "too few calls": ({"answered": 49.0, "queued": 49.0}, {}, "open open open pass"),
    "just enough": ({"answered": 50.0, "queued": 50.0}, {}, "pass pass pass pass"),
    "no calls": (
        {"answered": 0.0, "queued": 0.0, "queue_p99_milliseconds": None},
        {},
        "open open skip pass",
    ),
    "no calls of stable": ({}, {"answered": 0.0, "queued": 3.0}, "pass open open pass"),
    "all calls are probes": (probed(990), {}, "pass skip pass pass"),
    "most calls of stable are probes": ({}, probed(600), "pass skip pass pass"),
    "half of the calls are probes": (probed(500), probed(500), "pass pass pass pass"),
    "more probes than Prometheus has seen": (probed(1200), {}, "pass skip pass pass"),
    "all callers' calls fail": (
        probed(950, answered=950.0, **bad(50)),
        {"answered": 900.0, **bad(100)},
        "fail skip pass pass",
    ),
    "failed probes are judged by another gate": (probed(100, 3, **bad(3)), {}, "pass " * 4),
    "a server was not scraped": ({"servers": 2, "unscraped": 1}, {}, "open pass pass pass"),
    "a failure counts all the same": (
        {"servers": 2, "unscraped": 1, **bad(1)},
        {},
        "fail pass pass pass",
    ),
    "a server of stable was not scraped": ({}, {"servers": 2, "unscraped": 1}, "pass " * 4),
    "p50 at the limit": ({"p50_milliseconds": 60.0}, {"p50_milliseconds": 30.0}, "pass " * 4),
    "p50 over it": (
        {"p50_milliseconds": 61.0},
        {"p50_milliseconds": 30.0},
        "pass fail pass pass",
    ),
    "p50 over it by less than the slack": ({"p50_milliseconds": 30.0}, {}, "pass " * 4),
    "p99 at the limit": ({"p99_milliseconds": 120.0}, {}, "pass " * 4),
    "p99 over it": ({"p99_milliseconds": 121.0}, {}, "pass fail pass pass"),
    "no p99": ({"p99_milliseconds": None}, {}, "pass skip pass pass"),
    "no p50 of stable": ({}, {"p50_milliseconds": None}, "pass skip pass pass"),
    "queue at the limit": ({"queue_p99_milliseconds": 30.0}, {}, "pass " * 4),
    "queue over it": ({"queue_p99_milliseconds": 31.0}, {}, "pass pass fail pass"),
    "no queue": ({"queue_p99_milliseconds": None}, {}, "pass pass skip pass"),
    "no queue of stable": ({}, {"queue_p99_milliseconds": None}, "pass pass skip pass"),
    "load at the limit": ({"load_seconds": 12.0}, {}, "pass " * 4),
    "load over it": ({"load_seconds": 12.1}, {}, "pass pass pass fail"),
    "load over it by less than the slack": (
        {"load_seconds": 5.0},
        {"load_seconds": 0.1},
        "pass " * 4,
    ),
    "no time of a load": ({"load_seconds": None}, {}, "pass pass pass skip"),
    "no time of a load of stable": ({}, {"load_seconds": None}, "pass pass pass skip"),
    "candidate unknown": ({"servers": 0}, {}, "skip " * 4),
    "stable unknown": ({}, {"servers": 0}, "skip " * 4),
}


@pytest.mark.parametrize(("candidate", "stable", "expected"), CASES.values(), ids=CASES)
def test_verdicts(candidate, stable, expected):
    found = judge(group(**stable), group(**candidate), policy.default())
    assert tuple(each.gate for each in found) == GATES
    assert all(each.message.isprintable() for each in found)
    assert " ".join(SHORT[each.verdict] for each in found) == expected.strip()


def test_a_share_of_errors_may_be_allowed():
    allowed = limits(max_error_share=0.01)
    assert (
        judge(group(), group(answered=990.0, **bad(10)), allowed)[0].verdict is Verdict.SUCCESSFUL
    )
    assert judge(group(), group(answered=989.0, **bad(11)), allowed)[0].verdict is Verdict.FAILED


def test_messages_of_failures_have_values_limits_and_advice():
    candidate = group(
        **probed(100, 1),
        answered=290.0,
        errors={"UNAVAILABLE": 2.0, "INTERNAL": 8.0, "ABORTED": 0.0},
        p50_milliseconds=50.0,
        p99_milliseconds=200.0,
        queue_p99_milliseconds=150.0,
        load_seconds=40.0,
    )
    stable = group(**probed(100), **bad(2))
    errors, latency, queue, load = judge(stable, candidate, policy.default())
    assert errors.message == (
        "10 of 300 calls to the candidate group failed (8 INTERNAL, 2 UNAVAILABLE); stable group: "
        "2 of 1,002; 100 and 100 of the calls were probes. Without probes 9 of 200 failed, and at "
        "most 2.4 may, given live.max_error_share (0 %) and the error rate of the stable group. "
        "Keep traffic on stable, and look for the cause in the logs of the candidate group"
    )
    assert errors.values["statuses"] == "8 INTERNAL, 2 UNAVAILABLE"
    assert (errors.values["errors"], errors.values["stable_calls"]) == (10.0, 1002.0)
    assert latency.message.startswith(
        "P50 50 ms (stable 10 ms): 5 times, and latency.max_p50_ratio is 2; p99 200 ms (stable "
        "40 ms): 5 times, and live.max_p99_ratio is 3. Keep traffic on stable; give the candidate"
    )
    assert queue.message.startswith(
        "P99 of the time in the batch queue 150 ms (stable 10 ms): 15 times, and "
        "metrics.max_queue_ratio is 3. Keep"
    )
    assert load.message.startswith(
        "A load of the version takes 40 s (stable 4 s): 10 times, and metrics.max_load_ratio is 3."
    )


MESSAGE = (
    "Prometheus has no servers of the candidate group: check that it scrapes them, and candidate "
    'in [metrics] of the policy file (job="candidate")'
)


def test_messages_of_other_verdicts():
    errors, latency, queue, load = judge(group(), group(**probed(300)), policy.default())
    assert errors.message == (
        "0 of 1,000 calls to the candidate group failed; stable group: 0 of 1,000; 300 and 0 of "
        "the calls were probes"
    )
    assert latency.message == "P50 10 ms (stable 10 ms); p99 40 ms (stable 40 ms)"
    assert queue.message == "P99 of the time in the batch queue 10 ms (stable 10 ms)"
    assert load.message == "A load of the version takes 4 s (stable 4 s)"
    few = judge(group(), group(answered=3.0), policy.default())
    assert few[0].message == (
        "0 of 3 calls to the candidate group failed; stable group: 0 of 1,000, and live.min_calls "
        "is 50. Bake longer (traffic.bake), take larger steps (traffic.steps), or mirror calls"
    )
    unknown = judge(group(), group(servers=0), policy.default())
    assert {each.message for each in unknown} == {MESSAGE}
