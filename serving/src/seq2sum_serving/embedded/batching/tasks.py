"""What waits in a queue: one request, or a piece of one, and whoever waits for its answer."""

from __future__ import annotations

import math
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from seq2sum_serving.embedded.batching import rows
from seq2sum_serving.embedded.errors import Code, ServingError

Outputs = list[NDArray[Any]]
"""One array for each fetch."""
Outcome = Outputs | Exception


class SplitTask:
    """Collects the outcomes of the pieces of one request. Safe to use from any thread.

    Pieces may run at once and end in any order; the first error is the answer.
    """

    __slots__ = ("_failed", "_left", "_outputs", "receiver")

    def __init__(self, receiver: Receiver, pieces: int) -> None:
        self.receiver = receiver
        self._outputs: list[Outputs | None] = [None] * pieces
        self._left = iter(range(pieces - 1, -1, -1))
        self._failed: list[Exception] = []

    def add(self, place: int, outcome: Outcome) -> Outcome | None:
        """The outcome of the whole request, when this was the last piece."""
        if isinstance(outcome, Exception):
            self._failed.append(outcome)
        else:
            self._outputs[place] = outcome
        if next(self._left):  # one step of a built-in iterator, which threads cannot split
            return None
        if self._failed:
            return self._failed[0]
        try:
            return rows.join_outputs([outputs for outputs in self._outputs if outputs is not None])
        except ValueError as error:  # an output as wide as the batch's longest row, perhaps
            return ServingError(Code.INTERNAL, f"Tensor concat operation failed: {error}")


@dataclass(frozen=True, slots=True)
class TaskPiece:
    """Waits for one piece of a request."""

    split: SplitTask
    place: int


Receiver = Future[Outputs] | TaskPiece
"""Whoever gets the answer: a thread, or a request in pieces."""


@dataclass(slots=True, eq=False)
class Task:
    """A request that waits, or a piece of one."""

    feeds: rows.Feeds
    """Arrays by tensor name; all have the same number of rows."""
    fetches: Sequence[str]
    """Names of the tensors wanted."""
    size: int
    """Rows."""
    enqueued: float
    """When it came in, on the scheduler's clock, in seconds."""
    receiver: Receiver
    timeout: float = math.inf
    """Seconds after which nobody waits for it any more, from when it came in."""

    @property
    def deadline(self) -> float:
        """When nobody waits for it any more, on the scheduler's clock."""
        return self.enqueued + self.timeout

    def split(self, sizes: Sequence[int]) -> list[Task]:
        """Pieces of so many rows, which together answer whoever waits for this task."""
        split = SplitTask(self.receiver, len(sizes))
        return [
            Task(feeds, self.fetches, size, self.enqueued, TaskPiece(split, place), self.timeout)
            for place, (feeds, size) in enumerate(
                zip(rows.split_inputs(self.feeds, sizes), sizes, strict=True)
            )
        ]


def deliver(receiver: Receiver, outcome: Outcome) -> None:
    """Gives whoever waited the outcome; a piece's is kept until the last one is there."""
    if isinstance(receiver, TaskPiece):
        whole = receiver.split.add(receiver.place, outcome)
        if whole is not None:
            deliver(receiver.split.receiver, whole)
    elif isinstance(outcome, ServingError):
        # One for each: an exception carries the traceback of whoever raises it.
        receiver.set_exception(ServingError(outcome.code, outcome.message))
    elif isinstance(outcome, Exception):
        receiver.set_exception(outcome)
    else:
        receiver.set_result(outcome)
