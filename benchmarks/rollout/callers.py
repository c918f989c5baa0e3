"""Threads that call the servers as an application does: through the client and its split.

Each call sends one question, with one of a thousand users as its key, and is recorded. The client
does not retry, so that every failure shows.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import seq2sum
from seq2sum import golden
from support.caller_threads import CallerThreads

from benchmarks.rollout.calls import Call
from benchmarks.rollout.deployment import Deployment

THREADS = 8
USERS = 1000
RELOAD_SECONDS = 0.25
"""Interval at which the traffic split is reloaded: a rollout step takes seconds here."""


class Callers(CallerThreads):
    """Eight threads that share a client, and send calls while the `with` block is open.

    Args:
        deployment: The servers to call.
        version: A version's folder; its golden requests are sent.
    """

    def __init__(self, deployment: Deployment, version: Path) -> None:
        super().__init__()
        self.calls: list[Call] = []
        """Calls in the order in which they finished; appending needs no lock."""
        self.start = time.time()
        requests = golden.read(version / "assets.extra" / golden.FILE_NAME)
        self._questions = [
            (request.inputs["questions"][0], request.expect["answers"][0])
            for request in requests
            if "status" not in request.expect  # the others are refused
        ]
        self._client = seq2sum.Client(
            list(deployment.targets),
            split=seq2sum.SplitFile(deployment.traffic, poll_interval=RELOAD_SECONDS),
            retry=seq2sum.Retry(max_attempts=1),
        )

    def functions(self) -> Sequence[Callable[[], object]]:
        """Returns the function of each thread."""
        return [partial(self._call, random.Random(number)) for number in range(THREADS)]

    def close(self) -> None:
        """Closes the client."""
        self._client.close()

    @property
    def running(self) -> bool:
        """Whether calls are still being sent."""
        return not self.over.is_set()

    def _call(self, rng: random.Random) -> None:
        while self.running:
            question, expected = rng.choice(self._questions)
            user = f"user {rng.randrange(USERS)}"
            start = time.time()
            try:
                answer = self._client.add(question, key=user)
            except Exception as error:  # noqa: BLE001 any error is a failed call
                self.calls.append(Call(start, time.time(), error=repr(error)))
            else:
                correct = answer.text == expected
                self.calls.append(Call(start, time.time(), answer.version, correct))
