"""The queue of coalescing, with times that the tests choose."""

from __future__ import annotations

import pytest
import seq2sum
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from seq2sum._calls import BYTES_PER_CALL
from seq2sum._coalescing import Queue, QueuedRequest, Request, latest_deadline
from seq2sum._options import CallTarget
from seq2sum._servable import Servable
from seq2sum.addition.calls import MERGING

ONE, OTHER = CallTarget(Servable("one")), CallTarget(Servable("other"))


def request(queued_at=0.0, target=ONE, encoded=b"1+1", expires_at=None, rows=1):
    content = Request(None, MERGING, target, len(encoded), rows)
    return QueuedRequest(content, target, queued_at=queued_at, expires_at=expires_at)


def queue_of(*requests, **limits):
    queue = Queue(seq2sum.Coalescing(**limits))
    assert all(queue.add(each) for each in requests)
    return queue


def test_lone_question_does_not_wait():
    only = request()
    queue = queue_of(only)
    assert queue.take(0.0) == [only]
    assert len(queue) == 0
    assert queue.take(0.0) == []


def test_questions_during_a_call_are_sent_together_when_it_returns():
    first, *others = requests = [request(i / 1000) for i in range(5)]
    queue = queue_of(first, max_delay=60)
    assert queue.take(0) == [first]
    for each in others:
        queue.add(each)
        assert queue.take(1) == []
    queue.call_ended()
    assert queue.take(1) == requests[1:]


def test_a_call_has_no_more_rows_than_max_batch():
    first, second, third, large = (request(rows=rows) for rows in (2, 2, 1, 9))
    queue = queue_of(first, second, third, large, max_batch=4)
    assert queue.take(0) == [first, second]
    queue.call_ended()
    assert queue.take(0) == [third]
    queue.call_ended()
    assert queue.take(0) == [large]


def test_no_question_waits_longer_than_max_delay_if_a_call_is_allowed():
    first, second, third = request(0), request(1), request(1.5)
    queue = queue_of(first, max_delay=2, max_in_flight=2)
    queue.take(0)
    queue.add(second)
    queue.add(third)
    assert queue.next_due() == (second, 3)
    assert second in queue
    assert first not in queue
    assert queue.take(2.9) == []
    assert queue.take(3) == [second, third]
    queue.add(request(4))
    assert queue.next_due() is None
    assert queue.take(100) == []


def test_requests_whose_rows_fill_a_call_do_not_wait():
    queue = queue_of(request(0), max_delay=60, max_batch=10)
    queue.take(0)
    small, large, removed = request(1, rows=4), request(1, rows=6), request(1, rows=6)
    queue.add(small)
    queue.add(removed)
    queue.remove(removed)
    assert queue.take(1) == []
    queue.add(large)
    assert queue.take(1) == [small, large]


def test_full_batch_does_not_wait():
    queue = queue_of(request(0), max_delay=60, max_batch=2)
    queue.take(0)
    for _ in range(3):
        queue.add(request(1))
    assert len(queue.take(1)) == 2
    assert len(queue) == 1


def test_batches_are_bounded_in_bytes_and_a_large_question_is_sent_alone():
    small, large, other = request(), request(encoded=b"1" * 2 * BYTES_PER_CALL), request()
    queue = queue_of(small, large, other)
    for expected in ([small], [large], [other]):
        assert queue.take(0) == expected
        queue.call_ended()


def test_targets_do_not_mix_and_the_oldest_is_sent_first():
    busy = [request(i, ONE) for i in range(0, 10, 2)]
    lone = request(1, OTHER)
    queue = queue_of(*busy, lone, max_in_flight=1)
    assert queue.take(0) == busy
    queue.add(request(20, ONE))
    queue.call_ended()
    assert queue.take(30) == [lone]


def test_removed_request_is_not_sent():
    first, second = request(), request()
    queue = queue_of(first, second)
    queue.remove(first)
    queue.remove(first)
    assert queue.take(0) == [second]
    queue.remove(second)
    assert len(queue) == 0


def test_drain_removes_all_requests():
    requests = [request(), request(target=OTHER)]
    queue = queue_of(*requests)
    assert queue.drain() == requests
    assert len(queue) == 0
    assert queue.take(0) == []


def test_queue_refuses_more_than_max_pending():
    queue = queue_of(request(), request(), max_pending=2)
    assert not queue.add(request())
    queue.take(0)
    assert queue.add(request())


def test_merged_call_has_the_latest_deadline():
    assert latest_deadline([request(expires_at=3), request(expires_at=5)]) == 5
    assert latest_deadline([request(expires_at=3), request()]) is None


@pytest.mark.parametrize(
    "limits",
    [{"max_batch": 0}, {"max_batch": 5000}, {"max_in_flight": 0}, {"max_pending": 0},
     {"max_delay": -1}, {"max_delay": float("inf")}, {"max_delay": float("nan")}],
)  # fmt: skip
def test_invalid_limits_are_refused(limits):
    with pytest.raises(ValueError, match=r"^invalid max_\w+ .+: expected "):
        seq2sum.Coalescing(**limits)


class Arrivals(RuleBasedStateMachine):
    """Questions, cancellations, passing time and returning calls, in any order."""

    LIMITS = seq2sum.Coalescing(max_batch=3, max_delay=0.5, max_in_flight=2, max_pending=6)

    def __init__(self):
        super().__init__()
        self.queue, self.now, self.in_flight = Queue(self.LIMITS), 0.0, 0
        self.waiting = []

    @rule(call_target=st.sampled_from([ONE, OTHER]))
    def add(self, call_target):
        new = request(self.now, call_target)
        added = self.queue.add(new)
        assert added == (len(self.waiting) < self.LIMITS.max_pending)
        if added:
            self.waiting.append(new)
        self.send()

    @precondition(lambda self: self.waiting)
    @rule(data=st.data())
    def remove(self, data):
        gone = data.draw(st.sampled_from(self.waiting))
        self.waiting.remove(gone)
        self.queue.remove(gone)
        self.send()

    @rule(seconds=st.sampled_from([0.1, 0.3, 1.0]))
    def wait(self, seconds):
        self.now += seconds
        self.send()

    @precondition(lambda self: self.in_flight)
    @rule()
    def call_returns(self):
        self.in_flight -= 1
        self.queue.call_ended()
        self.send()

    def send(self):
        while batch := self.queue.take(self.now):
            self.in_flight += 1
            assert 1 <= len(batch) <= self.LIMITS.max_batch
            assert self.in_flight <= self.LIMITS.max_in_flight
            assert batch[0].queued_at == self.waiting[0].queued_at  # the oldest question goes first
            same = [each for each in self.waiting if each.target == batch[0].target]
            assert batch == same[: len(batch)]  # questions to one target keep their order
            for each in batch:
                self.waiting.remove(each)

    @invariant()
    def no_request_is_forgotten(self):
        assert len(self.queue) == len(self.waiting)
        if self.waiting:
            assert self.in_flight  # a question only waits while a call is in flight
            late = self.now >= self.waiting[0].queued_at + self.LIMITS.max_delay
            assert not late or self.in_flight == self.LIMITS.max_in_flight
            due = self.queue.next_due()
            assert (due is None) == (self.in_flight == self.LIMITS.max_in_flight)
            assert due is None or due[1] > self.now


Arrivals.TestCase.settings = settings(
    deadline=None, derandomize=True, max_examples=60, stateful_step_count=30
)
TestArrivals = Arrivals.TestCase
