"""Threads that do what the manager decided, or the manager's own thread if there are none."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

log = logging.getLogger(__name__)


class Workers:
    """A pool that may be resized; with no threads at all, the caller does the work."""

    def __init__(self, name: str, count: int) -> None:
        self._name = name
        self._lock = threading.Lock()
        self._pool = self._make(count)

    def run(self, work: Callable[[], None]) -> None:
        """Does it: at once if there are no threads, else when one is free."""
        with self._lock:
            pool = self._pool
            if pool is not None:
                pool.submit(work).add_done_callback(_tell)
        if pool is None:
            work()

    def resize(self, count: int) -> None:
        """Makes it that many threads; waits until the old ones have done all they were given."""
        with self._lock:
            before, self._pool = self._pool, self._make(count)
        if before is not None:
            before.shutdown(wait=True)

    def _make(self, count: int) -> ThreadPoolExecutor | None:
        return ThreadPoolExecutor(count, self._name) if count > 0 else None


def _tell(done: Future[None]) -> None:
    """A load that fails ends in a state; anything else that is raised here is a bug."""
    if not done.cancelled() and done.exception():
        log.error("a servable's load or unload broke off", exc_info=done.exception())
