"""Callers that ask all the time while servers and certificates change under them."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable

import seq2sum
from support.caller_threads import CallerThreads

LONGEST = 90
"""Seconds that anything may take here, on a machine that is busy; it takes one or two."""


class Callers(CallerThreads):
    """They ask by the client of the moment; what fails is kept."""

    PAUSE = 0.02
    """Between two calls of a caller: there are two cores for everything."""

    def __init__(self, connect: Callable[[], seq2sum.Client], callers: int = 2) -> None:
        super().__init__()
        self._connect = connect
        self._count = callers
        self._client = connect()
        self._old: list[seq2sum.Client] = []
        self._lock = threading.Lock()
        self.answers: Counter[int] = Counter()
        """By the version that gave them."""
        self.failures: list[str] = []

    def works(self):
        return [self._ask] * self._count

    def close(self) -> None:
        for client in (*self._old, self._client):
            client.close()

    def connect_anew(self) -> None:
        """Reads the files again: a new client takes over, and the old one's calls end by itself."""
        self._old.append(self._client)
        self._client = self._connect()

    def until_answered_by(self, *versions: int, calls: int = 5) -> None:
        """Waits until each of these has answered so many further calls.

        Raises:
            AssertionError: One does not.
        """
        before, deadline = self.answers.copy(), time.monotonic() + LONGEST
        while not all(self.answers[each] >= before[each] + calls for each in versions):
            assert time.monotonic() < deadline, f"{self.answers - before}; {self.failures[-3:]}"
            time.sleep(0.01)

    def _ask(self) -> None:
        while not self.over.wait(self.PAUSE):
            try:
                answer = self._client.add("3+4")
                failure = "" if answer.value == 7 else f"3+4 = {answer.text}"
            except seq2sum.Seq2SumError as error:
                failure = str(error)
            with self._lock:
                if failure:
                    self.failures.append(failure)
                else:
                    self.answers[answer.version] += 1
