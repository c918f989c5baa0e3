"""Slots for the calls in flight on one connection: a given number, or as many as the server takes.

tensorflow_model_server has 4 threads for each of its CPUs by default, and refuses the calls for
which it has none. One that batches needs many calls in flight, and more threads. A client cannot
ask how many there are. So without a given number, the limit starts low and grows by one for each
answer while callers wait, until the server refuses a call; that call is sent again.
"""

from __future__ import annotations

import asyncio
import threading
from collections import deque

INITIAL, LARGEST = 8, 64
"""The bounds of a limit that grows."""
ANSWERS_AFTER_REFUSAL = 10_000
"""Answers before the limit grows again: the server may have more free threads by then."""
EXHAUSTED = "Server Threadpool Exhausted"
"""The text of a server without a free thread (gRPC's src/cpp/server/server_cc.cc)."""


class Limit:
    """The limit of calls in flight. No I/O, and no locks.

    Args:
        fixed: The limit; None for one that grows.
    """

    def __init__(self, fixed: int | None) -> None:
        self._limit = INITIAL if fixed is None else fixed
        self._grows = fixed is None
        self._in_flight = 0
        self._answers_before_growth = 0

    def refused(self, error: Exception | None) -> bool:
        """Lowers the limit if the server had no thread for a call, which still has its slot.

        Args:
            error: The error of the call, of this package or of gRPC; None for none.

        Returns:
            Whether to send the call again: the server has not processed it.
        """
        if not self._grows or error is None or EXHAUSTED not in str(error):
            return False
        self._limit = max(1, min(self._limit, self._in_flight - 1))
        self._answers_before_growth = ANSWERS_AFTER_REFUSAL
        return True

    def _answered(self) -> None:
        """Counts an answered call while others wait; the limit may grow by one."""
        if self._answers_before_growth:
            self._answers_before_growth -= 1
        elif self._grows and self._limit < LARGEST:
            self._limit += 1


class ThreadSlots(Limit):
    """The slots of a connection that threads share."""

    def __init__(self, fixed: int | None) -> None:
        super().__init__(fixed)
        self._lock = threading.Lock()
        self._free = threading.Condition(self._lock)
        self._waiting = 0

    def acquire(self, seconds: float | None) -> bool:
        """Takes a slot, once one is free; returns False if none is in time."""
        with self._lock:
            if self._in_flight >= self._limit and not self._wait(seconds):
                return False
            self._in_flight += 1
            return True

    def release(self) -> None:
        """Frees a slot."""
        with self._lock:
            self._in_flight -= 1
            if self._waiting:
                self._answered()
                self._free.notify(max(0, self._limit - self._in_flight))

    def refused(self, error: Exception | None) -> bool:
        """Lowers the limit as `Limit.refused` does."""
        with self._lock:
            return super().refused(error)

    def _wait(self, seconds: float | None) -> bool:
        self._waiting += 1
        try:
            return self._free.wait_for(lambda: self._in_flight < self._limit, seconds)
        finally:
            self._waiting -= 1


class TaskSlots(Limit):
    """The slots of a connection that the tasks of an event loop share, in order of arrival."""

    def __init__(self, fixed: int | None) -> None:
        super().__init__(fixed)
        self._waiting: deque[asyncio.Future[bool]] = deque()

    def take(self) -> bool:
        """Takes a slot if one is free: that costs less than a coroutine."""
        if self._in_flight >= self._limit:
            return False
        self._in_flight += 1
        return True

    async def wait(self, seconds: float | None) -> bool:
        """Takes a slot, once one is free; returns False if none is in time."""
        loop = asyncio.get_running_loop()
        taken: asyncio.Future[bool] = loop.create_future()
        self._waiting.append(taken)
        expiry = None if seconds is None else loop.call_later(seconds, _settle, taken, False)
        try:
            return await taken
        except asyncio.CancelledError:
            if not taken.cancelled() and taken.result():  # cancelled just after it had a slot
                self.release()
            raise
        finally:
            if expiry is not None:
                expiry.cancel()

    def release(self) -> None:
        """Frees a slot."""
        self._in_flight -= 1
        if self._waiting:
            self._answered()
        while self._waiting and self._in_flight < self._limit:
            if _settle(self._waiting.popleft(), True):
                self._in_flight += 1


def _settle(taken: asyncio.Future[bool], outcome: bool) -> bool:
    """Sets the outcome of waiting; returns whether the caller still waited."""
    if taken.done():
        return False
    taken.set_result(outcome)
    return True
