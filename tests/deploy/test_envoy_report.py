"""The report of `make soak-balancing`: one failed call fails the run."""

from __future__ import annotations

import dataclasses

from deploy.balancing_load import Call

from benchmarks.balancing.report import MIN_CALLS, BalancerRun
from benchmarks.pictures.balancing import picture

CALLS = [Call(100 + 3 * n / MIN_CALLS, 0.1, version=1 + n % 3) for n in range(MIN_CALLS)]
GOOD = BalancerRun("Envoy", may_fail=False, start=100.0, calls=CALLS, events=[(1.5, "2 killed")])
FAILED = Call(101.0, 0.2, error="Unavailable('gone')")


def test_run_passes_if_none_of_enough_calls_failed():
    assert GOOD.passed
    assert GOOD.summary == "Envoy: 0 of 1,000 calls failed"
    assert not dataclasses.replace(GOOD, calls=CALLS[1:]).passed
    failed = dataclasses.replace(GOOD, calls=[*CALLS, FAILED])
    assert not failed.passed
    assert failed.summary == "Envoy: 1 of 1,001 calls failed (Unavailable('gone'))"
    assert dataclasses.replace(failed, may_fail=True).passed


def test_calls_are_counted_in_the_second_in_which_they_end():
    seconds = GOOD.seconds()
    assert len(seconds) == 3  # the last one is incomplete
    assert [one.total() for one in seconds] == [300, 334, 333]
    assert GOOD.to_json()["seconds"][0] == {1: 100, 2: 100, 3: 100}


def test_picture_shows_changes_and_the_number_of_failed_calls():
    other = dataclasses.replace(GOOD, name="another", calls=[*CALLS, FAILED])
    drawn = picture({"balancers": [run.to_json() for run in (GOOD, other)]})
    for text in ("2 killed", "Envoy: 0 of 1,000 failed", "another: 1 of 1,001", "server 3"):
        assert text in drawn
