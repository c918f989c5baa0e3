"""The queue of concurrent questions: who goes when, by times that the tests make up."""

from __future__ import annotations

import pytest
import seq2sum
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from seq2sum._coalescing import Place, Queue, latest
from seq2sum._how import Route
from seq2sum._servable import Servable
from seq2sum.addition.chunks import BYTES_PER_CALL

HERE, THERE = Route(Servable("here")), Route(Servable("there"))


def place(since=0.0, route=HERE, encoded=b"1+1", moment=None):
    return Place("1+1", encoded, route, since=since, moment=moment)


def queue_of(*places, **limits):
    queue = Queue(seq2sum.Coalesce(**limits))
    assert all(queue.join(each) for each in places)
    return queue


def test_a_lone_question_does_not_wait():
    only = place()
    queue = queue_of(only)
    assert queue.take(0.0) == [only]
    assert len(queue) == 0
    assert queue.take(0.0) == []


def test_what_is_asked_during_a_call_goes_together_when_it_is_back():
    first, *others = places = [place(i / 1000) for i in range(5)]
    queue = queue_of(first, delay=60)
    assert queue.take(0) == [first]
    for each in others:
        queue.join(each)
        assert queue.take(1) == []
    queue.ended()
    assert queue.take(1) == places[1:]


def test_nothing_waits_longer_than_the_delay_if_a_call_is_allowed():
    first, second, third = place(0), place(1), place(1.5)
    queue = queue_of(first, delay=2, calls=2)
    queue.take(0)
    queue.join(second)
    queue.join(third)
    assert queue.next_due() == (second, 3)
    assert second in queue
    assert first not in queue
    assert queue.take(2.9) == []
    assert queue.take(3) == [second, third]
    queue.join(place(4))
    assert queue.next_due() is None
    assert queue.take(100) == []


def test_a_whole_call_of_them_does_not_wait():
    queue = queue_of(place(0), delay=60, rows=2)
    queue.take(0)
    for _ in range(3):
        queue.join(place(1))
    assert len(queue.take(1)) == 2
    assert len(queue) == 1


def test_calls_are_bounded_in_bytes_and_a_large_question_goes_alone():
    small, large, other = place(), place(encoded=b"1" * 2 * BYTES_PER_CALL), place()
    queue = queue_of(small, large, other)
    for wanted in ([small], [large], [other]):
        assert queue.take(0) == wanted
        queue.ended()


def test_routes_do_not_mix_and_the_oldest_goes_first():
    busy = [place(i, HERE) for i in range(0, 10, 2)]
    lone = place(1, THERE)
    queue = queue_of(*busy, lone, calls=1)
    assert queue.take(0) == busy
    queue.join(place(20, HERE))
    queue.ended()
    assert queue.take(30) == [lone]


def test_who_leaves_is_not_asked_for():
    first, second = place(), place()
    queue = queue_of(first, second)
    queue.leave(first)
    queue.leave(first)
    assert queue.take(0) == [second]
    queue.leave(second)
    assert len(queue) == 0


def test_a_queue_can_be_emptied():
    places = [place(), place(route=THERE)]
    queue = queue_of(*places)
    assert queue.drain() == places
    assert len(queue) == 0
    assert queue.take(0) == []


def test_too_many_are_turned_away():
    queue = queue_of(place(), place(), waiting=2)
    assert not queue.join(place())
    queue.take(0)
    assert queue.join(place())


def test_a_merged_call_has_the_last_of_the_deadlines():
    assert latest([place(moment=3), place(moment=5)]) == 5
    assert latest([place(moment=3), place()]) is None


@pytest.mark.parametrize(
    "limits",
    [{"rows": 0}, {"rows": 5000}, {"calls": 0}, {"waiting": 0}, {"delay": -1},
     {"delay": float("inf")}, {"delay": float("nan")}],
)  # fmt: skip
def test_limits_that_are_none_are_refused(limits):
    with pytest.raises(ValueError, match=r"^invalid (rows|calls|waiting|delay) .+: expected "):
        seq2sum.Coalesce(**limits)


class Arrivals(RuleBasedStateMachine):
    """Any order of questions, cancellations, passing time and calls that come back."""

    LIMITS = seq2sum.Coalesce(rows=3, delay=0.5, calls=2, waiting=6)

    def __init__(self):
        super().__init__()
        self.queue, self.now, self.under_way = Queue(self.LIMITS), 0.0, 0
        self.waiting = []

    @rule(route=st.sampled_from([HERE, THERE]))
    def join(self, route):
        asked = place(self.now, route)
        joined = self.queue.join(asked)
        assert joined == (len(self.waiting) < self.LIMITS.waiting)
        if joined:
            self.waiting.append(asked)
        self.send()

    @precondition(lambda self: self.waiting)
    @rule(data=st.data())
    def leave(self, data):
        gone = data.draw(st.sampled_from(self.waiting))
        self.waiting.remove(gone)
        self.queue.leave(gone)
        self.send()

    @rule(seconds=st.sampled_from([0.1, 0.3, 1.0]))
    def wait(self, seconds):
        self.now += seconds
        self.send()

    @precondition(lambda self: self.under_way)
    @rule()
    def come_back(self):
        self.under_way -= 1
        self.queue.ended()
        self.send()

    def send(self):
        while batch := self.queue.take(self.now):
            self.under_way += 1
            assert 1 <= len(batch) <= self.LIMITS.rows
            assert self.under_way <= self.LIMITS.calls
            assert batch[0].since == self.waiting[0].since  # no route overtakes another
            same = [each for each in self.waiting if each.route == batch[0].route]
            assert batch == same[: len(batch)]  # nor within it
            for each in batch:
                self.waiting.remove(each)

    @invariant()
    def nobody_is_forgotten(self):
        assert len(self.queue) == len(self.waiting)
        if self.waiting:
            assert self.under_way  # a question waits for a call only
            late = self.now >= self.waiting[0].since + self.LIMITS.delay
            assert not late or self.under_way == self.LIMITS.calls
            due = self.queue.next_due()
            assert (due is None) == (self.under_way == self.LIMITS.calls)
            assert due is None or due[1] > self.now


Arrivals.TestCase.settings = settings(
    deadline=None, derandomize=True, max_examples=60, stateful_step_count=30
)
TestArrivals = Arrivals.TestCase
