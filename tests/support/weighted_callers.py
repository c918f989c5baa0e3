"""Threads that call a deployed model with its traffic weights, and check every answer."""

from __future__ import annotations

import threading
from collections import Counter

import seq2sum
from support.caller_threads import CallerThreads
from support.deployed import Deployed


class Callers(CallerThreads):
    """Threads that call with the traffic weights all the time, and count answers and failures."""

    INTERVAL = 0.02
    """Seconds between two calls of a caller: all processes share a few cores."""

    def __init__(self, deployed: Deployed, count: int = 2) -> None:
        super().__init__()
        targets = [server.target for server in deployed.servers]
        split = seq2sum.SplitFile(deployed.traffic, poll_interval=0.1)
        self._client = seq2sum.Client(targets, split=split, timeout=30)
        self._count = count
        self._lock = threading.Lock()
        self.calls = 0
        """Number of calls since the last `take_answers`."""
        self._failures: list[str] = []
        self._answers: Counter[int] = Counter()

    def functions(self):
        return [self._call] * self._count

    def close(self) -> None:
        self._client.close()

    def _call(self) -> None:
        number = 0
        while not self.over.wait(self.INTERVAL):
            number += 1
            a, b = number % 10, number // 10 % 10
            try:
                answer = self._client.add(f"{a}+{b}")
                failure = "" if answer.value == a + b else f"{a}+{b} = {answer.text}"
            except seq2sum.Seq2SumError as error:
                failure = str(error)
            with self._lock:
                self.calls += 1
                if failure:
                    self._failures.append(failure)
                else:
                    self._answers[answer.version] += 1

    def take_answers(self) -> dict[int, int]:
        """Returns the number of correct answers by version, and resets all counts.

        Raises:
            AssertionError: A call failed, or an answer was wrong.
        """
        with self._lock:
            answers, self._answers, self.calls = dict(self._answers), Counter(), 0
            failures, self._failures = self._failures, []
        assert not failures, failures[:5]
        return answers
