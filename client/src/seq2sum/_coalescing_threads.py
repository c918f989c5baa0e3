"""Coalescing for threads: each caller waits by itself, and nobody runs in the background.

A caller that finds nothing under way makes its own call, as if there were no coalescing. Any
other one leaves its question in the queue and sleeps until it is answered; whoever brings a
call back, or is woken because it waited long enough, sends the next.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from seq2sum._answers import Answer, Columns, Question
from seq2sum._chunks import Chunk, encoded
from seq2sum._coalescing import Coalesce, Place, Queue, latest
from seq2sum._deadline import Deadline
from seq2sum._errors import Seq2SumError, again
from seq2sum._how import Route


class Pending(Protocol):
    """A call under way."""

    cancel: Callable[[], bool]

    def result(self) -> Columns: ...
    def when_done(self, then: Callable[[], None]) -> None: ...


class Edge(Protocol):
    """What the connection gives: the calls themselves, and the errors of waiting."""

    def ask(self, chunk: Chunk, route: Route, deadline: Deadline) -> Columns: ...
    def begin_merged(self, chunk: Chunk, route: Route, deadline: Deadline) -> Pending: ...
    def follow(self, chunk: Chunk, route: Route, answered: Columns) -> None: ...
    def too_many(self, route: Route, waiting: int) -> Seq2SumError: ...
    def too_late(self, route: Route) -> Seq2SumError: ...


class WaitingThread(Place):
    """A question whose caller sleeps."""

    __slots__ = ("merged", "outcome", "signal")

    def __init__(self, *place: Any, **times: Any) -> None:
        super().__init__(*place, **times)
        # A lock that is held until the answer is there: a tenth of the cost of an Event.
        self.signal = threading.Lock()
        self.signal.acquire()
        self.outcome: Answer | BaseException | None = None
        self.merged: Merged | None = None

    def tell(self, outcome: Answer | BaseException) -> None:
        """Wakes the caller."""
        self.outcome = outcome
        self.signal.release()


@dataclass(slots=True, eq=False)
class Merged:
    """A call for several callers."""

    callers: list[Any]
    """Their places, in the order of the rows."""
    wanted: int
    """How many still wait for it."""
    pending: Pending | None = None
    """The call, once it has begun."""


class ThreadCoalescer:
    """The queue, safe for threads."""

    def __init__(self, limits: Coalesce, edge: Edge) -> None:
        self._edge = edge
        self._lock = threading.Lock()
        self._queue = Queue(limits)
        self._limits = limits

    def add(self, question: Question, route: Route, deadline: Deadline) -> Answer:
        """The answer to one question, by a call that it may share with others of this route.

        Raises:
            Seq2SumError: The call failed, or too many wait already.
        """
        place = WaitingThread(
            question, encoded(question), route, since=time.monotonic(), moment=deadline.moment
        )
        with self._lock:
            if not self._queue.join(place):
                raise self._edge.too_many(route, len(self._queue))
            batch = self._queue.take(place.since)
        if batch == [place]:
            return self._alone(place, deadline)
        if batch:
            self._send(batch)
        try:
            return self._awaited(place, deadline)
        except BaseException:  # the caller goes, by its deadline or by Ctrl-C: nobody else does
            self._leave(place)
            raise

    def _alone(self, place: Place, deadline: Deadline) -> Answer:
        try:
            chunk = Chunk([place.question], [place.encoded])
            return self._edge.ask(chunk, place.route, deadline).answers()[0]
        finally:
            self._ended()

    def _awaited(self, place: WaitingThread, deadline: Deadline) -> Answer:
        due = max(0.0, place.since + self._limits.delay - time.monotonic())
        remaining = deadline.remaining()
        if not place.signal.acquire(timeout=due if remaining is None else min(due, remaining)):
            self._go()
            remaining = deadline.remaining()
            if not place.signal.acquire(timeout=-1 if remaining is None else remaining):
                raise self._edge.too_late(place.route)
        if isinstance(place.outcome, Answer):
            return place.outcome
        assert place.outcome is not None  # the signal comes after the outcome
        raise place.outcome

    def _leave(self, place: WaitingThread) -> None:
        with self._lock:
            self._queue.leave(place)
            merged = place.merged
            if merged is None:
                return
            merged.wanted -= 1
            pending = merged.pending if not merged.wanted else None
        if pending is not None:
            pending.cancel()

    def _go(self) -> None:
        """Sends what may go now."""
        while True:
            with self._lock:
                batch = self._queue.take(time.monotonic())
            if not batch:
                return
            self._send(batch)

    def _send(self, batch: list[Any]) -> None:
        merged = Merged(batch, len(batch))
        chunk = Chunk([place.question for place in batch], [place.encoded for place in batch])
        with self._lock:
            for place in batch:
                place.merged = merged
        try:
            deadline = Deadline.at(latest(batch))
            pending = self._edge.begin_merged(chunk, batch[0].route, deadline)
        except BaseException as error:  # noqa: BLE001 each caller is told, whatever it is
            self._tell(batch, error)
            self._ended()
            return
        with self._lock:
            merged.pending = pending
            unwanted = not merged.wanted
        if unwanted:
            pending.cancel()
        pending.when_done(lambda: self._came_back(batch, chunk, pending))

    def _came_back(self, batch: list[Any], chunk: Chunk, pending: Pending) -> None:
        try:
            answered = pending.result()
            answers = answered.answers()
        except BaseException as error:  # noqa: BLE001 each caller is told, whatever it is
            self._tell(batch, error)
        else:
            for place, answer in zip(batch, answers, strict=True):
                place.tell(answer)
            self._edge.follow(chunk, batch[0].route, answered)
        finally:
            self._ended()

    def _tell(self, batch: list[Any], error: BaseException) -> None:
        for place in batch:
            place.tell(again(error))

    def _ended(self) -> None:
        with self._lock:
            self._queue.ended()
        self._go()
