"""A channel and what belongs to it on one event loop: the async client's only I/O."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TypeVar

import grpc

from seq2sum import _calls, _errors
from seq2sum._calls import Call
from seq2sum._coalescing import Coalesce
from seq2sum._coalescing_tasks import TaskCoalescer
from seq2sum._deadline import Deadline
from seq2sum._errors import Overloaded, Seq2SumError
from seq2sum._how import Route
from seq2sum._metadata import Header
from seq2sum._methods import bound
from seq2sum._refusal import Shown
from seq2sum._shadow import Shadow
from seq2sum._waiting import overload_pauses
from seq2sum.addition.answers import Columns
from seq2sum.addition.chunks import Chunk

Result = TypeVar("Result")


class AsyncConnection:
    """Makes calls, as many at a time as there are turns."""

    def __init__(
        self,
        channel: grpc.aio.Channel,
        *,
        target: str,
        shown: Shown,
        in_flight: int,
        headers: Callable[[Route], tuple[Header, ...]],
        coalesce: Coalesce | None,
        shadow: Shadow | None,
    ) -> None:
        self.loop = asyncio.get_running_loop()
        self._channel = channel
        self._target = target
        self._shown = shown
        self._headers = headers
        self._methods = bound(channel)
        self._turns = asyncio.Semaphore(in_flight)
        self._shadow = shadow
        self._shadows: set[asyncio.Task[None]] = set()
        self.closed_by_us = False
        self.coalescer = TaskCoalescer(coalesce, self) if coalesce else None

    async def close(self) -> None:
        """Ends the calls under way."""
        self.closed_by_us = True
        for task in self._shadows:
            task.cancel()
        if self.coalescer is not None:
            await self.coalescer.close()
        await self._channel.close()

    async def do(self, call: Call[Result], route: Route, deadline: Deadline) -> Result:
        """Makes a call, when it is its turn.

        Raises:
            CallError: The call failed.
            UnexpectedResponse: The reply breaks the contract.
        """
        headers = self._headers(route)
        await self._wait_for_turn(route, deadline)
        try:
            return await self._do(call, headers, deadline)
        finally:
            self._turns.release()

    async def ask(self, chunk: Chunk, route: Route, deadline: Deadline) -> Columns:
        """Makes a Predict."""
        answered = await self.do(_calls.predict(chunk, route.servable), route, deadline)
        self._follow(chunk, route, answered)
        return answered

    async def ask_patiently(self, chunk: Chunk, route: Route, deadline: Deadline) -> Columns:
        """The same; if it is refused for overload, again and again while there is time."""
        for pause in overload_pauses(deadline):
            try:
                return await self.ask(chunk, route, deadline)
            except Overloaded:
                if pause is None:
                    raise
                await asyncio.sleep(pause)
        raise AssertionError("the last pause is none")

    async def ask_merged(self, chunk: Chunk, route: Route, deadline: Deadline) -> Columns:
        """Makes a Predict for several callers: the coalescer bounds them itself."""
        call = _calls.predict(chunk, route.servable)
        answered = await self._do(call, self._headers(route), deadline)
        self._follow(chunk, route, answered)
        return answered

    def too_many(self, route: Route, waiting: int) -> Seq2SumError:
        """Why no more questions may wait."""
        return _errors.too_many(waiting, self._target, route.servable)

    def too_late(self, route: Route) -> Seq2SumError:
        """Why a question does not wait any longer."""
        return _errors.too_late(self._target, route.servable)

    def closed(self, route: Route) -> Seq2SumError:
        """Why a call was ended."""
        return _errors.closed(self._target, route.servable)

    async def _wait_for_turn(self, route: Route, deadline: Deadline) -> None:
        try:
            async with asyncio.timeout(deadline.remaining()):
                await self._turns.acquire()
        except TimeoutError as error:
            raise self.too_late(route) from error

    async def _do(
        self, call: Call[Result], headers: tuple[Header, ...], deadline: Deadline
    ) -> Result:
        method = self._methods[call.method.path]
        try:
            response = await method(
                call.request, timeout=deadline.remaining(), metadata=headers or None
            )
        except grpc.aio.AioRpcError as error:
            raise _errors.error_of(
                error.code(),
                error.details(),
                target=self._target,
                servable=call.servable,
                shown=self._shown,
            ) from error
        except (asyncio.CancelledError, grpc.aio.UsageError) as error:
            # gRPC cancels what is under way on a channel that is closed, its callers included.
            task = asyncio.current_task()
            if self.closed_by_us and not (task and task.cancelling()):
                raise _errors.closed(self._target, call.servable) from error
            raise
        return call.result(response, target=self._target)

    def _follow(self, chunk: Chunk, route: Route, answered: Columns) -> None:
        """Asks the shadow the same, if this call is one of its share."""
        shadow = self._shadow
        if shadow is None or len(self._shadows) >= shadow.in_flight or not shadow.drawn():
            return
        task = self.loop.create_task(self._shadowed(shadow, chunk, route, answered))
        self._shadows.add(task)
        task.add_done_callback(self._shadows.discard)

    async def _shadowed(
        self, shadow: Shadow, chunk: Chunk, route: Route, answered: Columns
    ) -> None:
        there = Route(shadow.servable(route.servable.model), route.metadata)
        call = _calls.predict(chunk, there.servable)
        try:
            outcome: Columns | Seq2SumError = await self._do(
                call, self._headers(there), Deadline(shadow.timeout)
            )
        except Seq2SumError as error:
            outcome = error
        shadow.tell(answered, outcome)
