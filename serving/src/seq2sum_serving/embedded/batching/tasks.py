"""Tasks in a queue: requests or pieces of requests, and the receivers of their outcomes."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from seq2sum_serving.embedded.batching import rows
from seq2sum_serving.embedded.errors import Code, ServingError

Outputs = list[NDArray[Any]]
"""An array for each fetch."""
Outcome = Outputs | Exception


class SplitTask:
    """Collects the outcomes of the pieces of a task. Safe to use from any thread.

    Pieces may run at the same time and end in any order. The first error is the outcome.
    """

    __slots__ = ("_errors", "_left", "_outputs", "receiver")

    def __init__(self, receiver: Receiver, pieces: int) -> None:
        self.receiver = receiver
        self._outputs: list[Outputs | None] = [None] * pieces
        self._left = iter(range(pieces - 1, -1, -1))
        self._errors: list[Exception] = []

    def add(self, index: int, outcome: Outcome) -> Outcome | None:
        """Adds the outcome of a piece; returns that of the whole task after the last piece."""
        if isinstance(outcome, Exception):
            self._errors.append(outcome)
        else:
            self._outputs[index] = outcome
        if next(self._left):  # a step of a built-in iterator is atomic
            return None
        if self._errors:
            return self._errors[0]
        try:
            return rows.join_outputs([outputs for outputs in self._outputs if outputs is not None])
        except ValueError as error:  # for example, each is padded to the longest row of its batch
            return ServingError(Code.INTERNAL, f"Tensor concat operation failed: {error}")


@dataclass(frozen=True, slots=True)
class TaskPiece:
    """Receives the outcome of a piece of a task."""

    whole: SplitTask
    index: int


Receiver = Callable[[Outcome], None] | TaskPiece
"""Receives an outcome, which is the task's own, or that of a piece of it."""


@dataclass(slots=True, eq=False)
class Task:
    """A request that waits, or a piece of it."""

    feeds: rows.Feeds
    """Arrays by tensor name, all with the same number of rows."""
    fetches: Sequence[str]
    """Names of the tensors to return."""
    size: int
    """Number of rows."""
    enqueued: float
    """Time of arrival in seconds, on the scheduler's clock."""
    receiver: Receiver
    timeout: float = math.inf
    """Seconds from arrival after which the caller no longer waits."""

    @property
    def deadline(self) -> float:
        """Time from which the caller no longer waits, on the scheduler's clock."""
        return self.enqueued + self.timeout

    def split(self, sizes: Sequence[int]) -> list[Task]:
        """Returns pieces of these numbers of rows, which together produce this task's outcome."""
        whole = SplitTask(self.receiver, len(sizes))
        return [
            Task(feeds, self.fetches, size, self.enqueued, TaskPiece(whole, index), self.timeout)
            for index, (feeds, size) in enumerate(
                zip(rows.split_inputs(self.feeds, sizes), sizes, strict=True)
            )
        ]


def deliver(receiver: Receiver, outcome: Outcome) -> None:
    """Passes an outcome to its receiver; a split task is complete with its last piece."""
    if isinstance(receiver, TaskPiece):
        whole = receiver.whole.add(receiver.index, outcome)
        if whole is not None:
            deliver(receiver.whole.receiver, whole)
    elif isinstance(outcome, ServingError):
        # A copy for each receiver: an exception keeps the traceback of the thread that raises it.
        receiver(ServingError(outcome.code, outcome.message))
    else:
        receiver(outcome)


def complete(future: Future[Outputs], outcome: Outcome) -> None:
    """Passes an outcome to a future."""
    if isinstance(outcome, Exception):
        future.set_exception(outcome)
    else:
        future.set_result(outcome)
