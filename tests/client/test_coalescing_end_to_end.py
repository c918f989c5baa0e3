"""Coalescing of concurrent callers, on both clients, over a real channel."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor

import grpc
import pytest
import seq2sum
from seq2sum.testing import FakeServer


@pytest.fixture
def server():
    with FakeServer(versions=(0, 1, 3), labels={"stable": 1, "lost": 9}) as server:
        yield server


def test_concurrent_callers_share_calls_and_get_their_own_answers(kind, server):
    server.delay = 0.05
    with (
        kind(server.target, coalescing=seq2sum.Coalescing()) as client,
        ThreadPoolExecutor(40) as pool,
    ):
        pending = {f"{i}+1": pool.submit(client.add, f"{i}+1") for i in range(200)}
        bad = [pool.submit(client.add, "x") for _ in range(20)]
        for question, future in pending.items():
            assert future.result().value == sum(map(int, question.split("+")))
        for future in bad:
            with pytest.raises(seq2sum.InvalidQuestion):
                future.result()
    assert len(server.calls) < 80


def test_calls_to_different_targets_are_not_merged(kind, server):
    server.delay = 0.05
    with (
        kind(server.target, coalescing=seq2sum.Coalescing(max_in_flight=1)) as client,
        ThreadPoolExecutor(12) as pool,
    ):
        latest = [pool.submit(client.add, "1+1") for _ in range(4)]
        stable = [pool.submit(client.add, "1+1", label="stable") for _ in range(4)]
        tagged = [pool.submit(client.add, "1+1", metadata=[("x-tag", "1")]) for _ in range(4)]
        assert {future.result().version for future in latest + tagged} == {3}
        assert {future.result().version for future in stable} == {1}
    assert sum(len(call.questions) for call in server.calls if call.label == "stable") == 4
    tagged = [call for call in server.calls if ("x-tag", "1") in call.metadata]
    assert sum(len(call.questions) for call in tagged) == 4


def test_deadline_of_one_caller_does_not_affect_others(kind, server):
    gate = threading.Event()
    server.before_reply = lambda _: gate.wait(20)
    with (
        kind(server.target, coalescing=seq2sum.Coalescing(max_in_flight=1)) as client,
        ThreadPoolExecutor(10) as pool,
    ):
        patient = [pool.submit(client.add, "1+1", timeout=30) for _ in range(5)]
        hasty = [pool.submit(client.add, "1+1", timeout=0.2) for _ in range(3)]
        for future in hasty:
            with pytest.raises(seq2sum.DeadlineExceeded):
                future.result()
        gate.set()
        assert [future.result().value for future in patient] == [2] * 5


def test_questions_beyond_max_pending_raise_overloaded(kind, server):
    gate, refused = threading.Event(), threading.Semaphore(0)
    server.before_reply = lambda _: gate.wait(20)

    def ask():
        try:
            return client.add("1+1", timeout=30)
        except seq2sum.Overloaded:
            refused.release()
            raise

    limits = seq2sum.Coalescing(max_in_flight=1, max_pending=2)
    with kind(server.target, coalescing=limits) as client, ThreadPoolExecutor(8) as pool:
        pending = [pool.submit(ask) for _ in range(8)]
        for _ in range(4):
            assert refused.acquire(timeout=10)
        gate.set()
        outcomes = [future.exception() for future in pending]
    assert {type(outcome) for outcome in outcomes} == {seq2sum.Overloaded, type(None)}
    assert sum(outcome is None for outcome in outcomes) in (3, 4)


def test_failed_merged_call_raises_in_each_caller(kind, server):
    server.delay = 0.1
    with (
        kind(server.target, coalescing=seq2sum.Coalescing(max_in_flight=1)) as client,
        ThreadPoolExecutor(6) as pool,
    ):
        server.fail(grpc.StatusCode.INTERNAL, "broken", times=2)
        errors = [pool.submit(client.add, "1+1").exception() for _ in range(6)]
    broken = [error for error in errors if error is not None]
    assert broken
    assert len(set(map(id, broken))) == len(broken)
    assert {type(error) for error in broken} == {seq2sum.CallError}


def test_cancelling_one_task_does_not_affect_others():
    async def main(target):
        async with seq2sum.AsyncClient(target, coalescing=seq2sum.Coalescing()) as client:
            tasks = [asyncio.create_task(client.add(f"{i}+1")) for i in range(9)]
            await asyncio.sleep(0)
            tasks[4].cancel()
            return await asyncio.gather(*tasks, return_exceptions=True)

    with FakeServer(delay=0.05) as server:
        outcomes = asyncio.run(main(server.target))
    assert isinstance(outcomes.pop(4), asyncio.CancelledError)
    assert [outcome.value for outcome in outcomes] == [1, 2, 3, 4, 6, 7, 8, 9]
