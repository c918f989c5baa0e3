"""The number of threads that run calls follows the time that calls need the interpreter's lock."""

from __future__ import annotations

import pytest
from seq2sum_serving.embedded.rpc.thread_count import ThreadCount


def counted(count, unlocked_share, times=300):
    for _ in range(times):
        count.record(1e-4, 1e-4 * unlocked_share)
    return count.count


@pytest.mark.parametrize(
    ("unlocked_share", "threads"),
    [(0.0, 1), (0.6, 1), (0.7, 2), (0.85, 4), (0.94, 11), (0.999, 16), (1.0, 16), (1.1, 16)],
)
def test_threads_together_hold_the_lock_for_part_of_the_time(unlocked_share, threads):
    assert counted(ThreadCount(16), unlocked_share) == threads


def test_no_more_threads_than_allowed():
    assert counted(ThreadCount(2), 0.99) == 2


def test_calls_without_cpu_time_leave_one_thread():
    count = ThreadCount(4)
    count.record(0.0, 0.0)
    assert count.count == 1


def test_the_number_stays_while_the_share_is_between_the_limits():
    assert counted(ThreadCount(4), 0.64) == 1
    count = ThreadCount(4)
    assert counted(count, 0.75) == 2
    assert counted(count, 0.64) == 2
    assert counted(count, 0.6) == 1


def test_long_calls_count_by_their_time():
    count = ThreadCount(2)
    for _ in range(100):
        count.record(1e-4, 0.0)
        count.record(1e-2, 9.5e-3)
    assert count.count == 2
