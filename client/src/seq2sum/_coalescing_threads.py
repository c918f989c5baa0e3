"""Coalescing for threads: each caller waits by itself, and nobody runs in the background.

A caller that finds nothing under way makes its own call, as if there were no coalescing. Any
other one leaves its question in the queue and sleeps until it is answered. Whoever brings a call
back sends the next; and one of those who sleep, the watcher, wakes when a call is due.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Protocol

from seq2sum._coalescing import Coalesce, Place, Queue, latest
from seq2sum._deadline import Deadline
from seq2sum._errors import Seq2SumError, again
from seq2sum._how import Route
from seq2sum.addition.answers import Answer, Columns, Question
from seq2sum.addition.chunks import Chunk, encoded


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

    __slots__ = ("merged", "outcome", "signal", "watches")

    def __init__(self, *place: Any, **times: Any) -> None:
        super().__init__(*place, **times)
        # A lock that is held until the answer is there: it costs less than an Event.
        self.signal = threading.Lock()
        self.signal.acquire()
        self.outcome: Answer | BaseException | None = None
        self.merged: Merged | None = None
        self.watches = False
        """Whether it wakes when its delay is over, to send what is due."""

    def tell(self, outcome: Answer | BaseException) -> None:
        """Wakes the caller."""
        self.outcome = outcome
        self.wake()

    def wake(self) -> None:
        """Lets the caller look again; one that was woken and has not looked yet will see all."""
        with suppress(RuntimeError):  # the lock is free already
            self.signal.release()


@dataclass(slots=True, eq=False)
class Merged:
    """A call for several callers."""

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
        self._watcher: WaitingThread | None = None

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
            if not batch:
                self._appoint_watcher(place)
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
        while True:
            due = place.since + self._limits.delay - time.monotonic() if place.watches else None
            woken = place.signal.acquire(timeout=_sooner(due, deadline.remaining()))
            if isinstance(place.outcome, Answer):
                return place.outcome
            if place.outcome is not None:
                raise place.outcome
            if not woken and deadline.passed():
                raise self._edge.too_late(place.route)
            if not woken:
                place.watches = False
                self._go()

    def _leave(self, place: WaitingThread) -> None:
        with self._lock:
            self._queue.leave(place)
            merged = place.merged
            pending = None
            if merged is not None:
                merged.wanted -= 1
                pending = merged.pending if not merged.wanted else None
        if pending is not None:
            pending.cancel()
        self._go()

    def _go(self) -> None:
        """Sends what may go now."""
        while True:
            with self._lock:
                batch = self._queue.take(time.monotonic())
                if not batch:
                    self._appoint_watcher(None)
                    return
            self._send(batch)

    def _appoint_watcher(self, caller: WaitingThread | None) -> None:
        """Lets one of those who wait, and no more, wake up when the next call is due.

        All of them could, but threads that wake for nothing cost more than the calls do.
        """
        due = self._queue.next_due()
        known = self._watcher
        if due is None or (known is not None and known.watches and known in self._queue):
            return
        watcher: Any = due[0]
        self._watcher = watcher
        watcher.watches = True
        if watcher is not caller:
            watcher.wake()

    def _send(self, batch: list[Any]) -> None:
        merged = Merged(len(batch))
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


def _sooner(*seconds: float | None) -> float:
    """The shortest of the times that there are, as `acquire` takes it: -1 for no limit."""
    known = [max(0.0, each) for each in seconds if each is not None]
    return min(known, default=-1)
