"""The channel of one client on one event loop: all I/O of the asynchronous client."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import TypeVar

import grpc

from seq2sum import _errors
from seq2sum._calls import Call, CallFactory
from seq2sum._coalescing import Coalescing
from seq2sum._coalescing_tasks import TaskCoalescer
from seq2sum._connection_hints import ClientIdentity
from seq2sum._deadline import Deadline
from seq2sum._errors import Overloaded, Seq2SumError
from seq2sum._metadata import Header
from seq2sum._methods import bound
from seq2sum._options import CallTarget
from seq2sum._shadow import Shadow
from seq2sum._slots import TaskSlots
from seq2sum._waiting import overload_backoff

Result = TypeVar("Result")


class AsyncConnection:
    """Makes calls on a channel, a bounded number of them at a time."""

    def __init__(
        self,
        channel: grpc.aio.Channel,
        *,
        address: str,
        identity: ClientIdentity,
        max_in_flight: int | None,
        headers: Callable[[CallTarget], tuple[Header, ...]],
        coalescing: Coalescing | None,
        shadow: Shadow | None,
    ) -> None:
        self.loop = asyncio.get_running_loop()
        self._channel = channel
        self.address = address
        self._identity = identity
        self._headers = headers
        self._methods = bound(channel)
        self._slots = TaskSlots(max_in_flight)
        self._shadow = shadow
        self._shadow_calls: set[asyncio.Task[None]] = set()
        self._closed = False
        self.coalescer = TaskCoalescer(coalescing, self) if coalescing else None

    async def close(self) -> None:
        """Closes the channel; calls in flight fail."""
        self._closed = True
        for task in self._shadow_calls:
            task.cancel()
        if self.coalescer is not None:
            await self.coalescer.close()
        await self._channel.close()

    async def call(self, call: Call[Result], target: CallTarget, deadline: Deadline) -> Result:
        """Makes a call and returns the content of the reply.

        Sends it again, with backoff, if the server had no thread for it and the limit of calls in
        flight is not a given one.

        Raises:
            CallError: The call failed.
            UnexpectedResponse: The reply breaks the contract.
        """
        headers, slots, pauses = self._headers(target), self._slots, None
        while True:
            if not slots.take() and not await slots.wait(deadline.remaining()):
                raise _errors.deadline_exceeded(self.address, target.servable)
            try:
                return await self._call(call, headers, deadline)
            except Overloaded as error:
                pauses = pauses or overload_backoff(deadline)
                pause = next(pauses, None) if slots.refused(error) else None
                if pause is None:
                    raise
            finally:
                slots.release()
            await asyncio.sleep(pause)

    def call_with_shadow(
        self, make: CallFactory[Result], target: CallTarget, deadline: Deadline
    ) -> Awaitable[Result]:
        """Makes a call; sends a copy to the shadow version if the call is sampled."""
        call = self.call(make(target.servable), target, deadline)
        return call if self._shadow is None else self._mirrored(call, make, target)

    async def _mirrored(
        self, call: Awaitable[Result], make: CallFactory[Result], target: CallTarget
    ) -> Result:
        result = await call
        self._mirror(make, target, result)
        return result

    async def call_with_retries(
        self, make: CallFactory[Result], target: CallTarget, deadline: Deadline
    ) -> Result:
        """Makes a call; retries it, with backoff, while the server is overloaded."""
        return await self.retried(partial(self.call_with_shadow, make, target, deadline), deadline)

    async def retried(self, attempt: Callable[[], Awaitable[Result]], deadline: Deadline) -> Result:
        """Returns the result of an attempt; repeats it, with backoff, while it is Overloaded."""
        pauses = overload_backoff(deadline)
        while True:
            try:
                return await attempt()
            except Overloaded:
                pause = next(pauses, None)
                if pause is None:
                    raise
            await asyncio.sleep(pause)

    async def call_unbounded(
        self, make: CallFactory[Result], target: CallTarget, deadline: Deadline
    ) -> Result:
        """Makes a call for several callers; the coalescer limits concurrent ones."""
        result = await self._call(make(target.servable), self._headers(target), deadline)
        self._mirror(make, target, result)
        return result

    async def _call(
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
                target=self.address,
                servable=call.servable,
                identity=self._identity,
            ) from error
        except (asyncio.CancelledError, grpc.aio.UsageError) as error:
            # When a channel is closed, gRPC cancels the tasks that call on it.
            task = asyncio.current_task()
            if self._closed and not (task and task.cancelling()):
                raise _errors.client_closed(self.address, call.servable) from error
            raise
        return call.result(response, target=self.address)

    def _mirror(self, make: CallFactory[Result], target: CallTarget, result: Result) -> None:
        """Sends a copy of a call to the shadow version, if this call is sampled."""
        shadow = self._shadow
        if shadow is None or len(self._shadow_calls) >= shadow.max_in_flight:
            return
        if shadow.sampled():
            task = self.loop.create_task(self._call_shadow(shadow, make, target, result))
            self._shadow_calls.add(task)
            task.add_done_callback(self._shadow_calls.discard)

    async def _call_shadow(
        self, shadow: Shadow, make: CallFactory[Result], target: CallTarget, result: Result
    ) -> None:
        servable = shadow.servable(target.servable.model)
        headers = self._headers(target._replace(servable=servable))
        try:
            outcome: Result | Seq2SumError = await self._call(
                make(servable), headers, Deadline(shadow.timeout)
            )
        except Seq2SumError as error:
            outcome = error
        shadow.report(result, outcome)
