"""Coalescing under random arrivals, failures, cancellations and deadlines, on both edges.

Each caller must get the answer to its own question or an error that is due to itself or to the
call that it shared; the queue must be empty at the end. Tasks run on a loop whose clock jumps,
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
from seq2sum._how import Route
from seq2sum._servable import Servable
from seq2sum.addition.answers import Columns

ROUTE = Route(Servable("seq2sum"))
LIMITS = seq2sum.Coalesce(rows=4, delay=0.002, calls=2, waiting=12)
REFUSED = _errors.error_of(
    _errors.grpc.StatusCode.UNAVAILABLE, "gone", target="t", servable=ROUTE.servable
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
"""How many milliseconds each call takes, and whether it succeeds."""


def answered(chunk):
    values = [sum(map(int, question.split("+"))) for question in chunk.questions]
    rows = len(values)
    return Columns(
        chunk.questions, [b"%d" % value for value in values], [0.5] * rows, [0] * rows, [1] * rows
    )


class Errors:
    """The part of an edge that makes errors."""

    def too_many(self, route, waiting):
        return _errors.too_many(waiting, "t", route.servable)

    def too_late(self, route):
        return _errors.too_late("t", route.servable)

    def closed(self, route):
        return _errors.closed("t", route.servable)


class Tasks(Errors):
    """Calls as coroutines that take their time."""

    def __init__(self, plan):
        self.plan = iter(plan)
        self.under_way = 0

    async def ask_merged(self, chunk, *_):
        assert 1 <= len(chunk.questions) <= LIMITS.rows
        self.under_way += 1
        assert self.under_way <= LIMITS.calls
        try:
            milliseconds, fine = next(self.plan)
            await asyncio.sleep(milliseconds / 1000)
        finally:
            self.under_way -= 1
        if not fine:
            raise _errors.again(REFUSED)
        return answered(chunk)


class JumpingLoop(asyncio.SelectorEventLoop):
    """An event loop whose time passes only when nothing can be done."""

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
    """Runs coroutines on a fresh loop whose clock is that of the client too."""

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
def test_tasks_get_their_own_answers_whatever_happens_to_others(jumping, callers, plan):
    jumping(lambda: everybody_asks(callers, plan))


async def everybody_asks(callers, plan):
    edge = Tasks(plan)
    coalescer = TaskCoalescer(LIMITS, edge)
    loop = asyncio.get_running_loop()

    async def caller(number, how):
        await asyncio.sleep(how["at"] / 1000)
        asked = loop.time()
        try:
            answer = await coalescer.add(f"{number}+1", ROUTE, Deadline(how["timeout"]))
        finally:
            took[number] = loop.time() - asked
        return answer.value

    took = [None] * len(callers)
    tasks = [loop.create_task(caller(*pair)) for pair in enumerate(callers)]
    for task, how in zip(tasks, callers, strict=True):
        if how["cancelled"] is not None:
            loop.call_later((how["at"] + how["cancelled"]) / 1000, task.cancel)
    outcomes = await asyncio.gather(*tasks, return_exceptions=True)
    for number, how in enumerate(callers):
        if isinstance(outcomes[number], asyncio.CancelledError):
            assert how["cancelled"] is not None
            continue
        check(number, outcomes[number], callers, plan)
        if isinstance(outcomes[number], seq2sum.DeadlineExceeded):
            assert took[number] == pytest.approx(how["timeout"])
    await asyncio.sleep(1)
    assert edge.under_way == 0
    assert len(coalescer._queue) == 0
    assert not coalescer._wanted
    # Nothing is stuck: the next question goes at once.
    edge.plan = iter([(0, True)])
    assert (await coalescer.add("1+1", ROUTE, Deadline(1))).value == 2


def check(number, outcome, callers, plan):
    """Holds what a caller got against what it asked and what happened to calls."""
    match outcome:
        case seq2sum.DeadlineExceeded():
            assert callers[number]["timeout"] == 0.003
        case seq2sum.Unavailable():
            assert not all(fine for _, fine in plan)
        case seq2sum.Overloaded():
            assert len(callers) > LIMITS.waiting
        case _:
            assert outcome == number + 1


def test_tasks_that_start_together_share_a_call(jumping):
    async def main():
        edge = Tasks([(1, True)] * 4)
        coalescer = TaskCoalescer(LIMITS, edge)
        asked = [coalescer.add(f"{i}+1", ROUTE, Deadline(None)) for i in range(4)]
        await asyncio.gather(*asked)
        return len(list(edge.plan))

    assert jumping(main) == 3


def test_a_call_that_nobody_waits_for_is_cancelled(jumping):
    async def main():
        edge = Tasks([(9, True)])
        coalescer = TaskCoalescer(LIMITS, edge)
        loop = asyncio.get_running_loop()
        asked = [loop.create_task(coalescer.add("1+1", ROUTE, Deadline(None))) for _ in range(2)]
        await asyncio.sleep(0.001)
        asked[0].cancel()
        await asyncio.sleep(0.001)
        assert edge.under_way == 1
        asked[1].cancel()
        await asyncio.sleep(0.001)
        assert edge.under_way == 0

    jumping(main)


def test_closing_tells_those_who_wait(jumping):
    async def main():
        coalescer = TaskCoalescer(LIMITS, Tasks([(9, True)] * 3))
        loop = asyncio.get_running_loop()
        asked = [loop.create_task(coalescer.add("1+1", ROUTE, Deadline(None))) for _ in range(10)]
        await asyncio.sleep(0.001)
        await coalescer.close()
        outcomes = await asyncio.gather(*asked, return_exceptions=True)
        assert {type(outcome) for outcome in outcomes} == {seq2sum.CallError}
        assert "was closed" in str(outcomes[0])

    jumping(main)


class Threads(Errors):
    """Calls that come back on a thread of their own."""

    def __init__(self, plan):
        self._plan, self._lock = iter(plan), threading.Lock()
        self.threads = []
        self.under_way = self.most = 0

    def _next(self):
        with self._lock:
            return next(self._plan)

    def ask(self, chunk, *_):
        milliseconds, fine = self._next()
        time.sleep(milliseconds / 1000)
        if not fine:
            raise _errors.again(REFUSED)
        return answered(chunk)

    def begin_merged(self, chunk, *_):
        assert 1 <= len(chunk.questions) <= LIMITS.rows
        return Later(self, chunk, *self._next())

    def follow(self, *_):
        pass


class Later:
    """A call under way."""

    def __init__(self, edge, chunk, milliseconds, fine):
        self._edge, self._chunk, self._fine = edge, chunk, fine
        self._milliseconds = milliseconds

    def cancel(self):
        return True

    def result(self):
        if not self._fine:
            raise REFUSED
        return answered(self._chunk)

    def when_done(self, then):
        timer = threading.Timer(self._milliseconds / 1000, then)
        self._edge.threads.append(timer)
        timer.start()


@settings(deadline=None, derandomize=True, max_examples=25)
@given(callers=CALLERS, plan=CALLS)
def test_threads_get_their_own_answers_whatever_happens_to_others(callers, plan):
    edge = Threads(plan)
    coalescer = ThreadCoalescer(LIMITS, edge)
    outcomes = [None] * len(callers)

    def caller(number, how):
        time.sleep(how["at"] / 1000)
        try:
            answer = coalescer.add(f"{number}+1", ROUTE, Deadline(how["timeout"]))
            outcomes[number] = answer.value
        except seq2sum.Seq2SumError as error:
            outcomes[number] = error

    threads = [threading.Thread(target=caller, args=pair) for pair in enumerate(callers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
        assert not thread.is_alive()
    for timer in edge.threads:
        timer.join()
    for number, outcome in enumerate(outcomes):
        check(number, outcome, callers, plan)
    errors = [outcome for outcome in outcomes if isinstance(outcome, Exception)]
    assert len(set(map(id, errors))) == len(errors)  # each caller has its own
    assert len(coalescer._queue) == 0
    assert coalescer._queue._under_way == 0


def test_a_thread_waits_no_longer_than_the_delay_if_a_call_is_allowed():
    edge = Threads([(400, True), (0, True), (0, True)])
    coalescer = ThreadCoalescer(LIMITS, edge)
    first = threading.Thread(target=coalescer.add, args=("1+1", ROUTE, Deadline(None)))
    first.start()
    while not coalescer._queue._under_way:
        time.sleep(0.001)
    assert coalescer.add("2+2", ROUTE, Deadline(None)).value == 4
    assert first.is_alive()  # its call is still under way
    # One who waits with it and is woken by nobody else's leaving is not forgotten either.
    with pytest.raises(seq2sum.DeadlineExceeded):
        coalescer.add("3+3", ROUTE, Deadline(0))
    assert coalescer.add("3+3", ROUTE, Deadline(None)).value == 6
    assert first.is_alive()
    first.join()


def test_a_lone_thread_makes_its_own_call():
    edge = Threads([(0, True)])
    edge.begin_merged = None
    assert ThreadCoalescer(LIMITS, edge).add("1+2", ROUTE, Deadline(1)).value == 3
