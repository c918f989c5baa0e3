"""Queues: when a batch is full, when it runs, and when the queue refuses a task."""

from __future__ import annotations

import math
from concurrent.futures import Future

import numpy as np
import pytest
from seq2sum_serving.embedded.batching.parameters import BatchingParameters
from seq2sum_serving.embedded.batching.queues import Queue, piece_sizes
from seq2sum_serving.embedded.batching.tasks import Task
from seq2sum_serving.embedded.errors import Code
from support.serving_errors import refusal

pytestmark = pytest.mark.tensorflow

BATCH_TIMEOUT = 1.5


def make_queue(**parameters):
    return Queue(BatchingParameters(**parameters), run=print)


def splitting_queue(**parameters):
    return make_queue(splits=True, **parameters)


def task(rows, now=0.0):
    return Task({"x": np.zeros(rows)}, ["y"], rows, now, Future())


def put(queue, *rows, now=0.0):
    for number in rows:
        queue.put(task(number), now)


def take_all(queue, now=0.0):
    """Takes all batches that may run; returns the sizes of their tasks."""
    batches = iter(lambda: queue.take(now), None)
    return [[task.size for task in batch.tasks] for batch in batches]


def test_without_a_timeout_all_waiting_tasks_are_a_batch():
    queue = make_queue(max_batch_size=8)
    put(queue, 2, 1, 3)
    assert take_all(queue) == [[2, 1, 3]]
    assert take_all(queue) == []


def test_a_batch_with_room_waits_for_its_timeout():
    queue = make_queue(max_batch_size=8, batch_timeout=BATCH_TIMEOUT)
    put(queue, 2, now=10)
    put(queue, 1, now=11)
    assert queue.ready_at() == 10 + BATCH_TIMEOUT  # from the arrival of the first task
    assert take_all(queue, now=11.4) == []
    assert take_all(queue, now=11.5) == [[2, 1]]
    put(queue, 4, now=20)
    assert queue.ready_at() == 20 + BATCH_TIMEOUT


def test_a_full_batch_runs_at_once():
    queue = make_queue(max_batch_size=4, batch_timeout=BATCH_TIMEOUT)
    put(queue, 3)
    assert take_all(queue) == []
    put(queue, 1)
    assert take_all(queue) == [[3, 1]]


def test_a_task_that_does_not_fit_closes_the_open_batch():
    queue = make_queue(max_batch_size=4, batch_timeout=BATCH_TIMEOUT)
    put(queue, 3, 2)
    assert take_all(queue) == [[3]]
    assert take_all(queue, now=BATCH_TIMEOUT) == [[2]]


def test_tasks_without_rows_wait_for_one_with_rows():
    queue = make_queue(max_batch_size=4, batch_timeout=BATCH_TIMEOUT)
    put(queue, 0, 0, now=1)
    assert queue.ready_at() == math.inf
    assert take_all(queue, now=1000) == []
    put(queue, 1, now=2)
    assert queue.ready_at() == 1 + BATCH_TIMEOUT  # from the arrival of the first task
    assert take_all(queue, now=1 + BATCH_TIMEOUT) == [[0, 0, 1]]


def test_a_task_without_rows_joins_a_batch_with_rows():
    queue = make_queue(max_batch_size=4, batch_timeout=BATCH_TIMEOUT)
    put(queue, 1, 0)
    assert take_all(queue, now=BATCH_TIMEOUT) == [[1, 0]]


@pytest.mark.parametrize("rows", [0, 1])
def test_a_closed_queue_runs_its_tasks_at_once(rows):
    queue = make_queue(max_batch_size=4, batch_timeout=BATCH_TIMEOUT)
    put(queue, rows)
    queue.closed = True
    assert take_all(queue) == [[rows]]


def test_a_task_without_rows_is_withdrawn_only_from_a_batch_without_rows():
    queue = make_queue(max_batch_size=4)
    first, second = task(0), task(0)
    queue.put(first, 0.0)
    queue.put(second, 0.0)
    assert queue.withdraw(first)
    assert not queue.withdraw(first)
    put(queue, 1)
    assert not queue.withdraw(second)
    assert take_all(queue) == [[0, 1]]


def test_an_empty_queue_is_never_ready():
    assert make_queue().ready_at() == math.inf
    assert make_queue().empty


def test_a_queue_is_idle_when_its_batches_have_ended():
    queue = make_queue()
    put(queue, 1)
    assert not queue.idle
    queue.take(0.0)
    assert queue.empty
    assert not queue.idle
    queue.running -= 1
    assert queue.idle


@pytest.mark.parametrize("make", [make_queue, splitting_queue])
def test_a_task_larger_than_max_batch_size_is_refused(make):
    queue = make(max_batch_size=4, max_execution_batch_size=2)
    assert refusal(put, queue, 5) == (
        Code.INVALID_ARGUMENT,
        "Task size 5 is larger than maximum input batch size 4",
    )


def test_a_full_queue_refuses_a_task_that_needs_another_batch():
    queue = make_queue(max_batch_size=2, max_enqueued_batches=2)
    put(queue, 2, 1)
    assert refusal(put, queue, 2) == (
        Code.UNAVAILABLE,
        (
            "The batch scheduling queue to which this task was submitted is full; currently 2 "
            "batches enqueued and max_enqueued_batches is 2"
        ),
    )
    put(queue, 1)  # fits into the open batch
    assert take_all(queue) == [[2], [1, 1]]


def test_a_task_is_split_over_batches():
    queue = splitting_queue(max_batch_size=8, max_execution_batch_size=2)
    put(queue, 1, 5, 1)
    assert take_all(queue) == [[1, 1], [2], [2], [1]]


def test_a_full_splitting_queue_refuses_a_task_with_more_rows_than_room():
    queue = splitting_queue(max_batch_size=8, max_execution_batch_size=2, max_enqueued_batches=2)
    put(queue, 1)
    assert refusal(put, queue, 4) == (
        Code.UNAVAILABLE,
        (
            "The batch scheduling queue to which this task was submitted is full; task size is 4 "
            "but scheduling capacity is only 3 (num_enqueued_batches=1, max_enqueued_batches=2, "
            "open_batch_size=1, max_execution_batch_size=2)"
        ),
    )
    put(queue, 3)


def test_the_first_piece_fills_the_open_batch():
    assert piece_sizes(5, room=1, limit=2) == [1, 2, 2]
    assert piece_sizes(5, room=0, limit=2) == [2, 2, 1]
    assert piece_sizes(2, room=1, limit=2) == [1, 1]
