"""The longer run's report (`make soak-balancing`): one call that fails is enough."""

from __future__ import annotations

import dataclasses

from balancing_report import FEWEST, Way, picture
from deploy.balancing_load import Call

CALLS = [Call(100 + 3 * n / FEWEST, 0.1, version=1 + n % 3) for n in range(FEWEST)]
FINE = Way("Envoy", none_may_fail=True, began=100.0, calls=CALLS, events=[(1.5, "2 killed")])
LOST = Call(101.0, 0.2, error="Unavailable('gone')")


def test_a_way_is_good_if_no_call_failed_of_enough():
    assert FINE.good
    assert FINE.verdict == "Envoy: 0 of 1,000 calls failed"
    assert not dataclasses.replace(FINE, calls=CALLS[1:]).good
    lost = dataclasses.replace(FINE, calls=[*CALLS, LOST])
    assert not lost.good
    assert lost.verdict == "Envoy: 1 of 1,001 calls failed (Unavailable('gone'))"
    assert dataclasses.replace(lost, none_may_fail=False).good


def test_calls_are_counted_in_the_second_in_which_they_ended():
    seconds = FINE.seconds()
    assert len(seconds) == 3  # the last one is cut short
    assert [one.total() for one in seconds] == [300, 334, 333]
    assert FINE.row()["seconds"][0] == {1: 100, 2: 100, 3: 100}


def test_it_is_drawn_with_what_was_done_and_how_many_failed():
    drawn = picture([FINE, dataclasses.replace(FINE, name="another", calls=[*CALLS, LOST])])
    for text in ("2 killed", "Envoy: 0 of 1,000 calls failed", "another: 1 of 1,001", "replica 3"):
        assert text in drawn
