"""When a batch is full, when it runs, and when there is no room: by values and times."""

from __future__ import annotations

import math
from concurrent.futures import Future

import numpy as np
import pytest
from seq2sum_serving.embedded.batching.parameters import BatchingParameters
from seq2sum_serving.embedded.batching.queues import Queue, piece_sizes
from seq2sum_serving.embedded.batching.tasks import Task
from seq2sum_serving.embedded.errors import Code, ServingError

LINGER = 1.5


def queue(**parameters):
    return Queue(BatchingParameters(**parameters), run=print)


def splitting(**parameters):
    return queue(splits=True, **parameters)


def task(rows, now=0.0):
    return Task({"x": np.zeros(rows)}, ["y"], rows, now, Future())


def put(queue, *rows, now=0.0):
    for number in rows:
        queue.put(task(number), now)


def taken(queue, now=0.0):
    """Sizes of the requests in every batch that may run now."""
    batches = iter(lambda: queue.take(now), None)
    return [[task.size for task in batch.tasks] for batch in batches]


def test_without_a_timeout_whatever_waits_is_one_batch():
    waiting = queue(max_batch_size=8)
    put(waiting, 2, 1, 3)
    assert taken(waiting) == [[2, 1, 3]]
    assert taken(waiting) == []


def test_a_batch_that_is_not_full_waits_for_its_timeout():
    waiting = queue(max_batch_size=8, batch_timeout=LINGER)
    put(waiting, 2, now=10)
    put(waiting, 1, now=11)
    assert waiting.ready_at() == 10 + LINGER  # counted from the first one in it
    assert taken(waiting, now=11.4) == []
    assert taken(waiting, now=11.5) == [[2, 1]]
    put(waiting, 4, now=20)
    assert waiting.ready_at() == 20 + LINGER


def test_a_full_batch_runs_at_once():
    waiting = queue(max_batch_size=4, batch_timeout=LINGER)
    put(waiting, 3)
    assert taken(waiting) == []
    put(waiting, 1)
    assert taken(waiting) == [[3, 1]]


def test_a_request_that_does_not_fit_closes_the_batch_before_it():
    waiting = queue(max_batch_size=4, batch_timeout=LINGER)
    put(waiting, 3, 2)
    assert taken(waiting) == [[3]]
    assert taken(waiting, now=LINGER) == [[2]]


def test_requests_without_rows_wait_for_rows_to_join_them():
    waiting = queue(max_batch_size=4, batch_timeout=LINGER)
    put(waiting, 0, 0, now=1)
    assert waiting.ready_at() == math.inf
    assert taken(waiting, now=1000) == []
    put(waiting, 1, now=2)
    assert waiting.ready_at() == 1 + LINGER  # counted from the first one in it, rows or not
    assert taken(waiting, now=1 + LINGER) == [[0, 0, 1]]


def test_requests_without_rows_join_a_batch_that_has_rows():
    waiting = queue(max_batch_size=4, batch_timeout=LINGER)
    put(waiting, 1, 0)
    assert taken(waiting, now=LINGER) == [[1, 0]]


def test_a_closed_queue_runs_requests_without_rows():
    waiting = queue(max_batch_size=4)
    put(waiting, 0)
    waiting.closed = True
    assert taken(waiting) == [[0]]


def test_a_request_without_rows_is_withdrawn_until_rows_join_it():
    waiting = queue(max_batch_size=4)
    first, second = task(0), task(0)
    waiting.put(first, 0.0)
    waiting.put(second, 0.0)
    assert waiting.withdraw(first)
    assert not waiting.withdraw(first)
    put(waiting, 1)
    assert not waiting.withdraw(second)
    assert taken(waiting) == [[0, 1]]


def test_a_queue_that_is_closed_waits_for_nothing():
    waiting = queue(max_batch_size=4, batch_timeout=LINGER)
    put(waiting, 1)
    waiting.closed = True
    assert taken(waiting) == [[1]]


def test_nothing_waits_for_ever():
    assert queue().ready_at() == math.inf
    assert queue().empty


def test_it_is_idle_when_what_was_taken_has_ended():
    waiting = queue()
    put(waiting, 1)
    assert not waiting.idle
    waiting.take(0.0)
    assert waiting.empty
    assert not waiting.idle
    waiting.running -= 1
    assert waiting.idle


@pytest.mark.parametrize("make", [queue, splitting])
def test_a_request_larger_than_any_batch_is_refused(make):
    with pytest.raises(ServingError) as caught:
        put(make(max_batch_size=4, max_execution_batch_size=2), 5)
    assert caught.value.code is Code.INVALID_ARGUMENT
    assert caught.value.message == "Task size 5 is larger than maximum input batch size 4"


def test_a_full_queue_refuses_what_needs_another_batch():
    waiting = queue(max_batch_size=2, max_enqueued_batches=2)
    put(waiting, 2, 1)
    with pytest.raises(ServingError) as caught:
        put(waiting, 2)
    assert caught.value.code is Code.UNAVAILABLE
    assert caught.value.message == (
        "The batch scheduling queue to which this task was submitted is full; currently 2 "
        "batches enqueued and max_enqueued_batches is 2"
    )
    put(waiting, 1)  # fits into the open batch
    assert taken(waiting) == [[2], [1, 1]]


def test_a_request_is_split_over_batches():
    waiting = splitting(max_batch_size=8, max_execution_batch_size=2)
    put(waiting, 1, 5, 1)
    assert taken(waiting) == [[1, 1], [2], [2], [1]]


def test_a_full_queue_refuses_what_it_has_no_rows_for_when_it_splits():
    waiting = splitting(max_batch_size=8, max_execution_batch_size=2, max_enqueued_batches=2)
    put(waiting, 1)
    with pytest.raises(ServingError) as caught:
        put(waiting, 4)
    assert caught.value.code is Code.UNAVAILABLE
    assert caught.value.message == (
        "The batch scheduling queue to which this task was submitted is full; task size is 4 but "
        "scheduling capacity is only 3 (num_enqueued_batches=1, max_enqueued_batches=2, "
        "open_batch_size=1, max_execution_batch_size=2)"
    )
    put(waiting, 3)


def test_a_piece_goes_where_there_is_room_first():
    assert piece_sizes(5, room=1, limit=2) == [1, 2, 2]
    assert piece_sizes(5, room=0, limit=2) == [2, 2, 1]
    assert piece_sizes(2, room=1, limit=2) == [1, 1]
