"""Coalescing for asyncio: what is asked in one turn of the event loop goes together.

Sending waits for the end of the turn, which costs a lone question nothing and lets a thousand
tasks that were started together share a call.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Coroutine
from typing import Any, Protocol

from seq2sum._coalescing import Coalesce, Place, Queue, latest
from seq2sum._deadline import Deadline
from seq2sum._errors import Seq2SumError, again
from seq2sum._how import Route
from seq2sum.addition.answers import Answer, Columns, Question
from seq2sum.addition.chunks import Chunk, encoded


class Edge(Protocol):
    """What the connection gives: the calls themselves, and the errors of waiting."""

    def ask_merged(
        self, chunk: Chunk, route: Route, deadline: Deadline
    ) -> Coroutine[Any, Any, Columns]: ...
    def too_many(self, route: Route, waiting: int) -> Seq2SumError: ...
    def too_late(self, route: Route) -> Seq2SumError: ...
    def closed(self, route: Route) -> Seq2SumError: ...


class WaitingTask(Place):
    """A question whose task waits."""

    __slots__ = ("future", "merged")

    def __init__(self, future: asyncio.Future[Answer], *place: Any, **times: Any) -> None:
        super().__init__(*place, **times)
        self.future = future
        self.merged: asyncio.Task[Columns] | None = None


class TaskCoalescer:
    """The queue on one event loop."""

    def __init__(self, limits: Coalesce, edge: Edge) -> None:
        self._edge = edge
        self._queue = Queue(limits)
        self._loop = asyncio.get_running_loop()
        self._turn: asyncio.Handle | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._wanted: dict[asyncio.Task[Columns], int] = {}
        """Calls under way, and how many callers still wait for each."""

    async def add(self, question: Question, route: Route, deadline: Deadline) -> Answer:
        """The answer to one question, by a call that it may share with others of this route.

        Raises:
            Seq2SumError: The call failed, or too many wait already.
        """
        future: asyncio.Future[Answer] = self._loop.create_future()
        now = time.monotonic()
        place = WaitingTask(
            future, question, encoded(question), route, since=now, moment=deadline.moment
        )
        if not self._queue.join(place):
            raise self._edge.too_many(route, len(self._queue))
        if self._turn is None:
            self._turn = self._loop.call_soon(self._go)
        remaining = deadline.remaining()
        expiry = (
            self._loop.call_later(remaining, self._expire, place) if remaining is not None else None
        )
        try:
            return await future
        except BaseException:
            self._leave(place)
            raise
        finally:
            if expiry is not None:
                expiry.cancel()

    async def close(self) -> None:
        """Cancels the calls under way; those who wait are told."""
        waiting: list[Any] = self._queue.drain()
        for place in waiting:
            if not place.future.done():
                place.future.set_exception(self._edge.closed(place.route))
        for task in self._wanted:
            task.cancel()
        if self._wanted:
            await asyncio.wait(self._wanted)

    def _expire(self, place: WaitingTask) -> None:
        if not place.future.done():
            place.future.set_exception(self._edge.too_late(place.route))

    def _leave(self, place: WaitingTask) -> None:
        self._queue.leave(place)
        if place.merged is None or place.merged not in self._wanted:
            return
        self._wanted[place.merged] -= 1
        if not self._wanted[place.merged]:
            place.merged.cancel()

    def _go(self) -> None:
        """Sends what may go now, and comes again when more may."""
        self._turn = None
        while batch := self._queue.take(time.monotonic()):
            self._send(batch)
        if self._timer is not None:
            self._timer.cancel()
        due = self._queue.next_due()
        wait = None if due is None else max(0.0, due[1] - time.monotonic())
        self._timer = None if wait is None else self._loop.call_later(wait, self._go)

    def _send(self, batch: list[Any]) -> None:
        chunk = Chunk([place.question for place in batch], [place.encoded for place in batch])
        call = self._edge.ask_merged(chunk, batch[0].route, Deadline.at(latest(batch)))
        task = self._loop.create_task(call)
        self._wanted[task] = len(batch)
        for place in batch:
            place.merged = task
        # Not in the task itself: one that is cancelled before it begins runs no `finally`.
        task.add_done_callback(lambda task: self._came_back(batch, task))

    def _came_back(self, batch: list[Any], task: asyncio.Task[Columns]) -> None:
        del self._wanted[task]
        self._queue.ended()
        self._go()
        waiting = [(row, place) for row, place in enumerate(batch) if not place.future.done()]
        try:
            answers = task.result().answers()
        except asyncio.CancelledError:  # only closing cancels a call that somebody waits for
            for _, place in waiting:
                place.future.set_exception(self._edge.closed(place.route))
        except BaseException as error:  # noqa: BLE001 each caller is told, whatever it is
            for _, place in waiting:
                place.future.set_exception(again(error))
        else:
            for row, place in waiting:
                place.future.set_result(answers[row])
