"""Counters after a round are a function of the counters before it and the observation."""

from __future__ import annotations

import pytest
from seq2sum_serving.probe.counters import BUCKET_BOUNDS, CallCounters, accumulate
from support.observations import A, B, correct, failed, observe, uncompared, wrong

KEY = (A, "stable")


def test_counters_accumulate_over_rounds():
    counters = {}
    for calls in ([correct(0.002), correct(0.02)], [correct(0.2), wrong()], [failed()]):
        counters = accumulate(counters, observe(calls={KEY: calls}))
    [counter] = counters.values()
    assert (counter.answers, counter.wrong_answers) == (4, 1)
    assert counter.codes == {"OK": 4, "UNAVAILABLE": 1}
    assert sum(counter.buckets) == 4
    assert counter.seconds == pytest.approx(0.224)


@pytest.mark.parametrize(
    ("seconds", "bound"),
    [(0.0, 0.001), (0.001, 0.001), (0.0011, 0.0025), (5.0, 5.0), (5.1, None), (60.0, None)],
)
def test_a_duration_counts_in_the_first_bucket_whose_bound_it_does_not_exceed(seconds, bound):
    counter = CallCounters().plus([correct(seconds)])
    index = len(BUCKET_BOUNDS) if bound is None else BUCKET_BOUNDS.index(bound)
    assert counter.buckets == tuple(int(each == index) for each in range(len(BUCKET_BOUNDS) + 1))


def test_a_failed_call_counts_by_code_only():
    counter = CallCounters().plus([failed("DEADLINE_EXCEEDED")])
    assert (sum(counter.buckets), counter.seconds) == (0, 0.0)
    assert counter.codes == {"OK": 0, "DEADLINE_EXCEEDED": 1}
    assert (counter.answers, counter.wrong_answers) == (0, 0)


def test_counters_of_a_removed_replica_are_dropped_and_restart_at_zero():
    both = accumulate({}, observe(calls={KEY: [correct()], (B, "stable"): [correct()]}))
    first = accumulate(both, observe(calls={KEY: [correct()]}))
    assert first.keys() == {KEY}
    assert first[KEY].answers == 2
    again = accumulate(first, observe(calls={KEY: [correct()], (B, "stable"): [correct()]}))
    assert again[B, "stable"].answers == 1


def test_a_call_without_a_comparison_is_a_call_but_not_an_answer():
    counter = CallCounters().plus([uncompared(), wrong()])
    assert (counter.answers, counter.wrong_answers) == (1, 1)
    assert counter.codes == {"OK": 2}
    assert sum(counter.buckets) == 2
