"""Counts over rounds are a function of the counts before and the round."""

from __future__ import annotations

import pytest
from seq2sum_serving.probe.counters import LIMITS, Tally, added
from support.observations import A, B, failed, refused, right, sight, wrong
from support.situations import replica

KEY = (A, "stable")


def test_rounds_add_up():
    totals = {}
    for calls in ([right(0.002), right(0.02)], [right(0.2), wrong("5")], [failed()]):
        totals = added(totals, sight(calls={KEY: calls}))
    [tally] = totals.values()
    assert (tally.answered, tally.wrong) == (4, 1)
    assert tally.codes == {"OK": 4, "UNAVAILABLE": 1}
    assert sum(tally.within) == 4
    assert tally.seconds == pytest.approx(0.224)


@pytest.mark.parametrize(
    ("seconds", "limit"),
    [(0.0, 0.001), (0.001, 0.001), (0.0011, 0.0025), (5.0, 5.0), (5.1, None), (60.0, None)],
)
def test_a_call_is_in_the_bucket_of_the_first_limit_that_it_does_not_exceed(seconds, limit):
    tally = Tally().plus([right(seconds)], 0)
    place = len(LIMITS) if limit is None else LIMITS.index(limit)
    assert tally.within == tuple(int(each == place) for each in range(len(LIMITS) + 1))


def test_what_failed_has_no_time():
    tally = Tally().plus([failed("DEADLINE_EXCEEDED")], 0)
    assert (sum(tally.within), tally.seconds) == (0, 0.0)
    assert tally.codes == {"OK": 0, "DEADLINE_EXCEEDED": 1}
    assert (tally.answered, tally.wrong) == (0, 0)


def test_who_is_not_asked_any_more_is_not_counted_any_more():
    both = added({}, sight(calls={KEY: [right()], (B, "stable"): [right()]}))
    one = added(both, sight(calls={KEY: [right()]}))
    assert one.keys() == {KEY}
    assert one[KEY].answered == 2
    again = added(one, sight(calls={KEY: [right()], (B, "stable"): [right()]}))
    assert again[B, "stable"].answered == 1


@pytest.mark.parametrize(
    ("behind", "wanted", "count"),
    [
        ({"stable": 2}, {"stable": 2}, 1),
        ({"stable": 1}, {"stable": 2}, 0),
        ({"stable": None}, {"stable": 2}, 0),
        ({"stable": 1}, None, 0),
    ],
    ids=["in place", "on its way", "nowhere", "unknown"],
)
def test_a_question_too_long_for_another_version_than_the_wanted_one_is_no_wrong_answer(
    behind, wanted, count
):
    seen = sight(replica("1A 2A", behind, A), calls={KEY: [refused()]}, wanted=wanted)
    assert added({}, seen)[KEY].wrong == count
    seen = sight(replica("1A 2A", behind, A), calls={KEY: [wrong()]}, wanted=wanted)
    assert added({}, seen)[KEY].wrong == 1
