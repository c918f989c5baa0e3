"""How many calls may run at once."""

from __future__ import annotations

import threading

from seq2sum_serving.embedded.errors import Code, ServingError


class ThreadQuota:
    """Threads for calls, as gRPC's own server in C++ shares them out. Safe to use from any thread.

    There one thread always waits for the next call. A call that takes the last one is refused,
    since nobody would be left to wait: of `threads` one less can run, and of one thread none.
    """

    def __init__(self, threads: int) -> None:
        self._most = threads - 1
        self._running = 0
        self._lock = threading.Lock()

    def __enter__(self) -> None:
        """Begins a call; raises ServingError if there is no thread for it."""
        with self._lock:
            if self._running >= self._most:
                raise ServingError(Code.RESOURCE_EXHAUSTED, "Server Threadpool Exhausted")
            self._running += 1

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._running -= 1
