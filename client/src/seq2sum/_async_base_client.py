"""The base of the asyncio clients: the life of the connection, and the state of versions."""

from __future__ import annotations

import asyncio
import warnings
from collections import deque
from collections.abc import AsyncIterator, Coroutine
from typing import Any, Self, TypeVar, Unpack

import grpc

from seq2sum import _calls, _forks
from seq2sum._async_connection import AsyncConnection
from seq2sum._base_client import BaseClient
from seq2sum._deadline import Deadline
from seq2sum._errors import Seq2SumError
from seq2sum._methods import GET_MODEL_STATUS
from seq2sum._options import CallOptions
from seq2sum._versions import VersionStatus
from seq2sum._waiting import AvailabilityWait

Result = TypeVar("Result")


class AsyncBaseClient(BaseClient):
    """The methods of all asyncio clients."""

    _connection: AsyncConnection | None

    async def versions(self, **options: Unpack[CallOptions]) -> list[VersionStatus]:
        """Returns the status of every version of the model that the server knows, newest first.

        See `ModelClient.versions`.
        """
        target, deadline = self._resolve(GET_MODEL_STATUS, **options)
        return await self._open().call(_calls.statuses(target.servable), target, deadline)

    async def wait_until_available(
        self, *, version: int | None = None, label: str | None = None, timeout: float | None = 30.0
    ) -> VersionStatus:
        """Waits until the model, a given version of it, or a version with this label is AVAILABLE.

        See `ModelClient.wait_until_available`.
        """
        target = self._awaited(version, label)
        wait = AvailabilityWait(target.servable, Deadline(timeout), target=self.target)
        while True:
            call, deadline = wait.poll()
            try:
                statuses = await self._open().call(call, target, deadline)
            except Seq2SumError as error:
                wait.failed(error)
            else:
                if available := wait.available(statuses):
                    return available
            await asyncio.sleep(wait.next_pause())

    async def close(self) -> None:
        """Closes the channel. Calls in flight fail; later ones raise RuntimeError."""
        self._closed, connection, self._connection = True, self._connection, None
        if connection is not None:
            await connection.close()

    async def __aenter__(self) -> Self:
        """Returns the client itself."""
        return self

    async def __aexit__(self, *_: object) -> None:
        """Closes the client."""
        await self.close()

    def __del__(self) -> None:
        if getattr(self, "_connection", None) is not None:
            warnings.warn(f"unclosed {self!r}", ResourceWarning, stacklevel=2, source=self)

    def _reset_after_fork(self) -> None:
        _forks.keep(getattr(self, "_connection", None))
        self._connection = None

    def _has_aio_channel(self) -> bool:
        if self._connection is not None and self._connection.loop.is_closed():
            self._connection = None
        return self._connection is not None

    def _open(self) -> AsyncConnection:
        self._check_open()
        loop = asyncio.get_running_loop()
        if self._connection is not None and self._connection.loop is not loop:
            if not self._connection.loop.is_closed():
                raise RuntimeError(f"{self!r} belongs to another event loop, which still runs")
            self._connection = None
        if self._connection is None and _forks.aio_unusable:
            raise RuntimeError(
                f"{self!r} cannot be used here: this process was forked while gRPC's asyncio was "
                "in use, which it does not survive. Close the client before the fork, or fork "
                "before its first call, or use the synchronous client"
            )
        if self._connection is None:
            self._connection = self._connect()
        return self._connection

    def _connect(self) -> AsyncConnection:
        return AsyncConnection(self._channel(), **self._connection_options())

    def _channel(self) -> grpc.aio.Channel:
        options = self._current_channel_options()
        common = (options, self._compression, self._interceptors or None)
        if self._tls is None:
            return grpc.aio.insecure_channel(self._address, *common)
        return grpc.aio.secure_channel(self._address, self._tls.credentials(), *common)

    async def _pipeline(
        self, calls: AsyncIterator[Coroutine[Any, Any, Result]], max_in_flight: int
    ) -> AsyncIterator[Result]:
        """Yields the results of calls, in order, with several in flight."""
        loop = self._open().loop
        in_flight: deque[asyncio.Task[Result]] = deque()
        try:
            async for call in calls:
                in_flight.append(loop.create_task(call))
                while in_flight and (len(in_flight) >= max_in_flight or in_flight[0].done()):
                    yield await in_flight[0]
                    in_flight.popleft()
            while in_flight:
                yield await in_flight[0]
                in_flight.popleft()
        finally:
            for task in in_flight:
                task.cancel()
            await asyncio.gather(*in_flight, return_exceptions=True)
