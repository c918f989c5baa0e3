"""Callers who ask all the time, with both clients of the SDK; what came of every call."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from dataclasses import dataclass

import seq2sum
from support.caller_threads import CallerThreads

THREADS, TASKS = 4, 4
"""Callers of a `Client`, and of an `AsyncClient`."""
LONGEST = 30
"""Seconds that anything may take here; it takes one or two."""
ENOUGH = 60
"""Calls that are looked at together."""


@dataclass(frozen=True, slots=True)
class Call:
    """One call and its end."""

    begin: float
    """By `time.monotonic`."""
    seconds: float
    version: int | None = None
    """The one that answered; None if none did. Each replica serves a version of its own."""
    error: str = ""
    """Why there was no answer."""


class Load(CallerThreads):
    """They ask from `__enter__` to `__exit__`; what failed is told then.

    Args:
        target: Whom they ask.
        options: Of both clients.
    """

    def __init__(self, target: str | list[str], **options) -> None:
        super().__init__()
        self.calls: list[Call] = []
        self._target, self._options = target, options

    def works(self):
        self._client = seq2sum.Client(self._target, **self._options)
        return [self._ask] * THREADS + [lambda: asyncio.run(self._ask_async())]

    def close(self) -> None:
        self._client.close()

    @property
    def failed(self) -> list[Call]:
        """The calls that brought no answer."""
        return [call for call in self.calls if call.error]

    @property
    def told(self) -> str:
        """For messages of assertions."""
        shares = ", ".join(f"{n} by {who}" for who, n in sorted(answers(self.calls).items()))
        first = [call.error for call in self.failed[:3]]
        return f"{len(self.failed)} of {len(self.calls)} calls failed {first}; answered: {shares}"

    def until_answered_by(self, *versions: int, seconds: float = LONGEST) -> float:
        """Waits until these and no other answer `ENOUGH` calls; gives back what it took."""
        began = time.monotonic()
        while True:
            seen = self.some(ENOUGH)
            if set(seen) == set(versions):
                return time.monotonic() - began
            assert time.monotonic() < began + seconds, f"{versions} wanted, {seen}; {self.told}"

    def some(self, count: int) -> Counter:
        """The next calls, by the version that answered them."""
        before, deadline = len(self.calls), time.monotonic() + LONGEST
        while len(self.calls) < before + count:
            assert time.monotonic() < deadline, f"callers wait; {self.told}"
            time.sleep(0.005)
        return answers(self.calls[before : before + count])

    def _ask(self) -> None:
        while not self.over.is_set():
            begin = time.monotonic()
            try:
                self._right(begin, self._client.add("4+5"))
            except seq2sum.Seq2SumError as error:
                self._wrong(begin, error)

    async def _ask_async(self) -> None:
        async with seq2sum.AsyncClient(self._target, **self._options) as client:
            await asyncio.gather(*(self._ask_by_task(client) for _ in range(TASKS)))

    async def _ask_by_task(self, client: seq2sum.AsyncClient) -> None:
        while not self.over.is_set():
            begin = time.monotonic()
            try:
                self._right(begin, await client.add("4+5"))
            except seq2sum.Seq2SumError as error:
                self._wrong(begin, error)

    def _right(self, begin: float, answer: seq2sum.Answer) -> None:
        error = "" if answer.value == 9 else f"4+5 = {answer.text}"
        self.calls.append(Call(begin, time.monotonic() - begin, answer.version, error))

    def _wrong(self, begin: float, error: Exception) -> None:
        self.calls.append(Call(begin, time.monotonic() - begin, error=repr(error)))


def answers(calls: list[Call]) -> Counter:
    """How many were answered by each version; failures are nobody's."""
    return Counter(call.version for call in calls if not call.error)
