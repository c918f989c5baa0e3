"""Gates while a canary has traffic: judged by probes and by Prometheus."""

from __future__ import annotations

import math
import threading

import pytest
from msgspec.structs import replace
from seq2sum_serving.deployment.event_log import Verdict
from seq2sum_serving.gates import policy
from seq2sum_serving.gates.live import LiveMetrics, ProbeResults, judge

SHORT = {
    Verdict.SUCCESSFUL: "pass",
    Verdict.FAILED: "fail",
    Verdict.INCONCLUSIVE: "open",
    Verdict.SKIPPED: "skip",
}


def limits(min_accuracy=0.999, **live):
    base = policy.default()
    return replace(
        base,
        live=replace(base.live, **live),
        golden=replace(base.golden, min_accuracy=min_accuracy),
    )


def probes(
    canary=100, errors=0, wrong=0, stable=100, stable_errors=0, slow=0.010, stable_slow=0.010
):
    """Results with these numbers of answered calls, wrong answers and failed calls."""
    found = ProbeResults()
    for number in range(canary):
        found.record_answer("canary", slow, right=number >= wrong, text="53+42 =\n96")
    for _ in range(errors):
        found.record_error("canary", "no\nanswer")
    for _ in range(stable):
        found.record_answer("stable", stable_slow, right=True)
    for _ in range(stable_errors):
        found.record_error("stable")
    return found


def verdicts(*args):
    """Returns the verdicts of errors, correctness and latency (live), in short."""
    results = judge(*args)
    assert [result.gate for result in results] == ["errors", "correctness", "latency (live)"]
    assert all(result.message.isprintable() for result in results)
    return " ".join(SHORT[result.verdict] for result in results)


PROBES = {
    "all well": ({}, {}, "pass pass pass"),
    "no probes": ({"canary": 0, "stable": 0}, {}, "open open skip"),
    "too few": ({"canary": 49}, {}, "open open open"),
    "just enough": ({"canary": 50, "stable": 50}, {}, "pass pass pass"),
    "too few of stable": ({"stable": 49}, {}, "pass pass open"),
    "no stable version": ({"stable": 0}, {}, "pass pass skip"),
    "stable fails": ({"stable": 0, "stable_errors": 60}, {}, "pass pass open"),
    "one error": ({"errors": 1}, {}, "fail pass pass"),
    "fails before min_calls": ({"canary": 0, "errors": 2}, {}, "fail open open"),
    "errors at the limit": (
        {"canary": 99, "errors": 1},
        {"max_error_share": 0.01},
        "pass pass pass",
    ),
    "errors over it": ({"canary": 98, "errors": 2}, {"max_error_share": 0.01}, "fail pass pass"),
    "one error in ten calls, which min_calls would allow": (
        {"canary": 9, "errors": 1},
        {"max_error_share": 0.02},
        "open open open",
    ),
    "wrong at the limit": ({"canary": 500, "wrong": 1}, {}, "pass pass pass"),
    "wrong over it": ({"canary": 500, "wrong": 2}, {}, "pass fail pass"),
    "as many as min_accuracy allows": (
        {"wrong": 10},
        {"min_accuracy": 0.9, "max_wrong_share": 0.0},
        "pass pass pass",
    ),
    "min_accuracy of 0": ({"wrong": 100}, {"min_accuracy": 0.0}, "pass pass pass"),
    "wrong from the start": ({"canary": 3, "wrong": 3}, {}, "open fail open"),
    "slow at the limit": ({"slow": 0.030}, {}, "pass pass pass"),
    "slow over it": ({"slow": 0.031}, {}, "pass pass fail"),
    "stable takes no time": ({"stable_slow": 0.0}, {}, "pass pass pass"),
}


@pytest.mark.parametrize(("found", "changes", "expected"), PROBES.values(), ids=PROBES)
def test_verdicts_of_probes(found, changes, expected):
    assert verdicts(probes(**found), limits(**changes)) == expected


def metrics(
    calls=1000.0, errors=0.0, calls_before=1000.0, errors_before=0.0, p99=20.0, before=20.0
):
    return LiveMetrics(calls, errors, calls_before, errors_before, p99, before)


METRICS = {
    "all well": ({}, {}, "pass pass pass"),
    "an error": ({"errors": 1.02}, {}, "fail pass pass"),
    "errors at the limit": ({"errors": 10}, {"max_error_share": 0.01}, "pass pass pass"),
    "errors over it": ({"errors": 11}, {"max_error_share": 0.01}, "fail pass pass"),
    "errors as before": ({"errors": 12, "errors_before": 10}, {}, "pass pass pass"),
    "more than before": ({"errors": 20, "errors_before": 10}, {}, "fail pass pass"),
    "fewer than before": (
        {"calls": 100_000, "errors": 90, "calls_before": 100_000, "errors_before": 100},
        {},
        "pass pass pass",
    ),
    "nothing before": ({"calls_before": None, "errors_before": None}, {}, "pass pass pass"),
    "no calls before": ({"errors": 1, "calls_before": 0.0}, {}, "fail pass pass"),
    "an error in two calls before": (
        {"errors": 300, "calls_before": 2.0, "errors_before": 1.0},
        {},
        "fail pass pass",
    ),
    "slow at the limit": ({"p99": 60.0}, {}, "pass pass pass"),
    "slow over it": ({"p99": 61.0}, {}, "pass pass fail"),
    "no p99": ({"p99": None}, {}, "pass pass pass"),
    "p99 not finite": ({"p99": math.nan, "before": math.inf}, {}, "pass pass pass"),
    "calls not finite": ({"calls": math.nan, "errors": math.nan}, {}, "pass pass pass"),
    "too few calls for a p99": ({"calls": 3, "p99": 900.0}, {}, "pass pass pass"),
}


@pytest.mark.parametrize(("live", "changes", "expected"), METRICS.values(), ids=METRICS)
def test_verdicts_with_prometheus(live, changes, expected):
    assert verdicts(probes(), limits(**changes), metrics(**live)) == expected


def test_enough_calls_in_either_source_suffice():
    none = probes(canary=0, stable=0)
    assert verdicts(none, limits(), metrics()) == "pass open pass"
    assert verdicts(none, limits(), metrics(calls=3)) == "open open open"
    assert verdicts(probes(), limits(), metrics(calls=0)) == "pass pass pass"


def test_either_source_can_fail_a_gate():
    assert verdicts(probes(errors=1), limits(), metrics()) == "fail pass pass"
    assert verdicts(probes(slow=0.1), limits(), metrics()) == "pass pass fail"


def test_messages_have_values_limits_and_advice():
    errors, correctness, slow = judge(
        probes(canary=96, errors=4, wrong=9, slow=0.05), limits(), metrics(errors=9.0, calls=250.0)
    )
    assert errors.message == (
        "4 of 100 probes of the canary failed (stable: 0 of 100); live.max_error_share is 0 %; "
        "the first error: no answer; 9 of 250 live calls failed; at most 0 may fail, given "
        "live.max_error_share (0 %) and the error rate before. Keep traffic on stable, and look "
        "for the cause in the servers' logs"
    )
    assert correctness.message == (
        "9 of 96 replies of the canary to probes were wrong; at most 0.2 % may be wrong, given "
        "golden.min_accuracy and live.max_wrong_share; the first: 53+42 = 96. Keep traffic on "
        "stable, and publish a better version under a new number"
    )
    assert slow.message.startswith(
        "P99 of probes 50 ms (stable 10 ms): 5 times, and live.max_p99_ratio is 3. Keep traffic"
    )
    assert errors.values["live_errors"] == 9.0
    assert errors.values["probe_errors"] == 4
    assert slow.values["p99_milliseconds"] == 50.0


def test_too_few_calls_come_with_advice():
    errors, *_ = judge(probes(canary=12), limits())
    assert errors.message == (
        "0 of 12 probes of the canary failed, and live.min_calls is 50. Bake longer "
        "(traffic.bake), or probe more often (live.probes_per_second)"
    )


def test_results_as_a_line():
    assert str(probes(canary=2, errors=1, wrong=1, stable=3)) == (
        "canary: 3 probes, 1 failed, 1 wrong; stable: 3 probes, 0 failed, 0 wrong"
    )


def test_stats_are_a_copy():
    found = probes(canary=1)
    before = found.stats("canary")
    found.record_answer("canary", 1.0, right=True)
    assert (before.calls, found.stats("canary").calls) == (1, 2)


def test_threads_may_record_concurrently():
    found = ProbeResults()

    def record():
        for _ in range(500):
            found.record_answer("canary", 0.001, right=False)
            found.record_error("stable")

    threads = [threading.Thread(target=record) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found.stats("canary").wrong == 2000
    assert found.stats("stable").errors == 2000
