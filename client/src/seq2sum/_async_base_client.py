"""The base of the asyncio clients: the life of the connection, and the state of versions."""

from __future__ import annotations

import asyncio
import warnings
from collections import deque
from collections.abc import AsyncIterator, Collection, Coroutine
from typing import Any, Self, TypeVar, Unpack

import grpc

from seq2sum import _calls, _forks
from seq2sum._async_connection import AsyncConnection
from seq2sum._base_client import BaseClient
from seq2sum._deadline import Deadline
from seq2sum._errors import Seq2SumError
from seq2sum._methods import GET_MODEL_STATUS
from seq2sum._options import CallOptions, CallTarget
from seq2sum._single_flight import TaskFlights
from seq2sum._versions import ModelMetadata, VersionStatus
from seq2sum._waiting import AvailabilityWait

Result = TypeVar("Result")


class AsyncBaseClient(BaseClient):
    """The methods of all asyncio clients."""

    _connections: dict[str | None, AsyncConnection]
    """By the target that a split has chosen; None for that of the client."""

    async def versions(self, **options: Unpack[CallOptions]) -> list[VersionStatus]:
        """Returns the status of every version of the model that the server knows, newest first.

        See `ModelClient.versions`.
        """
        target, deadline = self._resolve(GET_MODEL_STATUS, **options)
        return await self._open(target).call(_calls.statuses(target.servable), target, deadline)

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
                statuses = await self._open(target).call(call, target, deadline)
            except Seq2SumError as error:
                wait.failed(error)
            else:
                if available := wait.available(statuses):
                    return available
            await asyncio.sleep(wait.next_pause())

    async def close(self) -> None:
        """Closes the channels. Calls in flight fail; later ones raise RuntimeError."""
        self._closed, connections, self._connections = True, self._connections, {}
        await asyncio.gather(*(connection.close() for connection in connections.values()))

    async def __aenter__(self) -> Self:
        """Returns the client itself."""
        return self

    async def __aexit__(self, *_: object) -> None:
        """Closes the client."""
        await self.close()

    def __del__(self) -> None:
        if getattr(self, "_connections", None):
            warnings.warn(f"unclosed {self!r}", ResourceWarning, stacklevel=2, source=self)

    def _reset_after_fork(self) -> None:
        _forks.keep(getattr(self, "_connections", None))
        self._flights = TaskFlights[ModelMetadata]()
        self._connections = {}

    def _has_aio_channel(self) -> bool:
        if any(connection.loop.is_closed() for connection in self._connections.values()):
            self._connections = {}  # all of them belong to one loop
        return bool(self._connections)

    def _keep_connections(self, variants: Collection[str | int]) -> None:
        for address in [each for each in self._connections if each not in (None, *variants)]:
            del self._connections[address]

    def _open(self, target: CallTarget) -> AsyncConnection:
        """Returns the connection for a call; the first call to a target opens it."""
        self._check_open()
        loop = asyncio.get_running_loop()
        connection = self._connections.get(target.address)
        if connection is not None and connection.loop is loop:
            return connection
        if self._has_aio_channel() and next(iter(self._connections.values())).loop is not loop:
            raise RuntimeError(f"{self!r} belongs to another event loop, which still runs")
        if _forks.aio_unusable:
            raise RuntimeError(
                f"{self!r} cannot be used here: this process was forked while gRPC's asyncio was "
                "in use, which it does not survive. Close the client before the fork, or fork "
                "before its first call, or use the synchronous client"
            )
        connection = self._connections[target.address] = self._connect(target.address)
        return connection

    def _connect(self, address: str | None) -> AsyncConnection:
        return AsyncConnection(self._channel(address), **self._connection_options(address))

    def _channel(self, address: str | None) -> grpc.aio.Channel:
        options = self._current_channel_options(address)
        common = (options, self._compression, self._interceptors or None)
        if self._tls is None:
            return grpc.aio.insecure_channel(address or self._address, *common)
        credentials = self._tls.credentials()
        return grpc.aio.secure_channel(address or self._address, credentials, *common)

    async def _pipeline(
        self, calls: AsyncIterator[Coroutine[Any, Any, Result]], max_in_flight: int
    ) -> AsyncIterator[Result]:
        """Yields the results of calls, in order, with several in flight.

        If a call cannot be started, those before it are finished first.
        """
        self._check_open()
        loop = asyncio.get_running_loop()
        in_flight: deque[asyncio.Task[Result]] = deque()
        problem: Exception | None = None
        try:
            while True:
                try:
                    in_flight.append(loop.create_task(await anext(calls)))
                except StopAsyncIteration:
                    break
                except Exception as error:  # noqa: BLE001 raised below
                    problem = error
                    break
                while in_flight and (len(in_flight) >= max_in_flight or in_flight[0].done()):
                    yield await in_flight[0]
                    in_flight.popleft()
            while in_flight:
                yield await in_flight[0]
                in_flight.popleft()
            if problem is not None:
                raise problem
        finally:
            for task in in_flight:
                task.cancel()
            await asyncio.gather(*in_flight, return_exceptions=True)
