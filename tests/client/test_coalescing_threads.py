"""Coalescing of calls from threads, on the real clock, with delays of milliseconds."""

from __future__ import annotations

import threading
import time

import pytest
import seq2sum
from hypothesis import given, settings
from seq2sum import _errors
from seq2sum._coalescing_threads import ThreadCoalescer
from seq2sum._deadline import Deadline
from support.coalescing_plans import (
    CALLERS,
    CALLS,
    LIMITS,
    REFUSED,
    answered,
    check,
    chunk_of,
    submit,
)


class ThreadTransport:
    """Calls that return on a separate thread after a planned time."""

    address = "t"

    def __init__(self, plan):
        self._plan, self._lock = iter(plan), threading.Lock()
        self.threads = []

    def _next(self):
        with self._lock:
            return next(self._plan)

    def call_with_shadow(self, make, *_):
        milliseconds, succeeds = self._next()
        time.sleep(milliseconds / 1000)
        if not succeeds:
            raise _errors.copy_error(REFUSED)
        return answered(chunk_of(make))

    def start_unbounded(self, make, *_):
        chunk = chunk_of(make)
        assert 1 <= len(chunk.questions) <= LIMITS.max_batch
        return FakePendingCall(self, chunk, *self._next())

    def mirror(self, *_):
        pass


class FakePendingCall:
    """A call in flight."""

    def __init__(self, transport, chunk, milliseconds, succeeds):
        self._transport, self._chunk, self._succeeds = transport, chunk, succeeds
        self._milliseconds = milliseconds

    def cancel(self):
        return True

    def result(self):
        if not self._succeeds:
            raise REFUSED
        return answered(self._chunk)

    def when_done(self, callback):
        timer = threading.Timer(self._milliseconds / 1000, callback)
        self._transport.threads.append(timer)
        timer.start()


@settings(deadline=None, derandomize=True, max_examples=25)
@given(callers=CALLERS, plan=CALLS)
def test_each_thread_gets_its_own_answer_or_error(callers, plan):
    transport = ThreadTransport(plan)
    coalescer = ThreadCoalescer(LIMITS, transport)
    outcomes = [None] * len(callers)

    def caller(number, caller_plan):
        time.sleep(caller_plan["at"] / 1000)
        try:
            answer = submit(coalescer, f"{number}+1", Deadline(caller_plan["timeout"]))
            outcomes[number] = answer.value
        except seq2sum.Seq2SumError as error:
            outcomes[number] = error

    threads = [threading.Thread(target=caller, args=pair) for pair in enumerate(callers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
        assert not thread.is_alive()
    for timer in transport.threads:
        timer.join()
    for number, outcome in enumerate(outcomes):
        check(number, outcome, callers, plan)
    errors = [outcome for outcome in outcomes if isinstance(outcome, Exception)]
    assert len(set(map(id, errors))) == len(errors)  # each caller has its own copy
    assert len(coalescer._queue) == 0
    assert coalescer._queue._in_flight == 0


def test_thread_waits_no_longer_than_max_delay_if_a_call_is_allowed():
    transport = ThreadTransport([(400, True), (0, True), (0, True)])
    coalescer = ThreadCoalescer(LIMITS, transport)
    first = threading.Thread(target=submit, args=(coalescer, "1+1", Deadline(None)))
    first.start()
    while not coalescer._queue._in_flight:
        time.sleep(0.001)
    assert submit(coalescer, "2+2", Deadline(None)).value == 4
    assert first.is_alive()  # its call is still in flight
    # A caller that waits at the same time as one that gives up is answered too.
    with pytest.raises(seq2sum.DeadlineExceeded):
        submit(coalescer, "3+3", Deadline(0))
    assert submit(coalescer, "3+3", Deadline(None)).value == 6
    assert first.is_alive()
    first.join()


def test_lone_thread_makes_its_own_call():
    transport = ThreadTransport([(0, True)])
    transport.start_unbounded = None
    assert submit(ThreadCoalescer(LIMITS, transport), "1+2", Deadline(1)).value == 3
