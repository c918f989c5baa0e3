"""The threads that run batches, shared by all models, and what they do next.

They take turns between the queues that have something waiting, a batch each. A request is
never taken from its queue before a thread is free to run it: what arrives while all of them
are busy goes into one batch, without any pause being configured.
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
"""Names of the threads begin so."""

Clock = Callable[[], float]
"""Seconds, from any beginning."""


class Scheduler:
    """A fixed number of threads, which exist while there is a queue. Safe for any thread."""

    def __init__(self, threads: int, name: str, *, clock: Clock = time.monotonic) -> None:
        self._number = threads
        self._name = name
        self.clock = clock
        lock = threading.Lock()
        """Guards all below, every queue included."""
        self._changed = threading.Condition(lock)
        """There is something to run, or something else to watch for."""
        self._emptied = threading.Condition(lock)
        """Nothing runs and nothing waits in some queue."""
        self._queues: set[Queue] = set()
        self._waiting: deque[Queue] = deque()
        """Queues with something in them, the one whose turn it is first."""
        self._threads: list[threading.Thread] = []

    def open(self, queue: Queue) -> None:
        """Serves a queue from now on."""
        with self._changed:
            self._queues.add(queue)
            if not self._threads:
                self._start()

    def submit(self, queue: Queue, task: Task) -> None:
        """Puts a request into a queue.

        Raises:
            ServingError: The queue does not take it.
        """
        with self._changed:
            if queue.closed:
                raise ServingError(Code.UNAVAILABLE, "The batching queue was closed")
            was_empty, before = queue.empty, queue.ready_at()
            queue.put(task, self.clock())
            if was_empty:
                self._waiting.append(queue)
            if queue.ready_at() < before:
                self._changed.notify()

    def withdraw(self, queue: Queue, task: Task) -> bool:
        """Takes a request out of a batch that has no rows yet; False if it is in no such batch."""
        with self._changed:
            if not queue.withdraw(task):
                return False
            if queue.empty:
                self._waiting.remove(queue)
                if queue.idle:
                    self._emptied.notify_all()
            return True

    def close(self, queue: Queue) -> None:
        """Takes nothing more into a queue, and waits until what is in it was answered."""
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
        names = (f"{THREAD_NAME_PREFIX}-{self._name}-{number}" for number in range(self._number))
        self._threads = [
            threading.Thread(target=self._work, name=name, daemon=True) for name in names
        ]
        for thread in self._threads:
            thread.start()

    def _work(self) -> None:
        me = threading.current_thread()
        ended: Queue | None = None
        while True:
            with self._changed:
                if ended is not None:
                    ended.running -= 1
                    if ended.idle:
                        self._emptied.notify_all()
                found = self._next(me)
                if found is None:
                    return
                if self._waiting:  # another thread takes over the watch
                    self._changed.notify()
            ended, batch = found
            try:
                ended.run(batch)
            except Exception:
                log.exception("A batch was lost")

    def _next(self, me: threading.Thread) -> tuple[Queue, Batch] | None:
        """Waits for a batch; None when this thread is no longer wanted."""
        while me in self._threads:
            now = self.clock()
            for _ in range(len(self._waiting)):
                queue = self._waiting.popleft()
                batch = queue.take(now)
                if not queue.empty:
                    self._waiting.append(queue)
                if batch is not None:
                    return queue, batch
            earliest = min((queue.ready_at() for queue in self._waiting), default=math.inf)
            self._changed.wait(None if math.isinf(earliest) else max(0.0, earliest - now))
        return None
