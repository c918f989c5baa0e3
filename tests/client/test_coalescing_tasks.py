"""Coalescing of tasks, on an event loop whose clock jumps, so that times are exact."""

from __future__ import annotations

import asyncio
import selectors
from types import SimpleNamespace

import pytest
import seq2sum
from hypothesis import HealthCheck, given, settings
from seq2sum import _coalescing_tasks, _deadline, _errors
from seq2sum._coalescing_tasks import TaskCoalescer
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


class TaskTransport:
    """Calls as coroutines that take a planned time."""

    address = "t"

    def __init__(self, plan):
        self.plan = iter(plan)
        self.in_flight = 0

    async def call_unbounded(self, make, *_):
        assert 1 <= len(chunk_of(make).questions) <= LIMITS.max_batch
        self.in_flight += 1
        assert self.in_flight <= LIMITS.max_in_flight
        try:
            milliseconds, fine = next(self.plan)
            await asyncio.sleep(milliseconds / 1000)
        finally:
            self.in_flight -= 1
        if not fine:
            raise _errors.copy_error(REFUSED)
        return answered(chunk_of(make))


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
        started = loop.time()
        try:
            answer = await submit(coalescer, f"{number}+1", Deadline(caller_plan["timeout"]))
        finally:
            took[number] = loop.time() - started
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
    assert (await submit(coalescer, "1+1", Deadline(1))).value == 2


def test_tasks_started_together_share_a_call(jumping):
    async def main():
        transport = TaskTransport([(1, True)] * 4)
        coalescer = TaskCoalescer(LIMITS, transport)
        callers = [submit(coalescer, f"{i}+1", Deadline(None)) for i in range(4)]
        await asyncio.gather(*callers)
        return len(list(transport.plan))

    assert jumping(main) == 3


def test_call_without_callers_is_cancelled(jumping):
    async def main():
        transport = TaskTransport([(9, True)])
        coalescer = TaskCoalescer(LIMITS, transport)
        loop = asyncio.get_running_loop()
        callers = [loop.create_task(submit(coalescer, "1+1", Deadline(None))) for _ in range(2)]
        await asyncio.sleep(0.001)
        callers[0].cancel()
        await asyncio.sleep(0.001)
        assert transport.in_flight == 1
        callers[1].cancel()
        await asyncio.sleep(0.001)
        assert transport.in_flight == 0

    jumping(main)


def test_closing_fails_waiting_tasks(jumping):
    async def main():
        coalescer = TaskCoalescer(LIMITS, TaskTransport([(9, True)] * 3))
        loop = asyncio.get_running_loop()
        callers = [loop.create_task(submit(coalescer, "1+1", Deadline(None))) for _ in range(10)]
        await asyncio.sleep(0.001)
        await coalescer.close()
        outcomes = await asyncio.gather(*callers, return_exceptions=True)
        assert {type(outcome) for outcome in outcomes} == {seq2sum.CallError}
        assert "was closed" in str(outcomes[0])

    jumping(main)
