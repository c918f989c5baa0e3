"""Coalescing for asyncio: the requests of one iteration of the event loop share a call.

Calls are sent at the end of the iteration. That costs a lone request nothing, and a thousand tasks
that were started together share one call.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Coroutine
from typing import Any, Protocol

from seq2sum._calls import CallFactory
from seq2sum._coalescing import Coalescing, Queue, QueuedRequest, Request, latest_deadline
from seq2sum._deadline import Deadline
from seq2sum._errors import CallError, client_closed, copy_error, deadline_exceeded, overloaded
from seq2sum._options import CallTarget


class AsyncTransport(Protocol):
    """The parts of `AsyncConnection` that a coalescer uses."""

    address: str

    def call_unbounded(
        self, make: CallFactory[Any], target: CallTarget, deadline: Deadline
    ) -> Coroutine[Any, Any, Any]: ...


class WaitingTask(QueuedRequest):
    """A request whose task waits."""

    __slots__ = ("future", "merged")

    def __init__(self, future: asyncio.Future[Any], *request: Any, **times: Any) -> None:
        super().__init__(*request, **times)
        self.future = future
        self.merged: asyncio.Task[Any] | None = None


class TaskCoalescer:
    """The queue of one event loop."""

    def __init__(self, limits: Coalescing, transport: AsyncTransport) -> None:
        self._transport = transport
        self._queue = Queue(limits)
        self._loop = asyncio.get_running_loop()
        self._end_of_iteration: asyncio.Handle | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._callers: dict[asyncio.Task[Any], int] = {}
        """Calls in flight, and how many callers still wait for each."""

    async def submit(self, content: Request, target: CallTarget, deadline: Deadline) -> Any:
        """Returns the result of one request, by a call that others of its group may share.

        Raises:
            Seq2SumError: The call failed, or too many requests are already waiting.
        """
        future: asyncio.Future[Any] = self._loop.create_future()
        request = WaitingTask(
            future, content, target, queued_at=time.monotonic(), expires_at=deadline.expires_at
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
        make = batch[0].request.merging.merged([each.request.item for each in batch])
        deadline = Deadline.at(latest_deadline(batch))
        call = self._transport.call_unbounded(make, batch[0].target, deadline)
        task = self._loop.create_task(call)
        self._callers[task] = len(batch)
        for request in batch:
            request.merged = task
        # Not in the task itself: a task that is cancelled before it starts runs no `finally`.
        task.add_done_callback(lambda task: self._finish(batch, task))

    def _finish(self, batch: list[Any], task: asyncio.Task[Any]) -> None:
        del self._callers[task]
        self._queue.call_ended()
        self._send_due()
        waiting = [(row, request) for row, request in enumerate(batch) if not request.future.done()]
        try:
            items = [each.request.item for each in batch]
            results = batch[0].request.merging.results(items, task.result())
        except asyncio.CancelledError:  # by `close`; `_abandon` cancels only calls without callers
            for _, request in waiting:
                request.future.set_exception(self._closed(request))
        except BaseException as error:  # noqa: BLE001 passed on to every caller
            for _, request in waiting:
                request.future.set_exception(copy_error(error))
        else:
            for row, request in waiting:
                request.future.set_result(results[row])
