"""The asyncio client, with the same methods as `Client`."""

from __future__ import annotations

import asyncio
import warnings
from collections import deque
from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterable
from typing import Self, Unpack

import grpc

from seq2sum import _calls, _forks
from seq2sum._async_connection import AsyncConnection
from seq2sum._base_client import BaseClient
from seq2sum._calls import ROWS_PER_CALL
from seq2sum._deadline import Deadline
from seq2sum._errors import Seq2SumError
from seq2sum._methods import GET_MODEL_STATUS
from seq2sum._numbers import integer
from seq2sum._options import CallOptions, CallTarget
from seq2sum._servable import Servable
from seq2sum._versions import VersionStatus
from seq2sum._waiting import AvailabilityWait
from seq2sum.addition import calls
from seq2sum.addition.answers import Answer, Columns, Question
from seq2sum.addition.chunks import MAX_BATCH_SIZE, async_chunks, checked_collection, chunks
from seq2sum.addition.description import Description
from seq2sum.addition.explanation import Explanation


class AsyncClient(BaseClient):
    """An asyncio client of a seq2sum model on a TensorFlow Serving or `seq2sum-serve` server.

    The channel belongs to the event loop of the first call; once that loop is closed, the next
    one gets a new channel. Close the client, or use it in an `async with` statement.

    Example:
        async with seq2sum.AsyncClient("localhost:8500") as client:
            print((await client.add("53+42")).value)
    """

    _connection: AsyncConnection | None

    async def add(self, question: Question, **options: Unpack[CallOptions]) -> Answer:
        """Returns the answer to one question like `"53+42"`.

        See `Client.add`.
        """
        (target, deadline), connection = self._resolve(**options), self._open()
        if connection.coalescer is not None:
            answer = await connection.coalescer.add(question, target, deadline)
        else:
            [chunk] = chunks([question])
            [answer] = (await connection.predict(chunk, target, deadline)).answers()
        if answer.error:
            raise answer.error
        return answer

    async def add_many(
        self, questions: Iterable[Question], **options: Unpack[CallOptions]
    ) -> list[Answer]:
        """Returns the answers to many questions, in order, by as few RPCs as practical.

        See `Client.add_many`.
        """
        parts = await self._columns(questions, **options)
        return [answer for part in parts for answer in part]

    async def add_columns(
        self, questions: Iterable[Question], **options: Unpack[CallOptions]
    ) -> Columns:
        """Returns the answers as `add_many` does, by column: no object is created for a row."""
        return Columns.concat(await self._columns(questions, **options))

    def add_stream(
        self,
        questions: Iterable[Question] | AsyncIterable[Question],
        *,
        max_in_flight: int | None = None,
        batch_size: int = ROWS_PER_CALL,
        **options: Unpack[CallOptions],
    ) -> AsyncIterator[Answer]:
        """Yields the answers to any number of questions, in order, in bounded memory.

        See `Client.add_stream`. `questions` may be an asynchronous iterable too.
        """
        return _answers(
            self.stream_columns(
                questions, max_in_flight=max_in_flight, batch_size=batch_size, **options
            )
        )

    def stream_columns(
        self,
        questions: Iterable[Question] | AsyncIterable[Question],
        *,
        max_in_flight: int | None = None,
        batch_size: int = ROWS_PER_CALL,
        **options: Unpack[CallOptions],
    ) -> AsyncIterator[Columns]:
        """Yields the answers as `add_stream` does, by column: one `Columns` for each RPC."""
        self._resolve(**options)  # raises for invalid options before the first answer is taken
        limit = self.max_in_flight if max_in_flight is None else max_in_flight
        return self._pipeline(
            checked_collection(questions),
            integer("batch_size", batch_size, least=1, most=MAX_BATCH_SIZE),
            lambda: self._resolve(**options),
            integer("max_in_flight", limit, least=1),
        )

    async def explain(self, question: Question, **options: Unpack[CallOptions]) -> Explanation:
        """Returns the network's probabilities for each position of the answer to one question.

        See `Client.explain`.
        """
        target, deadline = self._resolve(**options)
        return await self._open().call(calls.explain(question, target.servable), target, deadline)

    async def versions(self, **options: Unpack[CallOptions]) -> list[VersionStatus]:
        """Returns the status of every version of the model that the server knows, newest first.

        See `Client.versions`.
        """
        target, deadline = self._resolve(GET_MODEL_STATUS, **options)
        return await self._open().call(_calls.statuses(target.servable), target, deadline)

    async def describe(self, **options: Unpack[CallOptions]) -> Description:
        """Returns the signatures of a model version, and how many digits it accepts.

        See `Client.describe`.
        """
        target, deadline = self._resolve(**options)
        return await self._open().call(calls.describe(target.servable), target, deadline)

    async def wait_until_available(
        self, *, version: int | None = None, label: str | None = None, timeout: float | None = 30.0
    ) -> VersionStatus:
        """Waits until the model, a given version of it, or a version with this label is AVAILABLE.

        See `Client.wait_until_available`.
        """
        target = CallTarget(Servable(self.model, version, label))
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
                "before its first call, or use Client"
            )
        if self._connection is None:
            self._connection = AsyncConnection(
                self._channel(),
                address=self.target,
                identity=self._identity(),
                max_in_flight=self.max_in_flight,
                headers=self._headers,
                coalescing=self.coalescing,
                shadow=self.shadow,
            )
        return self._connection

    def _channel(self) -> grpc.aio.Channel:
        options = self._current_channel_options()
        common = (options, self._compression, self._interceptors or None)
        if self._tls is None:
            return grpc.aio.insecure_channel(self._address, *common)
        return grpc.aio.secure_channel(self._address, self._tls.credentials(), *common)

    async def _columns(
        self, questions: Iterable[Question], **options: Unpack[CallOptions]
    ) -> list[Columns]:
        """Returns the answers of all RPCs that these questions need."""
        resolved = self._resolve(**options)
        parts = self._pipeline(
            checked_collection(questions), ROWS_PER_CALL, lambda: resolved, self.max_in_flight
        )
        return [part async for part in parts]

    async def _pipeline(
        self,
        questions: Iterable[Question] | AsyncIterable[Question],
        rows: int,
        resolve: Callable[[], tuple[CallTarget, Deadline]],
        max_in_flight: int,
    ) -> AsyncIterator[Columns]:
        """Yields the answers to chunks, in order, with several calls in flight."""
        connection = self._open()
        in_flight: deque[asyncio.Task[Columns]] = deque()
        try:
            async for chunk in async_chunks(questions, rows=rows):
                call = connection.predict_with_retries(chunk, *resolve())
                in_flight.append(connection.loop.create_task(call))
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


async def _answers(parts: AsyncIterator[Columns]) -> AsyncIterator[Answer]:
    async for part in parts:
        for answer in part:
            yield answer
