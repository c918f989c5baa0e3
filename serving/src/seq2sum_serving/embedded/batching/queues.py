"""A queue of requests that may run together, and the batches that they form.

Queues have no thread, lock or clock: callers pass the time. A queue is a sequence of batches, of
which the last is open: it takes requests until one does not fit.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable

from seq2sum_serving.embedded.batching.parameters import BatchingParameters
from seq2sum_serving.embedded.batching.tasks import Task
from seq2sum_serving.embedded.errors import Code, ServingError, invalid_argument


class Batch:
    """Tasks that run together."""

    __slots__ = ("size", "started", "tasks")

    def __init__(self) -> None:
        self.tasks: list[Task] = []
        self.size = 0
        """Rows of all tasks."""
        self.started = math.inf
        """Time of the first task."""

    def add(self, task: Task, now: float) -> None:
        """Adds a task."""
        if not self.tasks:
            self.started = now
        self.tasks.append(task)
        self.size += task.size


class Queue:
    """Tasks with the same inputs and outputs. Not thread-safe: the scheduler locks."""

    def __init__(self, parameters: BatchingParameters, run: Callable[[Batch], None]) -> None:
        self._parameters = parameters
        self._limit = (
            parameters.max_execution_batch_size if parameters.splits else parameters.max_batch_size
        )
        self._batches = deque([Batch()])
        self.run = run
        """Runs a batch, on a thread of the scheduler."""
        self.running = 0
        """Batches that were taken and have not ended."""
        self.closed = False

    def put(self, task: Task, now: float) -> None:
        """Adds a task, in pieces if it does not fit into the open batch and may be split.

        Raises:
            ServingError: The task is too large, or the queue is full.
        """
        self._check(task)
        batches = self._batches
        room = self._limit - batches[-1].size
        pieces = [task]
        if self._parameters.splits and task.size > room:
            pieces = task.split(piece_sizes(task.size, room, self._limit))
        for piece in pieces:
            if batches[-1].size + piece.size > self._limit:
                batches.append(Batch())
            batches[-1].add(piece, now)

    def take(self, now: float) -> Batch | None:
        """Removes and returns the next batch if it may run now."""
        if self.ready_at() > now:
            return None
        batch = self._batches.popleft()
        if not self._batches:
            self._batches.append(Batch())
        self.running += 1
        return batch

    def withdraw(self, task: Task) -> bool:
        """Removes a task if its batch is open and has no rows; returns whether it did."""
        batch = self._batches[-1]
        if batch.size or task not in batch.tasks:
            return False
        batch.tasks.remove(task)
        return True

    def ready_at(self) -> float:
        """Returns the time from which a batch may run; infinity if no task with rows waits."""
        first = self._batches[0]
        if not first.tasks:
            return math.inf
        if len(self._batches) > 1 or first.size >= self._limit or self.closed:
            return -math.inf
        if not first.size:  # as in 2.20.0: batching/empty-batch-alone
            return math.inf
        return first.started + self._parameters.batch_timeout

    @property
    def empty(self) -> bool:
        """Whether no task waits."""
        return not self._batches[0].tasks

    @property
    def idle(self) -> bool:
        """Whether no task waits or runs."""
        return self.empty and not self.running

    def _check(self, task: Task) -> None:
        parameters, batches = self._parameters, self._batches
        if task.size > parameters.max_batch_size:
            raise invalid_argument(
                f"Task size {task.size} is larger than maximum input batch size "
                f"{parameters.max_batch_size}"
            )
        full = "The batch scheduling queue to which this task was submitted is full; "
        last = batches[-1].size
        if parameters.splits:
            room = (parameters.max_enqueued_batches - len(batches)) * self._limit
            room += self._limit - last
            if task.size > room:
                raise ServingError(
                    Code.UNAVAILABLE,
                    f"{full}task size is {task.size} but scheduling capacity is only {room} "
                    f"(num_enqueued_batches={len(batches)}, "
                    f"max_enqueued_batches={parameters.max_enqueued_batches}, "
                    f"open_batch_size={last}, max_execution_batch_size={self._limit})",
                )
        elif (
            last + task.size > parameters.max_batch_size
            and len(batches) >= parameters.max_enqueued_batches
        ):
            raise ServingError(
                Code.UNAVAILABLE,
                f"{full}currently {len(batches)} batches enqueued and max_enqueued_batches is "
                f"{parameters.max_enqueued_batches}",
            )


def piece_sizes(rows: int, room: int, limit: int) -> list[int]:
    """Returns the rows of a task's pieces: `room` for the open batch, then up to `limit` each."""
    pieces = [room] if room > 0 else []
    left = rows - sum(pieces)
    while left > 0:
        pieces.append(min(left, limit))
        left -= pieces[-1]
    return pieces
