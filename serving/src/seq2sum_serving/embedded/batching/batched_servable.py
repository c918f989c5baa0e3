"""A servable that merges concurrent requests into shared runs of the graph.

Requests to a version with the same inputs and outputs share a queue. If a run fails, all requests
in it fail with the same error.
"""

from __future__ import annotations

import logging
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
from seq2sum_serving.embedded.batching.tasks import Outcome, Outputs, Task, complete, deliver
from seq2sum_serving.embedded.errors import Code, ServingError
from seq2sum_serving.embedded.inference.servable import Servable
from seq2sum_serving.embedded.monitoring import metrics

log = logging.getLogger(__name__)

POOL = ""
"""Name of the thread pool in the metrics; tensorflow_model_server leaves it empty too."""
MICROS = 1e6

LONGEST_WAIT_FOR_ROWS = 60.0
"""Seconds that a request without rows and without a deadline waits for others.

tensorflow_model_server waits without a limit, which occupies a thread and prevents an unload.
"""
NO_ROWS = "the request has no rows, and no request with rows arrived in time to share its batch"

Key = tuple[frozenset[str], frozenset[str]]
"""Names of the fed and the fetched tensors, which identify a queue."""


class BatchedServable:
    """A servable that merges requests. Safe to use from any thread.

    Raises:
        ServingError: INVALID_ARGUMENT: the parameters are not valid for a queue.
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
        """Runs the graph as `Servable.run` describes, in a batch with other requests.

        All arrays must have the same number of rows. A batch has the longest timeout of its
        requests.

        Raises:
            ServingError: The request was refused, or the batch failed.
        """
        future: Future[Outputs] = Future()
        future.set_running_or_notify_cancel()  # callers do not cancel futures
        queue, task = self._enqueue(feeds, fetches, timeout, partial(complete, future))
        self._scheduler.run_waiting(future.done)
        if task.size:
            return future.result()
        try:
            return future.result(LONGEST_WAIT_FOR_ROWS if math.isinf(task.timeout) else timeout)
        except TimeoutError as error:
            if self._scheduler.withdraw(queue, task):
                raise ServingError(Code.DEADLINE_EXCEEDED, NO_ROWS) from error
            return future.result()  # rows came at the last moment

    def submit(
        self,
        feeds: rows.Feeds,
        fetches: Sequence[str],
        *,
        timeout: float | None = None,
        done: Callable[[Outcome], None],
    ) -> None:
        """Does what `run` does without blocking: `done` receives the outcome, in any thread.

        The request waits until `run_waiting` is called.

        Raises:
            ServingError: The request was refused.
        """
        self._enqueue(feeds, fetches, timeout, done)

    def run_waiting(self) -> None:
        """Runs the requests that wait in this thread, unless all threads of batches are busy."""
        self._scheduler.run_waiting()

    def close(self) -> None:
        """Runs all waiting requests, then closes the servable."""
        with self._opening:
            queues = list(self._queues.values())
        for queue in queues:
            self._scheduler.close(queue)
        self._servable.close()

    def _enqueue(
        self,
        feeds: rows.Feeds,
        fetches: Sequence[str],
        timeout: float | None,
        done: Callable[[Outcome], None],
    ) -> tuple[Queue, Task]:
        size = rows.count_rows(feeds)
        for _ in feeds:  # once for each tensor, as tensorflow_model_server does
            metrics.INPUT_BATCH_SIZE.observe(size)
        limit = timeout if timeout is not None and timeout > 0 else math.inf
        task = Task(feeds, fetches, size, self._scheduler.clock(), done, limit)
        queue = self._queue(frozenset(feeds), frozenset(fetches))
        self._scheduler.submit(queue, task)
        return queue, task

    def _queue(self, fed: frozenset[str], fetched: frozenset[str]) -> Queue:
        key = (fed, fetched)
        queue = self._queues.get(key)
        if queue is None:
            with self._opening:
                queue = self._queues.get(key)
                if queue is None:
                    queue = Queue(self._parameters, partial(self._run_batch, sorted(fetched)))
                    self._scheduler.open(queue)
                    self._queues[key] = queue
        return queue

    def _run_batch(self, fetches: list[str], batch: Batch) -> None:
        """Runs a batch and delivers the outcome to all of its tasks."""
        try:
            outcomes: Sequence[Outputs | Exception] = self._outputs(fetches, batch)
        except Exception as error:  # noqa: BLE001 - it is raised in the callers' threads
            outcomes = [error] * len(batch.tasks)
        for task, outcome in zip(batch.tasks, outcomes, strict=True):
            try:
                deliver(task.receiver, outcome)
            except Exception:
                log.exception("an outcome could not be delivered")

    def _outputs(self, fetches: list[str], batch: Batch) -> list[Outputs]:
        """Runs a batch; returns the outputs of each task."""
        tasks, size = batch.tasks, batch.size
        timeout = self._timeout(tasks)
        # An empty batch has no row that could be copied; tensorflow_model_server aborts.
        rounded = self._parameters.rounded(size) if size else 0
        padding = rounded - size
        metrics.PADDING_SIZE.labels(str(rounded)).observe(padding)
        metrics.PROCESSED_BATCH_SIZE.observe(rounded)
        feeds = rows.merge_inputs(
            [task.feeds for task in tasks],
            padding,
            pad_shapes=self._parameters.pad_variable_length_inputs,
        )
        try:
            outputs = self._servable.run(feeds, fetches, timeout=timeout)
        finally:
            metrics.WRAPPED_RUN_COUNT.inc()
        shares = rows.split_outputs(outputs, [task.size for task in tasks], padding)
        return [
            _ordered(share, fetches, task.fetches)
            for share, task in zip(shares, tasks, strict=True)
        ]

    def _timeout(self, tasks: Sequence[Task]) -> float | None:
        """Returns the seconds until the latest deadline of the tasks."""
        now = self._scheduler.clock()
        latency = metrics.QUEUING_LATENCY.labels(POOL)
        for task in tasks:
            latency.observe((now - task.enqueued) * MICROS)
        latest = max(task.deadline for task in tasks)
        if latest <= now:
            raise ServingError(
                Code.RESOURCE_EXHAUSTED, "Run() timeout exceeded while waiting in batching queue"
            )
        return None if math.isinf(latest) else latest - now


Wrap = Callable[[Servable, str, int, str], Servable]
"""Adds batching to a loaded version, given its model, version number and folder."""


def make_wrap(message: batching_pb2.BatchingParameters, *, per_model: bool = False) -> Wrap:
    """Returns a function that adds batching to versions, all on the same threads.

    Args:
        message: Parameters of all models, and of the threads.
        per_model: Use the parameters in each version's folder, and do not batch versions
            without them; `message` still applies to the threads.

    Raises:
        ServingError: INVALID_ARGUMENT: the parameters are not valid for threads.
    """
    parameters = from_message(message)
    parameters.check_threads()
    scheduler = Scheduler(parameters.num_batch_threads, parameters.thread_pool_name)

    def wrap(servable: Servable, model: str, version: int, path: str) -> Servable:  # noqa: ARG001
        own = from_version_folder(path) if per_model else parameters
        return servable if own is None else BatchedServable(servable, own, scheduler)

    return wrap


def _ordered(share: Outputs, fetches: Sequence[str], requested: Sequence[str]) -> Outputs:
    """Returns the outputs in the order of a request's fetches."""
    if fetches == requested:
        return share
    by_name = dict(zip(fetches, share, strict=True))
    return [by_name[name] for name in requested]
