"""The threads that run batches of all models.

Non-empty queues are served round robin, a batch each. A batch is closed only when a thread is free
to run it: requests that arrive while all threads are busy share a batch even without a configured
batch timeout.

A thread that has submitted a task may take the place of a free thread, and run the batch itself:
waking another thread would take longer than many runs.
"""

from __future__ import annotations

import logging
import math
import threading
import time
from collections import deque
from collections.abc import Callable

from seq2sum_serving.embedded.batching.queues import Batch, Queue
from seq2sum_serving.embedded.batching.tasks import Task
from seq2sum_serving.embedded.errors import Code, ServingError

log = logging.getLogger(__name__)

THREAD_NAME_PREFIX = "batching"

Clock = Callable[[], float]
"""Returns seconds since any fixed point in time."""


class Scheduler:
    """Runs a fixed number of batches at once. Safe to use from any thread.

    Its threads exist while a queue is open.
    """

    def __init__(self, threads: int, name: str, *, clock: Clock = time.monotonic) -> None:
        self._thread_count = threads
        self._name = name
        self.clock = clock
        lock = threading.Lock()
        """Guards everything below, including all queues."""
        self._changed = threading.Condition(lock)
        """Notified if a batch may be ready, or ready earlier than before."""
        self._emptied = threading.Condition(lock)
        """Notified when a queue becomes idle."""
        self._queues: set[Queue] = set()
        self._waiting: deque[Queue] = deque()
        """Non-empty queues, the next one first."""
        self._threads: list[threading.Thread] = []
        self._running = 0
        """Batches that run."""

    def open(self, queue: Queue) -> None:
        """Starts serving a queue."""
        with self._changed:
            self._queues.add(queue)
            if not self._threads:
                self._start()

    def submit(self, queue: Queue, task: Task) -> None:
        """Adds a task to a queue; `run_waiting` is to be called next.

        Raises:
            ServingError: The queue refuses the task or is closed.
        """
        with self._changed:
            if queue.closed:
                raise ServingError(Code.UNAVAILABLE, "The batching queue was closed")
            was_empty = queue.empty
            queue.put(task, self.clock())
            if was_empty:
                self._waiting.append(queue)

    def run_waiting(self, enough: Callable[[], bool] = lambda: False) -> None:
        """Runs batches that are ready in this thread, as long as a thread is free.

        Stops after a batch if `enough` returns True.
        """
        queue: Queue | None = None
        while True:
            with self._changed:
                self._ended(queue)
                next_batch = None if enough() else self._take()
                if next_batch is None:
                    if self._waiting and self._running < self._thread_count:
                        self._changed.notify()  # a thread waits until the batch is ready
                    return
            queue = self._run(*next_batch)

    def withdraw(self, queue: Queue, task: Task) -> bool:
        """Removes a task if its batch is open and has no rows; returns whether it did."""
        with self._changed:
            if not queue.withdraw(task):
                return False
            if queue.empty:
                self._waiting.remove(queue)
                if queue.idle:
                    self._emptied.notify_all()
            return True

    def close(self, queue: Queue) -> None:
        """Closes a queue, and waits until all of its tasks have run."""
        leaving: list[threading.Thread] = []
        with self._changed:
            queue.closed = True
            self._changed.notify_all()
            self._emptied.wait_for(lambda: queue.idle)
            self._queues.discard(queue)
            if not self._queues:
                leaving, self._threads = self._threads, []
                self._changed.notify_all()
        for thread in leaving:
            thread.join()

    def _start(self) -> None:
        names = (
            f"{THREAD_NAME_PREFIX}-{self._name}-{number}" for number in range(self._thread_count)
        )
        self._threads = [
            threading.Thread(target=self._work, name=name, daemon=True) for name in names
        ]
        for thread in self._threads:
            thread.start()

    def _work(self) -> None:
        me = threading.current_thread()
        queue: Queue | None = None
        while True:
            with self._changed:
                self._ended(queue)
                next_batch = self._next(me)
                if next_batch is None:
                    return
                if self._waiting:  # another thread waits for the next batch
                    self._changed.notify()
            queue = self._run(*next_batch)

    def _run(self, queue: Queue, batch: Batch) -> Queue:
        """Runs a batch; returns its queue."""
        try:
            queue.run(batch)
        except Exception:
            log.exception("a batch failed and its tasks have no result")
        return queue

    def _ended(self, queue: Queue | None) -> None:
        """Counts the end of a batch of a queue, if any."""
        if queue is not None:
            self._running -= 1
            queue.running -= 1
            if queue.idle:
                self._emptied.notify_all()

    def _next(self, me: threading.Thread) -> tuple[Queue, Batch] | None:
        """Waits for a batch; returns None when the thread should end."""
        while me in self._threads:
            next_batch = self._take()
            if next_batch is not None:
                return next_batch
            earliest = math.inf
            if self._running < self._thread_count:
                earliest = min((queue.ready_at() for queue in self._waiting), default=math.inf)
            self._changed.wait(None if math.isinf(earliest) else max(0.0, earliest - self.clock()))
        return None

    def _take(self) -> tuple[Queue, Batch] | None:
        """Removes and returns the next batch if one is ready and a thread is free."""
        if self._running >= self._thread_count:
            return None
        now = self.clock()
        for _ in range(len(self._waiting)):
            queue = self._waiting.popleft()
            batch = queue.take(now)
            if not queue.empty:
                self._waiting.append(queue)
            if batch is not None:
                self._running += 1
                return queue, batch
        return None
