"""Runs the loads and unloads that the manager starts."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

log = logging.getLogger(__name__)


class ResizableExecutor:
    """A thread pool that can be resized; with 0 threads, work runs in the calling thread."""

    def __init__(self, thread_name: str, threads: int) -> None:
        self._thread_name = thread_name
        self._lock = threading.Lock()
        self._pool = self._new_pool(threads)

    def run(self, work: Callable[[], None]) -> None:
        """Runs work in the pool, or in the calling thread if the pool has 0 threads."""
        with self._lock:
            pool = self._pool
            if pool is not None:
                pool.submit(work).add_done_callback(_log_exception)
        if pool is None:
            work()

    def resize(self, threads: int) -> None:
        """Sets the number of threads, and waits for the work submitted before."""
        with self._lock:
            before, self._pool = self._pool, self._new_pool(threads)
        if before is not None:
            before.shutdown(wait=True)

    def _new_pool(self, threads: int) -> ThreadPoolExecutor | None:
        return ThreadPoolExecutor(threads, self._thread_name) if threads > 0 else None


def _log_exception(done: Future[None]) -> None:
    """Logs an unexpected exception; a load that fails ends in a state instead."""
    if not done.cancelled() and done.exception():
        log.error("loading or unloading a servable failed", exc_info=done.exception())
