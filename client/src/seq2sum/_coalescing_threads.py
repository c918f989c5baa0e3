"""Coalescing for threads. No thread runs in the background.

A caller that finds no call in flight makes its own call, as without coalescing. Others queue their
question and sleep until it is answered. The thread on which a call returns sends the next one; and
one of the sleeping callers, the watcher, wakes up when the next call is due.
"""

from __future__ import annotations

import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Protocol

from seq2sum._calls import PendingCall
from seq2sum._coalescing import Coalescing, Queue, QueuedRequest, latest_deadline
from seq2sum._deadline import Deadline
from seq2sum._errors import copy_error, deadline_exceeded, overloaded
from seq2sum._options import CallTarget
from seq2sum.addition.answers import Answer, Columns, Question
from seq2sum.addition.chunks import Chunk, encoded


class SyncTransport(Protocol):
    """The parts of `Connection` that a coalescer uses."""

    address: str

    def predict(self, chunk: Chunk, target: CallTarget, deadline: Deadline) -> Columns: ...
    def start_merged(
        self, chunk: Chunk, target: CallTarget, deadline: Deadline
    ) -> PendingCall[Columns]: ...
    def mirror(self, chunk: Chunk, target: CallTarget, answered: Columns) -> None: ...


class WaitingThread(QueuedRequest):
    """A question whose caller sleeps."""

    __slots__ = ("merged", "outcome", "signal", "watches")

    def __init__(self, *request: Any, **times: Any) -> None:
        super().__init__(*request, **times)
        # A lock that is held until the outcome is set: cheaper than an Event.
        self.signal = threading.Lock()
        self.signal.acquire()
        self.outcome: Answer | BaseException | None = None
        self.merged: MergedCall | None = None
        self.watches = False
        """Whether the caller wakes up when its delay ends, to send the call that is due."""

    def finish(self, outcome: Answer | BaseException) -> None:
        """Sets the outcome and wakes the caller."""
        self.outcome = outcome
        self.wake()

    def wake(self) -> None:
        """Makes the caller check its state; a second wake before it does changes nothing."""
        with suppress(RuntimeError):  # the lock is free already
            self.signal.release()


@dataclass(slots=True, eq=False)
class MergedCall:
    """A call for several callers."""

    callers: int
    """How many still wait for it."""
    pending: PendingCall[Columns] | None = None
    """The call, once it has started."""


class ThreadCoalescer:
    """A thread-safe queue whose callers send the merged calls."""

    def __init__(self, limits: Coalescing, transport: SyncTransport) -> None:
        self._transport = transport
        self._lock = threading.Lock()
        self._queue = Queue(limits)
        self._limits = limits
        self._watcher: WaitingThread | None = None

    def add(self, question: Question, target: CallTarget, deadline: Deadline) -> Answer:
        """Returns the answer to one question; callers with the same target may share the call.

        Raises:
            Seq2SumError: The call failed, or too many questions wait already.
        """
        request = WaitingThread(
            question,
            encoded(question),
            target,
            queued_at=time.monotonic(),
            expires_at=deadline.expires_at,
        )
        with self._lock:
            if not self._queue.add(request):
                raise overloaded(len(self._queue), self._transport.address, target.servable)
            batch = self._queue.take(request.queued_at)
            if not batch:
                self._appoint_watcher(request)
        if batch == [request]:
            return self._call_alone(request, deadline)
        if batch:
            self._send(batch)
        try:
            return self._wait(request, deadline)
        except BaseException:  # a deadline or Ctrl-C ends this caller's wait, and nobody else's
            self._abandon(request)
            raise

    def _call_alone(self, request: QueuedRequest, deadline: Deadline) -> Answer:
        try:
            chunk = Chunk([request.question], [request.encoded])
            return self._transport.predict(chunk, request.target, deadline).answers()[0]
        finally:
            self._call_ended()

    def _wait(self, request: WaitingThread, deadline: Deadline) -> Answer:
        while True:
            due = None
            if request.watches:
                due = request.queued_at + self._limits.max_delay - time.monotonic()
            woken = request.signal.acquire(timeout=_shorter(due, deadline.remaining()))
            if isinstance(request.outcome, Answer):
                return request.outcome
            if request.outcome is not None:
                raise request.outcome
            if not woken and deadline.passed():
                raise deadline_exceeded(self._transport.address, request.target.servable)
            if not woken:
                request.watches = False
                self._send_due()

    def _abandon(self, request: WaitingThread) -> None:
        with self._lock:
            self._queue.remove(request)
            merged = request.merged
            pending = None
            if merged is not None:
                merged.callers -= 1
                pending = merged.pending if not merged.callers else None
        if pending is not None:
            pending.cancel()
        self._send_due()

    def _send_due(self) -> None:
        while True:
            with self._lock:
                batch = self._queue.take(time.monotonic())
                if not batch:
                    self._appoint_watcher(None)
                    return
            self._send(batch)

    def _appoint_watcher(self, caller: WaitingThread | None) -> None:
        """Makes one sleeping caller wake up when the next call is due.

        Not all of them: needless wake-ups of threads cost more than the calls.
        """
        due = self._queue.next_due()
        current = self._watcher
        if due is None or (current is not None and current.watches and current in self._queue):
            return
        watcher: Any = due[0]
        self._watcher = watcher
        watcher.watches = True
        if watcher is not caller:
            watcher.wake()

    def _send(self, batch: list[Any]) -> None:
        merged = MergedCall(len(batch))
        chunk = Chunk([each.question for each in batch], [each.encoded for each in batch])
        with self._lock:
            for request in batch:
                request.merged = merged
        try:
            deadline = Deadline.at(latest_deadline(batch))
            pending = self._transport.start_merged(chunk, batch[0].target, deadline)
        except BaseException as error:  # noqa: BLE001 passed on to every caller
            self._fail(batch, error)
            self._call_ended()
            return
        with self._lock:
            merged.pending = pending
            abandoned = not merged.callers
        if abandoned:
            pending.cancel()
        pending.when_done(lambda: self._finish(batch, chunk, pending))

    def _finish(self, batch: list[Any], chunk: Chunk, pending: PendingCall[Columns]) -> None:
        try:
            answered = pending.result()
            answers = answered.answers()
        except BaseException as error:  # noqa: BLE001 passed on to every caller
            self._fail(batch, error)
        else:
            for request, answer in zip(batch, answers, strict=True):
                request.finish(answer)
            self._transport.mirror(chunk, batch[0].target, answered)
        finally:
            self._call_ended()

    def _fail(self, batch: list[Any], error: BaseException) -> None:
        for request in batch:
            request.finish(copy_error(error))

    def _call_ended(self) -> None:
        with self._lock:
            self._queue.call_ended()
        self._send_due()


def _shorter(*seconds: float | None) -> float:
    """Returns the shortest of the known times, for `acquire`: -1 for no limit."""
    known = [max(0.0, each) for each in seconds if each is not None]
    return min(known, default=-1)
