"""Coalescing of threads and tasks under random arrivals, failures, cancellations and deadlines.

Each caller must get the answer to its own question, or an error caused by itself or by the call
that it shared; the queue must be empty at the end. Tasks run on a loop whose clock jumps,
so that their times are exact; threads run on the real clock, with times of milliseconds.
"""

from __future__ import annotations

import asyncio
import selectors
import threading
import time
from types import SimpleNamespace

import pytest
import seq2sum
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from seq2sum import _coalescing_tasks, _deadline, _errors
from seq2sum._coalescing_tasks import TaskCoalescer
from seq2sum._coalescing_threads import ThreadCoalescer
from seq2sum._deadline import Deadline
from seq2sum._options import CallTarget
from seq2sum._servable import Servable
from seq2sum.addition.answers import Columns

TARGET = CallTarget(Servable("seq2sum"))
LIMITS = seq2sum.Coalescing(max_batch=4, max_delay=0.002, max_in_flight=2, max_pending=12)
REFUSED = _errors.error_of(
    _errors.grpc.StatusCode.UNAVAILABLE, "gone", target="t", servable=TARGET.servable
)

CALLERS = st.lists(
    st.fixed_dictionaries(
        {
            "at": st.integers(0, 12),  # milliseconds
            "timeout": st.sampled_from([None, None, 0.003, 10]),
            "cancelled": st.sampled_from([None, None, None, 0, 1, 5]),
        }
    ),
    min_size=1,
    max_size=24,
)
CALLS = st.lists(
    st.tuples(st.sampled_from([0, 1, 3, 9]), st.sampled_from([True, True, False])),
    min_size=40,
    max_size=40,
)
"""Duration of each call in milliseconds, and whether it succeeds."""


def answered(chunk):
    values = [sum(map(int, question.split("+"))) for question in chunk.questions]
    rows = len(values)
    return Columns(
        chunk.questions, [b"%d" % value for value in values], [0.5] * rows, [0] * rows, [1] * rows
    )


class Errors:
    """The part of a transport that creates errors."""

    def overloaded(self, target, pending):
        return _errors.overloaded(pending, "t", target.servable)

    def deadline_exceeded(self, target):
        return _errors.deadline_exceeded("t", target.servable)

    def client_closed(self, target):
        return _errors.client_closed("t", target.servable)


class TaskTransport(Errors):
    """Calls as coroutines that take a planned time."""

    def __init__(self, plan):
        self.plan = iter(plan)
        self.in_flight = 0

    async def predict_merged(self, chunk, *_):
        assert 1 <= len(chunk.questions) <= LIMITS.max_batch
        self.in_flight += 1
        assert self.in_flight <= LIMITS.max_in_flight
        try:
            milliseconds, fine = next(self.plan)
            await asyncio.sleep(milliseconds / 1000)
        finally:
            self.in_flight -= 1
        if not fine:
            raise _errors.copy_error(REFUSED)
        return answered(chunk)


class JumpingLoop(asyncio.SelectorEventLoop):
    """An event loop whose clock advances only when no task can run."""

    def __init__(self):
        self.now = 0.0
        super().__init__(self.Selector(self))

    def time(self):
        return self.now

    class Selector(selectors.DefaultSelector):
        def __init__(self, loop):
            super().__init__()
            self.loop = loop

        def select(self, timeout=None):
            self.loop.now += timeout or 0
            return super().select(0)


@pytest.fixture
def jumping(monkeypatch):
    """Runs coroutines on a new loop whose clock the client uses too."""

    def run(main):
        loop = JumpingLoop()
        clock = SimpleNamespace(monotonic=loop.time)
        with monkeypatch.context() as patched, asyncio.Runner(loop_factory=lambda: loop) as runner:
            patched.setattr(_coalescing_tasks, "time", clock)
            patched.setattr(_deadline, "time", clock)
            return runner.run(main())

    return run


@settings(
    deadline=None,
    derandomize=True,
    max_examples=150,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(callers=CALLERS, plan=CALLS)
def test_each_task_gets_its_own_answer_or_error(jumping, callers, plan):
    jumping(lambda: ask_concurrently(callers, plan))


async def ask_concurrently(callers, plan):
    transport = TaskTransport(plan)
    coalescer = TaskCoalescer(LIMITS, transport)
    loop = asyncio.get_running_loop()

    async def caller(number, caller_plan):
        await asyncio.sleep(caller_plan["at"] / 1000)
        asked = loop.time()
        try:
            answer = await coalescer.add(f"{number}+1", TARGET, Deadline(caller_plan["timeout"]))
        finally:
            took[number] = loop.time() - asked
        return answer.value

    took = [None] * len(callers)
    tasks = [loop.create_task(caller(*pair)) for pair in enumerate(callers)]
    for task, caller_plan in zip(tasks, callers, strict=True):
        if caller_plan["cancelled"] is not None:
            loop.call_later((caller_plan["at"] + caller_plan["cancelled"]) / 1000, task.cancel)
    outcomes = await asyncio.gather(*tasks, return_exceptions=True)
    for number, caller_plan in enumerate(callers):
        if isinstance(outcomes[number], asyncio.CancelledError):
            assert caller_plan["cancelled"] is not None
            continue
        check(number, outcomes[number], callers, plan)
        if isinstance(outcomes[number], seq2sum.DeadlineExceeded):
            assert took[number] == pytest.approx(caller_plan["timeout"])
    await asyncio.sleep(1)
    assert transport.in_flight == 0
    assert len(coalescer._queue) == 0
    assert not coalescer._callers
    # The next question is sent at once.
    transport.plan = iter([(0, True)])
    assert (await coalescer.add("1+1", TARGET, Deadline(1))).value == 2


def check(number, outcome, callers, plan):
    """Checks a caller's outcome against its question and the planned calls."""
    match outcome:
        case seq2sum.DeadlineExceeded():
            assert callers[number]["timeout"] == 0.003
        case seq2sum.Unavailable():
            assert not all(fine for _, fine in plan)
        case seq2sum.Overloaded():
            assert len(callers) > LIMITS.max_pending
        case _:
            assert outcome == number + 1


def test_tasks_started_together_share_a_call(jumping):
    async def main():
        transport = TaskTransport([(1, True)] * 4)
        coalescer = TaskCoalescer(LIMITS, transport)
        asked = [coalescer.add(f"{i}+1", TARGET, Deadline(None)) for i in range(4)]
        await asyncio.gather(*asked)
        return len(list(transport.plan))

    assert jumping(main) == 3


def test_call_without_callers_is_cancelled(jumping):
    async def main():
        transport = TaskTransport([(9, True)])
        coalescer = TaskCoalescer(LIMITS, transport)
        loop = asyncio.get_running_loop()
        asked = [loop.create_task(coalescer.add("1+1", TARGET, Deadline(None))) for _ in range(2)]
        await asyncio.sleep(0.001)
        asked[0].cancel()
        await asyncio.sleep(0.001)
        assert transport.in_flight == 1
        asked[1].cancel()
        await asyncio.sleep(0.001)
        assert transport.in_flight == 0

    jumping(main)


def test_closing_fails_waiting_tasks(jumping):
    async def main():
        coalescer = TaskCoalescer(LIMITS, TaskTransport([(9, True)] * 3))
        loop = asyncio.get_running_loop()
        asked = [loop.create_task(coalescer.add("1+1", TARGET, Deadline(None))) for _ in range(10)]
        await asyncio.sleep(0.001)
        await coalescer.close()
        outcomes = await asyncio.gather(*asked, return_exceptions=True)
        assert {type(outcome) for outcome in outcomes} == {seq2sum.CallError}
        assert "was closed" in str(outcomes[0])

    jumping(main)


class ThreadTransport(Errors):
    """Calls that return on a separate thread after a planned time."""

    def __init__(self, plan):
        self._plan, self._lock = iter(plan), threading.Lock()
        self.threads = []
        self.in_flight = self.most = 0

    def _next(self):
        with self._lock:
            return next(self._plan)

    def predict(self, chunk, *_):
        milliseconds, fine = self._next()
        time.sleep(milliseconds / 1000)
        if not fine:
            raise _errors.copy_error(REFUSED)
        return answered(chunk)

    def start_merged(self, chunk, *_):
        assert 1 <= len(chunk.questions) <= LIMITS.max_batch
        return FakePendingCall(self, chunk, *self._next())

    def mirror(self, *_):
        pass


class FakePendingCall:
    """A call in flight."""

    def __init__(self, transport, chunk, milliseconds, fine):
        self._transport, self._chunk, self._fine = transport, chunk, fine
        self._milliseconds = milliseconds

    def cancel(self):
        return True

    def result(self):
        if not self._fine:
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
            answer = coalescer.add(f"{number}+1", TARGET, Deadline(caller_plan["timeout"]))
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
    first = threading.Thread(target=coalescer.add, args=("1+1", TARGET, Deadline(None)))
    first.start()
    while not coalescer._queue._in_flight:
        time.sleep(0.001)
    assert coalescer.add("2+2", TARGET, Deadline(None)).value == 4
    assert first.is_alive()  # its call is still in flight
    # A caller that waits at the same time as one that gives up is answered too.
    with pytest.raises(seq2sum.DeadlineExceeded):
        coalescer.add("3+3", TARGET, Deadline(0))
    assert coalescer.add("3+3", TARGET, Deadline(None)).value == 6
    assert first.is_alive()
    first.join()


def test_lone_thread_makes_its_own_call():
    transport = ThreadTransport([(0, True)])
    transport.start_merged = None
    assert ThreadCoalescer(LIMITS, transport).add("1+2", TARGET, Deadline(1)).value == 3
