"""The asyncio client of the addition model, with the same methods as `Client`."""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator, Callable, Coroutine, Iterable
from functools import partial
from typing import Any, ClassVar, Unpack

from seq2sum._async_model_client import AsyncModelClient
from seq2sum._calls import ROWS_PER_CALL
from seq2sum._deadline import Deadline
from seq2sum._numbers import integer
from seq2sum._options import CallOptions, CallTarget
from seq2sum.addition import calls
from seq2sum.addition.answers import Answer, Columns, Question
from seq2sum.addition.chunks import (
    MAX_BATCH_SIZE,
    Chunk,
    async_chunks,
    checked_collection,
    encoded,
)
from seq2sum.addition.contract import MODEL_NAME
from seq2sum.addition.description import Description
from seq2sum.addition.explanation import Explanation


class AsyncClient(AsyncModelClient):
    """An asyncio client of a seq2sum model on a TensorFlow Serving or `seq2sum-serve` server.

    The channel belongs to the event loop of the first call; once that loop is closed, the next
    one gets a new channel. Close the client, or use it in an `async with` statement.

    For example:

        async with seq2sum.AsyncClient("localhost:8500") as client:
            print((await client.add("53+42")).value)
    """

    _default_model: ClassVar[str | None] = MODEL_NAME

    async def add(self, question: Question, **options: Unpack[CallOptions]) -> Answer:
        """Returns the answer to one question like `"53+42"`.

        See `Client.add`.
        """
        target, deadline = self._resolve(**options)
        connection = self._open(target)
        if connection.coalescer is not None:
            answer: Answer = await connection.coalescer.submit(
                calls.mergeable(question, target), target, deadline
            )
        else:
            make = partial(calls.predict, Chunk([question], [encoded(question)]))
            answer = (await connection.call_with_shadow(make, target, deadline)).answer(0)
        if answer.error:
            raise answer.error
        return answer

    async def add_many(
        self, questions: Iterable[Question], **options: Unpack[CallOptions]
    ) -> list[Answer]:
        """Returns the answers to many questions, in order, with as few RPCs as practical.

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
        rows = integer("batch_size", batch_size, least=1, most=MAX_BATCH_SIZE)
        started = self._started(
            checked_collection(questions), rows, lambda: self._resolve(**options)
        )
        return self._pipeline(started, self._stream_limit(max_in_flight, rows))

    async def explain(self, question: Question, **options: Unpack[CallOptions]) -> Explanation:
        """Returns the network's probabilities for each position of the answer to one question.

        See `Client.explain`.
        """
        target, deadline = self._resolve(**options)
        return await self._open(target).call(
            calls.explain(question, target.servable), target, deadline
        )

    async def describe(self, **options: Unpack[CallOptions]) -> Description:
        """Returns the signatures of a model version, and how many digits it accepts.

        See `Client.describe`.
        """
        target, deadline = self._resolve(**options)
        return await self._open(target).call(calls.describe(target.servable), target, deadline)

    async def _columns(
        self, questions: Iterable[Question], **options: Unpack[CallOptions]
    ) -> list[Columns]:
        """Returns the answers of all RPCs that these questions need."""
        resolved = self._resolve(**options)
        started = self._started(checked_collection(questions), ROWS_PER_CALL, lambda: resolved)
        return [part async for part in self._pipeline(started, self._stream_limit())]

    async def _started(
        self,
        questions: Iterable[Question] | AsyncIterable[Question],
        rows: int,
        resolve: Callable[[], tuple[CallTarget, Deadline]],
    ) -> AsyncIterator[Coroutine[Any, Any, Columns]]:
        self._check_open()
        async for chunk in async_chunks(questions, rows=rows):
            target, deadline = resolve()
            make = partial(calls.predict, chunk)
            yield self._open(target).call_with_retries(make, target, deadline)


async def _answers(parts: AsyncIterator[Columns]) -> AsyncIterator[Answer]:
    async for part in parts:
        for answer in part:
            yield answer
