"""Gates while a canary has traffic: probes and Prometheus, and the worse of both."""

from __future__ import annotations

import math
import threading

import pytest
from msgspec.structs import replace
from seq2sum_serving.deployment.event_log import Verdict
from seq2sum_serving.gates import policy
from seq2sum_serving.gates.live import LiveMetrics, ProbeResults, judge

PASSED, FAILED = Verdict.SUCCESSFUL, Verdict.FAILED
INCONCLUSIVE, SKIPPED = Verdict.INCONCLUSIVE, Verdict.SKIPPED


def limits(min_exact_match=0.999, **live):
    base = policy.default()
    return replace(
        base,
        live=replace(base.live, **live),
        golden=replace(base.golden, min_exact_match=min_exact_match),
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
    results = judge(*args)
    assert [result.gate for result in results] == ["errors", "correctness", "latency (live)"]
    assert all(result.message.isprintable() for result in results)
    return tuple(result.verdict for result in results)


@pytest.mark.parametrize(
    ("found", "changes", "expected"),
    [
        pytest.param({}, {}, (PASSED, PASSED, PASSED), id="all well"),
        pytest.param(
            {"canary": 0, "stable": 0}, {}, (INCONCLUSIVE, INCONCLUSIVE, SKIPPED), id="no probes"
        ),
        pytest.param({"canary": 49}, {}, (INCONCLUSIVE, INCONCLUSIVE, INCONCLUSIVE), id="too few"),
        pytest.param({"canary": 50, "stable": 50}, {}, (PASSED, PASSED, PASSED), id="just enough"),
        pytest.param({"stable": 49}, {}, (PASSED, PASSED, INCONCLUSIVE), id="too few of stable"),
        pytest.param({"stable": 0}, {}, (PASSED, PASSED, SKIPPED), id="no stable version"),
        pytest.param(
            {"stable": 0, "stable_errors": 60},
            {},
            (PASSED, PASSED, INCONCLUSIVE),
            id="stable fails",
        ),
        pytest.param({"errors": 1}, {}, (FAILED, PASSED, PASSED), id="one error"),
        pytest.param(
            {"canary": 0, "errors": 2},
            {},
            (FAILED, INCONCLUSIVE, INCONCLUSIVE),
            id="fails before min_calls",
        ),
        pytest.param(
            {"canary": 99, "errors": 1},
            {"max_error_share": 0.01},
            (PASSED,) * 3,
            id="errors at the limit",
        ),
        pytest.param(
            {"canary": 98, "errors": 2},
            {"max_error_share": 0.01},
            (FAILED, PASSED, PASSED),
            id="over it",
        ),
        pytest.param(
            {"canary": 9, "errors": 1},
            {"max_error_share": 0.02},
            (INCONCLUSIVE,) * 3,
            id="one of ten may be one of fifty",
        ),
        pytest.param(
            {"canary": 500, "wrong": 1}, {}, (PASSED, PASSED, PASSED), id="wrong at the limit"
        ),
        pytest.param({"canary": 500, "wrong": 2}, {}, (PASSED, FAILED, PASSED), id="wrong over it"),
        pytest.param(
            {"wrong": 10},
            {"min_exact_match": 0.9, "max_wrong_share": 0.0},
            (PASSED,) * 3,
            id="as many as min_exact_match allows",
        ),
        pytest.param(
            {"wrong": 100}, {"min_exact_match": 0.0}, (PASSED,) * 3, id="min_exact_match of 0"
        ),
        pytest.param(
            {"canary": 3, "wrong": 3},
            {},
            (INCONCLUSIVE, FAILED, INCONCLUSIVE),
            id="wrong from the start",
        ),
        pytest.param({"slow": 0.030}, {}, (PASSED, PASSED, PASSED), id="slow at the limit"),
        pytest.param({"slow": 0.031}, {}, (PASSED, PASSED, FAILED), id="slow over it"),
        pytest.param({"stable_slow": 0.0}, {}, (PASSED,) * 3, id="stable takes no time"),
    ],
)
def test_verdicts_of_probes(found, changes, expected):
    assert verdicts(probes(**found), limits(**changes)) == expected


def metrics(
    calls=1000.0, errors=0.0, calls_before=1000.0, errors_before=0.0, p99=20.0, before=20.0
):
    return LiveMetrics(calls, errors, calls_before, errors_before, p99, before)


@pytest.mark.parametrize(
    ("live", "changes", "expected"),
    [
        pytest.param(metrics(), {}, (PASSED, PASSED), id="all well"),
        pytest.param(metrics(errors=1.02), {}, (FAILED, PASSED), id="an error"),
        pytest.param(
            metrics(errors=10), {"max_error_share": 0.01}, (PASSED, PASSED), id="at the limit"
        ),
        pytest.param(metrics(errors=11), {"max_error_share": 0.01}, (FAILED, PASSED), id="over it"),
        pytest.param(
            metrics(errors=12, errors_before=10), {}, (PASSED, PASSED), id="errors as before"
        ),
        pytest.param(
            metrics(errors=20, errors_before=10), {}, (FAILED, PASSED), id="more than before"
        ),
        pytest.param(
            metrics(calls=100_000, errors=90, calls_before=100_000, errors_before=100),
            {},
            (PASSED, PASSED),
            id="fewer than before",
        ),
        pytest.param(
            metrics(calls_before=None, errors_before=None), {}, (PASSED, PASSED), id="no before"
        ),
        pytest.param(
            metrics(errors=1, calls_before=0.0), {}, (FAILED, PASSED), id="no calls before"
        ),
        pytest.param(metrics(p99=60.0), {}, (PASSED, PASSED), id="slow at the limit"),
        pytest.param(metrics(p99=61.0), {}, (PASSED, FAILED), id="slow over it"),
        pytest.param(metrics(p99=None), {}, (PASSED, PASSED), id="no p99"),
        pytest.param(metrics(p99=math.nan, before=math.inf), {}, (PASSED, PASSED), id="no number"),
        pytest.param(
            metrics(calls=math.nan, errors=math.nan), {}, (PASSED, PASSED), id="nan calls"
        ),
        pytest.param(metrics(calls=3, p99=900.0), {}, (PASSED, PASSED), id="few calls are no p99"),
    ],
)
def test_verdicts_with_prometheus(live, changes, expected):
    errors, correctness, slow = verdicts(probes(), limits(**changes), live)
    assert (errors, slow) == expected
    assert correctness is PASSED


def test_enough_calls_in_either_source_suffice():
    none = probes(canary=0, stable=0)
    assert verdicts(none, limits(), metrics()) == (PASSED, INCONCLUSIVE, PASSED)
    assert verdicts(none, limits(), metrics(calls=3)) == (INCONCLUSIVE, INCONCLUSIVE, INCONCLUSIVE)
    assert verdicts(probes(), limits(), metrics(calls=0)) == (PASSED, PASSED, PASSED)


def test_either_source_can_fail_a_gate():
    assert verdicts(probes(errors=1), limits(), metrics())[0] is FAILED
    assert verdicts(probes(slow=0.1), limits(), metrics())[2] is FAILED


def test_messages_have_values_limits_and_advice():
    errors, correctness, slow = judge(
        probes(canary=96, errors=4, wrong=9, slow=0.05), limits(), metrics(errors=9.0, calls=250.0)
    )
    assert errors.message == (
        "4 of 100 probes of the canary failed (of stable 0 of 100); live.max_error_share is 0 %, "
        "the first with: no answer; 9 of 250 live calls failed; at most 0 may, by "
        "live.max_error_share (0 %) and by the error rate before. Keep traffic on stable, and look "
        "for the cause in the servers' logs"
    )
    assert correctness.message == (
        "9 of 96 answers of the canary to probes were wrong; at most 0.2 % may be, by "
        "golden.min_exact_match and live.max_wrong_share; the first: 53+42 = 96. Keep traffic on "
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
