"""A servable whose callers share runs of the graph.

Whoever asks for the same outputs of the same inputs of a version at the same time is answered
by one run. What goes wrong in it goes wrong for all of them, in the same words.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from functools import partial
from typing import Any

from seq2sum_serving.configuration import batching_pb2
from seq2sum_serving.embedded.batching import rows
from seq2sum_serving.embedded.batching.parameters import (
    BatchingParameters,
    from_message,
    from_version_folder,
)
from seq2sum_serving.embedded.batching.queues import Batch, Queue
from seq2sum_serving.embedded.batching.scheduler import Scheduler
from seq2sum_serving.embedded.batching.tasks import Outputs, Task, deliver
from seq2sum_serving.embedded.errors import Code, ServingError
from seq2sum_serving.embedded.inference.servable import Servable
from seq2sum_serving.embedded.monitoring import metrics

POOL = ""
"""What the name of the threads is in the metrics."""
MICROS = 1e6

LONGEST_WAIT_FOR_ROWS = 60.0
"""Seconds for which a request without rows waits for others if its caller sets no deadline.

The real server waits for ever, with a thread that is lost and a version that cannot be unloaded.
"""
NO_ROWS_CAME = "A request without rows is answered with one that has rows, and none came in time"

Key = tuple[frozenset[str], frozenset[str]]
"""Names of the tensors fed and fetched: what a queue is for."""


class BatchedServable:
    """A servable that merges requests. Safe to use from any thread.

    Raises:
        ServingError: INVALID_ARGUMENT: no queue can have these parameters.
    """

    def __init__(
        self, servable: Servable, parameters: BatchingParameters, scheduler: Scheduler
    ) -> None:
        parameters.check_queues()
        self._servable = servable
        self._parameters = parameters
        self._scheduler = scheduler
        self._queues: dict[Key, Queue] = {}
        self._opening = threading.Lock()

    @property
    def signatures(self) -> Mapping[str, Any]:
        """SignatureDef messages by signature name."""
        return self._servable.signatures

    def run(
        self, feeds: rows.Feeds, fetches: Sequence[str], *, timeout: float | None = None
    ) -> Outputs:
        """Runs the graph together with whatever else waits; blocks until it has.

        Args:
            feeds: Arrays by tensor name, all with the same number of rows.
            fetches: Names of the tensors wanted.
            timeout: Seconds; None or none left mean no limit. It is that of the batch if it
                is the longest in it.

        Raises:
            ServingError: The request was refused, or the batch failed.
        """
        queue, task, future = self._enqueue(feeds, fetches, timeout)
        if task.size:
            return future.result()
        try:
            return future.result(LONGEST_WAIT_FOR_ROWS if math.isinf(task.timeout) else timeout)
        except TimeoutError as error:
            if self._scheduler.withdraw(queue, task):
                raise ServingError(Code.DEADLINE_EXCEEDED, NO_ROWS_CAME) from error
            return future.result()  # rows came at the last moment

    def submit(
        self, feeds: rows.Feeds, fetches: Sequence[str], *, timeout: float | None = None
    ) -> Future[Outputs]:
        """The same without blocking: the answer comes in a future, on another thread.

        Raises:
            ServingError: The request was refused.
        """
        _, _, future = self._enqueue(feeds, fetches, timeout)
        return future

    def close(self) -> None:
        """Answers whatever still waits, then frees what the servable holds."""
        with self._opening:
            queues = list(self._queues.values())
        for queue in queues:
            self._scheduler.close(queue)
        self._servable.close()

    def _enqueue(
        self, feeds: rows.Feeds, fetches: Sequence[str], timeout: float | None
    ) -> tuple[Queue, Task, Future[Outputs]]:
        future: Future[Outputs] = Future()
        future.set_running_or_notify_cancel()  # no caller cancels one
        size = rows.count_rows(feeds)
        for _ in feeds:  # one for each tensor, as there
            metrics.INPUT_BATCH_SIZE.observe(size)
        limit = timeout if timeout is not None and timeout > 0 else math.inf
        task = Task(feeds, fetches, size, self._scheduler.clock(), future, limit)
        queue = self._queue(frozenset(feeds), frozenset(fetches))
        self._scheduler.submit(queue, task)
        return queue, task, future

    def _queue(self, fed: frozenset[str], fetched: frozenset[str]) -> Queue:
        key = (fed, fetched)
        queue = self._queues.get(key)
        if queue is None:
            with self._opening:
                queue = self._queues.get(key)
                if queue is None:
                    queue = Queue(self._parameters, partial(self._run, sorted(fetched)))
                    self._scheduler.open(queue)
                    self._queues[key] = queue
        return queue

    def _run(self, fetches: list[str], batch: Batch) -> None:
        """Runs a batch and answers everyone in it."""
        try:
            outcomes: Sequence[Outputs | Exception] = self._answers(fetches, batch)
        except Exception as error:  # noqa: BLE001 - it is theirs who wait
            outcomes = [error] * len(batch.tasks)
        for task, outcome in zip(batch.tasks, outcomes, strict=True):
            deliver(task.receiver, outcome)

    def _answers(self, fetches: list[str], batch: Batch) -> list[Outputs]:
        tasks, size = batch.tasks, batch.size
        timeout = self._timeout(tasks)
        # Where there is no row, there is none to copy either; the real server ends.
        rounded = self._parameters.rounded(size) if size else 0
        extra = rounded - size
        metrics.cell(metrics.PADDING_SIZE, str(rounded)).observe(extra)
        metrics.PROCESSED_BATCH_SIZE.observe(rounded)
        feeds = rows.merge_inputs(
            [task.feeds for task in tasks],
            extra,
            fill=self._parameters.pad_variable_length_inputs,
        )
        try:
            outputs = self._servable.run(feeds, fetches, timeout=timeout)
        finally:
            metrics.WRAPPED_RUN_COUNT.inc()
        shares = rows.split_outputs(outputs, [task.size for task in tasks], extra)
        return [
            _ordered(share, fetches, task.fetches)
            for share, task in zip(shares, tasks, strict=True)
        ]

    def _timeout(self, tasks: Sequence[Task]) -> float | None:
        """Seconds for the run: until the last one has gone who still waits."""
        now = self._scheduler.clock()
        waited = metrics.cell(metrics.QUEUING_LATENCY, POOL)
        for task in tasks:
            waited.observe((now - task.enqueued) * MICROS)
        latest = max(task.deadline for task in tasks)
        if latest <= now:
            raise ServingError(
                Code.RESOURCE_EXHAUSTED, "Run() timeout exceeded while waiting in batching queue"
            )
        return None if math.isinf(latest) else latest - now


Wrap = Callable[[Servable, str, int, str], Servable]
"""From a version that was loaded, its model, number and folder, to what serves it."""


def wrapper(message: batching_pb2.BatchingParameters, *, per_model: bool = False) -> Wrap:
    """What puts every version that is loaded behind its queues, all on the same threads.

    Args:
        message: Parameters for all models; those of the threads in any case.
        per_model: Each version's own parameters count instead, and a version without them is
            not batched.

    Raises:
        ServingError: INVALID_ARGUMENT: there can be no such threads.
    """
    parameters = from_message(message)
    parameters.check_threads()
    scheduler = Scheduler(parameters.num_batch_threads, parameters.thread_pool_name)

    def wrap(servable: Servable, model: str, version: int, path: str) -> Servable:  # noqa: ARG001
        own = from_version_folder(path) if per_model else parameters
        return servable if own is None else BatchedServable(servable, own, scheduler)

    return wrap


def _ordered(share: Outputs, fetches: Sequence[str], wanted: Sequence[str]) -> Outputs:
    """The outputs in the order in which they were asked for."""
    if fetches == wanted:
        return share
    by_name = dict(zip(fetches, share, strict=True))
    return [by_name[name] for name in wanted]
