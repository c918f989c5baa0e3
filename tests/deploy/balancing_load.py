"""Concurrent callers of both clients of the SDK, and the result of every call."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from dataclasses import dataclass

import seq2sum
from support.caller_threads import CallerThreads

THREADS, TASKS = 4, 4
"""Concurrent callers of a `Client`, and of an `AsyncClient`."""
TIMEOUT = 30
"""Seconds. The longest wait of a test; it usually takes one or two."""
WINDOW = 60
"""Number of successive calls that are evaluated together."""


@dataclass(frozen=True, slots=True)
class Call:
    """The result of one call."""

    begin: float
    """`time.monotonic()` at its start."""
    seconds: float
    version: int | None = None
    """The version that answered, which identifies the replica; None if the call failed."""
    error: str = ""


class Load(CallerThreads):
    """Makes calls from `__enter__` to `__exit__`.

    Args:
        target: The target of both clients.
        options: Further parameters of both clients.
    """

    def __init__(self, target: str | list[str], **options) -> None:
        super().__init__()
        self.calls: list[Call] = []
        self._target, self._options = target, options

    def functions(self):
        self._client = seq2sum.Client(self._target, **self._options)
        return [self._call] * THREADS + [lambda: asyncio.run(self._call_async())]

    def close(self) -> None:
        self._client.close()

    @property
    def failed(self) -> list[Call]:
        """The calls without a correct answer."""
        return [call for call in self.calls if call.error]

    @property
    def summary(self) -> str:
        """A summary for assertion messages."""
        counts = sorted(by_version(self.calls).items())
        shares = ", ".join(f"{count} by {version}" for version, count in counts)
        errors = [call.error for call in self.failed[:3]]
        return f"{len(self.failed)} of {len(self.calls)} calls failed {errors}; answered: {shares}"

    def until_answered_by(self, *versions: int) -> None:
        """Waits until exactly these versions answer the calls of a window."""
        deadline = time.monotonic() + TIMEOUT
        while set(found := self.next_calls(WINDOW)) != set(versions):
            assert time.monotonic() < deadline, f"expected {versions}: {found}; {self.summary}"

    def next_calls(self, count: int) -> Counter:
        """Waits for further calls, and returns the number of answers by version."""
        start, deadline = len(self.calls), time.monotonic() + TIMEOUT
        while len(self.calls) < start + count:
            assert time.monotonic() < deadline, f"calls hang; {self.summary}"
            time.sleep(0.005)
        return by_version(self.calls[start : start + count])

    def _call(self) -> None:
        while not self.over.is_set():
            begin = time.monotonic()
            try:
                self._record(begin, self._client.add("4+5"))
            except seq2sum.Seq2SumError as error:
                self._record_error(begin, error)

    async def _call_async(self) -> None:
        async with seq2sum.AsyncClient(self._target, **self._options) as client:
            await asyncio.gather(*(self._call_by_task(client) for _ in range(TASKS)))

    async def _call_by_task(self, client: seq2sum.AsyncClient) -> None:
        while not self.over.is_set():
            begin = time.monotonic()
            try:
                self._record(begin, await client.add("4+5"))
            except seq2sum.Seq2SumError as error:
                self._record_error(begin, error)

    def _record(self, begin: float, answer: seq2sum.Answer) -> None:
        error = "" if answer.value == 9 else f"4+5 = {answer.text}"
        self.calls.append(Call(begin, time.monotonic() - begin, answer.version, error))

    def _record_error(self, begin: float, error: Exception) -> None:
        self.calls.append(Call(begin, time.monotonic() - begin, error=repr(error)))


def by_version(calls: list[Call]) -> Counter:
    """Returns the number of successful calls by version."""
    return Counter(call.version for call in calls if not call.error)
