"""Slots for calls in flight: order, deadlines, cancellation, and the limit that grows."""

from __future__ import annotations

import asyncio

import pytest
from seq2sum._slots import ANSWERS_AFTER_REFUSAL, EXHAUSTED, INITIAL, LARGEST, TaskSlots

REFUSAL = RuntimeError(f"{EXHAUSTED} [RESOURCE_EXHAUSTED]")


def taken(slots):
    """Takes all free slots; returns how many there were."""
    count = 0
    while slots.take():
        count += 1
    return count


def run(test):
    asyncio.run(asyncio.wait_for(test(), 30))


async def waiting(slots, count=1, seconds=None):
    tasks = [asyncio.create_task(slots.wait(seconds)) for _ in range(count)]
    await asyncio.sleep(0)
    return tasks


async def answer(slots, count):
    """Answers calls while one always waits."""
    for _ in range(count):
        [task] = await waiting(slots)
        slots.release()
        await task
        while slots.take():
            pass


def test_waiting_callers_take_slots_in_order_of_arrival():
    async def test():
        slots = TaskSlots(1)
        assert taken(slots) == 1
        first, second = await waiting(slots, 2)
        slots.release()
        assert await first
        assert not second.done()
        assert not slots.take()
        slots.release()
        assert await second

    run(test)


def test_waiting_ends_at_the_deadline():
    async def test():
        slots = TaskSlots(1)
        taken(slots)
        assert await slots.wait(0.01) is False
        slots.release()
        assert taken(slots) == 1

    run(test)


@pytest.mark.parametrize("released", [False, True], ids=["before", "after its slot was free"])
def test_a_cancelled_caller_keeps_no_slot(released):
    async def test():
        slots = TaskSlots(1)
        taken(slots)
        cancelled, other = await waiting(slots, 2)
        if released:
            slots.release()
        cancelled.cancel()
        with pytest.raises(asyncio.CancelledError):
            await cancelled
        if not released:
            slots.release()
        assert await other

    run(test)


def test_a_given_limit_neither_grows_nor_shrinks():
    async def test():
        slots = TaskSlots(2)
        assert taken(slots) == 2
        assert not slots.refused(REFUSAL)
        await answer(slots, 10)
        slots.release()
        slots.release()
        assert taken(slots) == 2

    run(test)


def test_the_limit_grows_with_answers_while_callers_wait():
    async def test():
        slots = TaskSlots(None)
        assert taken(slots) == INITIAL
        for _ in range(3 * LARGEST):  # nobody waits
            slots.release()
            assert taken(slots) == 1
        await answer(slots, 5)
        assert slots._in_flight == INITIAL + 5
        await answer(slots, LARGEST)
        assert slots._in_flight == LARGEST

    run(test)


def test_a_refusal_lowers_the_limit_for_many_answers():
    async def test():
        slots = TaskSlots(None)
        taken(slots)
        assert not slots.refused(None)
        assert not slots.refused(RuntimeError("out of memory"))
        assert slots.refused(REFUSAL)
        slots.release()
        assert taken(slots) == 0
        await answer(slots, ANSWERS_AFTER_REFUSAL)
        assert slots._in_flight == INITIAL - 1
        await answer(slots, 1)
        assert slots._in_flight == INITIAL

    run(test)


def test_refusals_leave_one_slot():
    async def test():
        slots = TaskSlots(None)
        for _ in range(taken(slots)):
            slots.refused(REFUSAL)
            slots.release()
        assert taken(slots) == 1

    run(test)
