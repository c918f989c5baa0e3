"""Coalescing for asyncio: the questions of one iteration of the event loop share a call.

Calls are sent at the end of the iteration. That costs a lone question nothing, and a thousand tasks
that were started together share one call.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Coroutine
from typing import Any, Protocol

from seq2sum._coalescing import Coalescing, Queue, QueuedRequest, latest_deadline
from seq2sum._deadline import Deadline
from seq2sum._errors import CallError, client_closed, copy_error, deadline_exceeded, overloaded
from seq2sum._options import CallTarget
from seq2sum.addition.answers import Answer, Columns, Question
from seq2sum.addition.chunks import Chunk, encoded


class AsyncTransport(Protocol):
    """The parts of `AsyncConnection` that a coalescer uses."""

    address: str

    def predict_merged(
        self, chunk: Chunk, target: CallTarget, deadline: Deadline
    ) -> Coroutine[Any, Any, Columns]: ...


class WaitingTask(QueuedRequest):
    """A question whose task waits."""

    __slots__ = ("future", "merged")

    def __init__(self, future: asyncio.Future[Answer], *request: Any, **times: Any) -> None:
        super().__init__(*request, **times)
        self.future = future
        self.merged: asyncio.Task[Columns] | None = None


class TaskCoalescer:
    """The queue of one event loop."""

    def __init__(self, limits: Coalescing, transport: AsyncTransport) -> None:
        self._transport = transport
        self._queue = Queue(limits)
        self._loop = asyncio.get_running_loop()
        self._end_of_iteration: asyncio.Handle | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._callers: dict[asyncio.Task[Columns], int] = {}
        """Calls in flight, and how many callers still wait for each."""

    async def add(self, question: Question, target: CallTarget, deadline: Deadline) -> Answer:
        """Returns the answer to one question; other questions for its target may share the call.

        Raises:
            Seq2SumError: The call failed, or too many questions are already waiting.
        """
        future: asyncio.Future[Answer] = self._loop.create_future()
        request = WaitingTask(
            future,
            question,
            encoded(question),
            target,
            queued_at=time.monotonic(),
            expires_at=deadline.expires_at,
        )
        if not self._queue.add(request):
            raise overloaded(len(self._queue), self._transport.address, target.servable)
        if self._end_of_iteration is None:
            self._end_of_iteration = self._loop.call_soon(self._send_due)
        remaining = deadline.remaining()
        expiry = None
        if remaining is not None:
            expiry = self._loop.call_later(remaining, self._expire, request)
        try:
            return await future
        except BaseException:
            self._abandon(request)
            raise
        finally:
            if expiry is not None:
                expiry.cancel()

    async def close(self) -> None:
        """Cancels the calls in flight and fails the requests that wait."""
        requests: list[Any] = self._queue.drain()
        for request in requests:
            if not request.future.done():
                request.future.set_exception(self._closed(request))
        for task in self._callers:
            task.cancel()
        if self._callers:
            await asyncio.wait(self._callers)

    def _closed(self, request: WaitingTask) -> CallError:
        return client_closed(self._transport.address, request.target.servable)

    def _expire(self, request: WaitingTask) -> None:
        if not request.future.done():
            error = deadline_exceeded(self._transport.address, request.target.servable)
            request.future.set_exception(error)

    def _abandon(self, request: WaitingTask) -> None:
        self._queue.remove(request)
        if request.merged is None or request.merged not in self._callers:
            return
        self._callers[request.merged] -= 1
        if not self._callers[request.merged]:
            request.merged.cancel()

    def _send_due(self) -> None:
        """Sends the calls that are due, and schedules itself for the next one."""
        self._end_of_iteration = None
        while batch := self._queue.take(time.monotonic()):
            self._send(batch)
        if self._timer is not None:
            self._timer.cancel()
        due = self._queue.next_due()
        wait = None if due is None else max(0.0, due[1] - time.monotonic())
        self._timer = None if wait is None else self._loop.call_later(wait, self._send_due)

    def _send(self, batch: list[Any]) -> None:
        chunk = Chunk([each.question for each in batch], [each.encoded for each in batch])
        deadline = Deadline.at(latest_deadline(batch))
        call = self._transport.predict_merged(chunk, batch[0].target, deadline)
        task = self._loop.create_task(call)
        self._callers[task] = len(batch)
        for request in batch:
            request.merged = task
        # Not in the task itself: a task that is cancelled before it starts runs no `finally`.
        task.add_done_callback(lambda task: self._finish(batch, task))

    def _finish(self, batch: list[Any], task: asyncio.Task[Columns]) -> None:
        del self._callers[task]
        self._queue.call_ended()
        self._send_due()
        waiting = [(row, request) for row, request in enumerate(batch) if not request.future.done()]
        try:
            answers = task.result().answers()
        except asyncio.CancelledError:  # by `close`; `_abandon` cancels only calls without callers
            for _, request in waiting:
                request.future.set_exception(self._closed(request))
        except BaseException as error:  # noqa: BLE001 passed on to every caller
            for _, request in waiting:
                request.future.set_exception(copy_error(error))
        else:
            for row, request in waiting:
                request.future.set_result(answers[row])
