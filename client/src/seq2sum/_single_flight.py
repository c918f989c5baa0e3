"""One fetch for all concurrent callers that need the same value."""

from __future__ import annotations

import asyncio
import concurrent.futures
import threading
from collections.abc import Awaitable, Callable, Hashable
from typing import Generic, TypeVar

from seq2sum._deadline import Deadline
from seq2sum._errors import (
    ModelNotFound,
    Overloaded,
    Seq2SumError,
    Unavailable,
    VersionNotFound,
    copy_error,
)

Value = TypeVar("Value")

SHARED = (ModelNotFound, Overloaded, Unavailable, VersionNotFound)
"""Errors that every caller would get. Others, like an expired deadline, may be due to the options
of the caller that fetches, so the next caller tries again."""


class ThreadFlights(Generic[Value]):
    """The fetches of threads that are in progress, by key."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._flights: dict[Hashable, concurrent.futures.Future[Value | Seq2SumError | None]] = {}

    def join(self, key: Hashable, fetch: Callable[[], Value], deadline: Deadline) -> Value | None:
        """Returns the value of the fetch in progress, or calls `fetch` if there is none.

        Returns:
            The value; None if another caller's fetch takes longer than this deadline.

        Raises:
            Seq2SumError: The fetch failed.
        """
        while True:
            with self._lock:
                flight = self._flights.get(key)
                leads = flight is None
                if flight is None:
                    flight = self._flights[key] = concurrent.futures.Future()
            if leads:
                return self._lead(key, flight, fetch)
            done, _ = concurrent.futures.wait([flight], deadline.remaining())
            if not done:
                return None
            if (value := _shared(flight.result())) is not None:
                return value

    def _lead(
        self,
        key: Hashable,
        flight: concurrent.futures.Future[Value | Seq2SumError | None],
        fetch: Callable[[], Value],
    ) -> Value:
        outcome: Value | Seq2SumError | None = None
        try:
            outcome = value = fetch()
        except Seq2SumError as error:
            outcome = error
            raise
        else:
            return value
        finally:
            with self._lock:
                del self._flights[key]
            flight.set_result(outcome)


class TaskFlights(Generic[Value]):
    """The fetches of tasks that are in progress, by key."""

    def __init__(self) -> None:
        self._flights: dict[Hashable, asyncio.Future[Value | Seq2SumError | None]] = {}

    async def join(
        self, key: Hashable, fetch: Callable[[], Awaitable[Value]], deadline: Deadline
    ) -> Value | None:
        """Returns the value of the fetch in progress, as `ThreadFlights.join` does."""
        loop = asyncio.get_running_loop()
        while True:
            flight = self._flights.get(key)
            if flight is None or flight.get_loop() is not loop:  # its loop ended before the fetch
                return await self._lead(key, loop.create_future(), fetch)
            done, _ = await asyncio.wait([flight], timeout=deadline.remaining())
            if not done:
                return None
            if (value := _shared(flight.result())) is not None:
                return value

    async def _lead(
        self,
        key: Hashable,
        flight: asyncio.Future[Value | Seq2SumError | None],
        fetch: Callable[[], Awaitable[Value]],
    ) -> Value:
        self._flights[key] = flight
        outcome: Value | Seq2SumError | None = None
        try:
            outcome = value = await fetch()
        except Seq2SumError as error:
            outcome = error
            raise
        else:
            return value
        finally:  # also if this caller is cancelled: then the next one fetches
            if self._flights.get(key) is flight:
                del self._flights[key]
            if not flight.done():
                flight.set_result(outcome)


def _shared(outcome: Value | Seq2SumError | None) -> Value | None:
    """Returns the value of another caller's fetch; None if this caller has to fetch it again."""
    if isinstance(outcome, SHARED):
        raise copy_error(outcome)
    return None if isinstance(outcome, Seq2SumError) else outcome
