"""The client for asyncio: the twin of `Client`, method by method."""

from __future__ import annotations

import asyncio
import warnings
from collections import deque
from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterable
from types import TracebackType
from typing import Self, Unpack

import grpc

from seq2sum import _calls, _forks, _metadata
from seq2sum._async_connection import AsyncConnection
from seq2sum._configuration import Configured
from seq2sum._deadline import Deadline
from seq2sum._errors import Seq2SumError
from seq2sum._how import How, Pace, Plan, Route, many
from seq2sum._numbers import whole
from seq2sum._servable import Servable
from seq2sum._versions import Description, VersionStatus
from seq2sum._waiting import Awaited, poll_pauses
from seq2sum.addition.answers import Answer, Columns, Question
from seq2sum.addition.chunks import MOST_ROWS, ROWS_PER_CALL, chunks, chunks_as_they_come
from seq2sum.addition.explanation import Explanation


class AsyncClient(Configured):
    """Asks a seq2sum model on a TensorFlow Serving or `seq2sum-serve` server, for asyncio.

    The channel belongs to the event loop of the first call; once that loop is closed, the next
    one gets a channel of its own. Close the client, or use it in an `async with` statement. The
    keywords `how` of its methods are those of `seq2sum.How`: version, label, key, timeout,
    metadata.

    Example:
        async with seq2sum.AsyncClient("localhost:8500") as client:
            print((await client.add("53+42")).value)
    """

    _connection: AsyncConnection | None

    async def add(self, question: Question, **how: Unpack[How]) -> Answer:
        """The answer to one question like `"53+42"`.

        Args:
            question: Two decimal numbers and a plus; trailing spaces are allowed.
            how: See `seq2sum.How`.

        Raises:
            InvalidQuestion: It is no question, or too long for the version.
            CallError: The call failed; the subclass says why.
            UnexpectedResponse: The server answers, but it is no seq2sum model.
        """
        plan = Plan(**how)
        (route, deadline), connection = self._way(plan), self._open()
        if connection.coalescer is not None:
            answer = await connection.coalescer.add(question, route, deadline)
        else:
            [chunk] = chunks([question])
            [answer] = (await connection.ask(chunk, route, deadline)).answers()
        if answer.error:
            raise answer.error
        return answer

    async def add_many(self, questions: Iterable[Question], **how: Unpack[How]) -> list[Answer]:
        """The answers to many questions, in their order, by as few RPCs as make sense.

        A question that cannot be answered costs the others nothing: its `Answer` has an
        `error` and no text. RPCs that the server refuses for overload are made again, after
        pauses, while there is time.

        Args:
            questions: Questions as in `add`.
            how: See `seq2sum.How`; the timeout is for all of them together.

        Raises:
            CallError: A call failed; the subclass says why.
            UnexpectedResponse: The server answers, but it is no seq2sum model.
            TypeError: `questions` is a single text.
        """
        parts = await self._parts(questions, Plan(**how))
        return [answer for part in parts for answer in part]

    async def add_columns(self, questions: Iterable[Question], **how: Unpack[How]) -> Columns:
        """The same as `add_many` by column: no object is made for each row."""
        return Columns.joined(await self._parts(questions, Plan(**how)))

    def add_stream(
        self, questions: Iterable[Question] | AsyncIterable[Question], **pace: Unpack[Pace]
    ) -> AsyncIterator[Answer]:
        """The answers to any number of questions, in their order, in bounded memory.

        Args:
            questions: Questions as in `add`, from any iterable, an async one too; it is read as
                answers are taken.
            pace: See `seq2sum.Pace`; the timeout is for each RPC.

        Yields:
            Answers; a question that cannot be answered has one with an `error`.

        Raises:
            CallError: An RPC failed; the subclass says why. What came before has been yielded.
            UnexpectedResponse: The server answers, but it is no seq2sum model.
            TypeError: `questions` is a single text.
        """
        return _rows(self.stream_columns(questions, **pace))

    def stream_columns(
        self, questions: Iterable[Question] | AsyncIterable[Question], **pace: Unpack[Pace]
    ) -> AsyncIterator[Columns]:
        """The same as `add_stream` by column: one `Columns` for each RPC."""
        in_flight, rows = pace.pop("in_flight", None), pace.pop("rows", ROWS_PER_CALL)
        plan = Plan(**pace)  # type: ignore[misc]  # what is left are the keywords of How
        self._way(plan)  # mistakes are told now
        return self._pipeline(
            many(questions),
            whole("rows", rows, least=1, most=MOST_ROWS),
            lambda: self._way(plan),
            whole("in_flight", self.in_flight if in_flight is None else in_flight, least=1),
        )

    async def explain(self, question: Question, **how: Unpack[How]) -> Explanation:
        """What the network thinks about each place of the answer to one question.

        Raises:
            InvalidQuestion: It is no question, or too long for the version.
            CallError: The call failed; the subclass says why.
            UnexpectedResponse: The server answers, but it is no seq2sum model.
        """
        plan = Plan(**how)
        route, deadline = self._way(plan)
        return await self._open().do(_calls.explain(question, route.servable), route, deadline)

    async def versions(self, **how: Unpack[How]) -> list[VersionStatus]:
        """Every version of the model that the server knows, newest first, with its state.

        Args:
            how: See `seq2sum.How`; with a version, that one alone is told. Servers ignore labels.

        Raises:
            CallError: The call failed; the subclass says why.
        """
        plan = Plan(**how)
        route = Route(Servable(self.model, plan.version), _metadata.checked(plan.metadata))
        deadline = self._deadline(plan.timeout)
        return await self._open().do(_calls.statuses(route.servable), route, deadline)

    async def describe(self, **how: Unpack[How]) -> Description:
        """What a model version can do: its signatures, and how many digits it knows.

        Raises:
            CallError: The call failed; the subclass says why.
            UnexpectedResponse: The reply has no signatures.
        """
        plan = Plan(**how)
        route, deadline = self._way(plan)
        return await self._open().do(_calls.describe(route.servable), route, deadline)

    async def wait_until_available(
        self, *, version: int | None = None, label: str | None = None, timeout: float | None = 30.0
    ) -> VersionStatus:
        """Waits until the model, this version of it, or a version with this label serves.

        Args:
            version: A model version; None for any.
            label: A label; not beside a version.
            timeout: Seconds; None for no limit. A server that is not there yet is waited for.

        Returns:
            The version that serves.

        Raises:
            DeadlineExceeded: It does not; the text says what was last heard.
            CallError: The server will not do it, however long one waits.
        """
        route, deadline = Route(Servable(self.model, version, label)), Deadline(timeout)
        awaited = Awaited(route.servable, deadline, target=self.target)
        for pause in poll_pauses():
            call, seconds = awaited.poll()
            try:
                answer = await self._open().do(call, route, Deadline(seconds))
            except Seq2SumError as error:
                awaited.refused(error)
            else:
                if found := awaited.found(answer):
                    return found
            awaited.check(pause)
            await asyncio.sleep(pause)
        raise AssertionError("pauses do not end")

    async def close(self) -> None:
        """Closes the channel; calls under way fail, later ones are a mistake."""
        self._closed, connection, self._connection = True, self._connection, None
        if connection is not None:
            await connection.close()

    async def __aenter__(self) -> Self:
        """The client itself."""
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Closes the client."""
        await self.close()

    def __del__(self) -> None:
        if getattr(self, "_connection", None) is not None:
            warnings.warn(f"unclosed {self!r}", ResourceWarning, stacklevel=2, source=self)

    def _forget(self) -> None:
        _forks.keep(getattr(self, "_connection", None))
        self._connection = None

    def _keeps_asyncio(self) -> bool:
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
        if self._connection is None and _forks.asyncio_is_lost:
            raise RuntimeError(
                f"{self!r} cannot be used here: this process was forked while gRPC's asyncio was "
                "at work, and that does not survive. Close the client before the fork, or fork "
                "before its first call, or use Client"
            )
        if self._connection is None:
            self._connection = AsyncConnection(
                self._channel(),
                target=self.target,
                shown=self._shown_now(),
                in_flight=self.in_flight,
                headers=self._headers,
                coalesce=self.coalesce,
                shadow=self.shadow,
            )
        return self._connection

    def _channel(self) -> grpc.aio.Channel:
        how = (self._options_now(), self._compression, self._interceptors or None)
        if self._tls is None:
            return grpc.aio.insecure_channel(self._address, *how)
        return grpc.aio.secure_channel(self._address, self._tls.credentials(), *how)

    async def _parts(self, questions: Iterable[Question], plan: Plan) -> list[Columns]:
        """The answers of all calls that these questions need."""
        way = self._way(plan)
        parts = self._pipeline(many(questions), ROWS_PER_CALL, lambda: way, self.in_flight)
        return [part async for part in parts]

    async def _pipeline(
        self,
        questions: Iterable[Question] | AsyncIterable[Question],
        rows: int,
        way: Callable[[], tuple[Route, Deadline]],
        in_flight: int,
    ) -> AsyncIterator[Columns]:
        """Answers of chunks, in order, with some of the calls under way at a time."""
        connection = self._open()
        under_way: deque[asyncio.Task[Columns]] = deque()
        try:
            async for chunk in chunks_as_they_come(questions, rows=rows):
                task = connection.loop.create_task(connection.ask_patiently(chunk, *way()))
                under_way.append(task)
                while under_way and (len(under_way) >= in_flight or under_way[0].done()):
                    yield await under_way[0]
                    under_way.popleft()
            while under_way:
                yield await under_way[0]
                under_way.popleft()
        finally:
            for task in under_way:
                task.cancel()
            await asyncio.gather(*under_way, return_exceptions=True)


async def _rows(parts: AsyncIterator[Columns]) -> AsyncIterator[Answer]:
    async for part in parts:
        for answer in part:
            yield answer
