"""The synchronous client of the addition model."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from itertools import chain, islice
from typing import ClassVar, Unpack

from seq2sum._calls import ROWS_PER_CALL, PendingCall
from seq2sum._deadline import Deadline
from seq2sum._model_client import ModelClient
from seq2sum._numbers import integer
from seq2sum._options import CallOptions, CallTarget
from seq2sum.addition import calls
from seq2sum.addition.answers import Answer, Columns, Question
from seq2sum.addition.chunks import MAX_BATCH_SIZE, Chunk, checked_collection, chunks, encoded
from seq2sum.addition.contract import MODEL_NAME
from seq2sum.addition.description import Description
from seq2sum.addition.explanation import Explanation


class Client(ModelClient):
    """A client of a seq2sum model on a TensorFlow Serving or `seq2sum-serve` server.

    Safe to use from several threads, and in a child process after a fork, where it opens a new
    channel. Close it, or use it in a `with` statement.

    For example:

        with seq2sum.Client("localhost:8500") as client:
            print(client.add("53+42").value)
    """

    _default_model: ClassVar[str | None] = MODEL_NAME

    def add(self, question: Question, **options: Unpack[CallOptions]) -> Answer:
        """Returns the answer to one question like `"53+42"`.

        Args:
            question: Two decimal numbers and a plus; trailing spaces are allowed.
            options: See `seq2sum.CallOptions`.

        Raises:
            InvalidQuestion: The question is malformed, or too long for the version.
            CallError: The call failed; the subclass says why.
            UnexpectedResponse: The server's model is not a seq2sum model.
        """
        target, deadline = self._resolve(**options)
        connection = self._open(target)
        if connection.coalescer is not None:
            answer: Answer = connection.coalescer.submit(
                calls.mergeable(question, target), target, deadline
            )
        else:
            make = partial(calls.predict, Chunk([question], [encoded(question)]))
            answer = connection.call_with_shadow(make, target, deadline).answer(0)
        if answer.error:
            raise answer.error
        return answer

    def add_many(
        self, questions: Iterable[Question], **options: Unpack[CallOptions]
    ) -> list[Answer]:
        """Returns the answers to many questions, in order, with as few RPCs as practical.

        An invalid question does not affect the others: its `Answer` has an `error` and no text.
        RPCs that the server refuses for overload are retried with backoff, within the timeout.

        Args:
            questions: Questions as in `add`.
            options: See `seq2sum.CallOptions`; the timeout is for all RPCs together.

        Raises:
            CallError: A call failed; the subclass says why.
            UnexpectedResponse: The server's model is not a seq2sum model.
            TypeError: `questions` is a single text.
        """
        parts = self._columns(questions, **options)
        return [answer for part in parts for answer in part]

    def add_columns(self, questions: Iterable[Question], **options: Unpack[CallOptions]) -> Columns:
        """Returns the answers as `add_many` does, by column: no object is created for a row."""
        return Columns.concat(self._columns(questions, **options))

    def add_stream(
        self,
        questions: Iterable[Question],
        *,
        max_in_flight: int | None = None,
        batch_size: int = ROWS_PER_CALL,
        **options: Unpack[CallOptions],
    ) -> Iterator[Answer]:
        """Yields the answers to any number of questions, in order, in bounded memory.

        Args:
            questions: Questions as in `add`, from any iterable; it is read as answers are taken.
            max_in_flight: Most RPCs in flight; None for the client's limit, or if it has none
                for 8, and up to 64 RPCs of few rows.
            batch_size: Questions in one RPC; 1 to answer a slow source line by line.
            options: See `seq2sum.CallOptions`; the timeout is for each RPC.

        Yields:
            Answers; that of an invalid question has an `error`.

        Raises:
            CallError: An RPC failed; the subclass says why. Earlier answers have been yielded.
            UnexpectedResponse: The server's model is not a seq2sum model.
            TypeError: `questions` is a single text.
        """
        parts = self.stream_columns(
            questions, max_in_flight=max_in_flight, batch_size=batch_size, **options
        )
        return (answer for part in parts for answer in part)

    def stream_columns(
        self,
        questions: Iterable[Question],
        *,
        max_in_flight: int | None = None,
        batch_size: int = ROWS_PER_CALL,
        **options: Unpack[CallOptions],
    ) -> Iterator[Columns]:
        """Yields the answers as `add_stream` does, by column: one `Columns` for each RPC."""
        self._resolve(**options)  # raises for invalid options before the first answer is taken
        rows = integer("batch_size", batch_size, least=1, most=MAX_BATCH_SIZE)
        source = chunks(checked_collection(questions), rows=rows)
        started = self._started(source, lambda: self._resolve(**options))
        return self._pipeline(started, self._stream_limit(max_in_flight, rows))

    def explain(self, question: Question, **options: Unpack[CallOptions]) -> Explanation:
        """Returns the network's probabilities for each position of the answer to one question.

        Raises:
            InvalidQuestion: The question is malformed, or too long for the version.
            CallError: The call failed; the subclass says why.
            UnexpectedResponse: The server's model is not a seq2sum model.
        """
        target, deadline = self._resolve(**options)
        return self._open(target).call(calls.explain(question, target.servable), target, deadline)

    def describe(self, **options: Unpack[CallOptions]) -> Description:
        """Returns the signatures of a model version, and how many digits it accepts.

        Raises:
            CallError: The call failed; the subclass says why.
            UnexpectedResponse: The reply has no signatures.
        """
        target, deadline = self._resolve(**options)
        return self._open(target).call(calls.describe(target.servable), target, deadline)

    def _columns(
        self, questions: Iterable[Question], **options: Unpack[CallOptions]
    ) -> list[Columns]:
        """Returns the answers of all RPCs that these questions need."""
        target, deadline = self._resolve(**options)
        source = chunks(checked_collection(questions))
        first = list(islice(source, 2))
        if len(first) < 2:  # a single call needs no future, which would cost more
            connection = self._open(target)
            return [
                connection.call_with_retries(partial(calls.predict, chunk), target, deadline)
                for chunk in first
            ]
        started = self._started(chain(first, source), lambda: (target, deadline))
        return list(self._pipeline(started, self._stream_limit()))

    def _started(
        self, source: Iterable[Chunk], resolve: Callable[[], tuple[CallTarget, Deadline]]
    ) -> Iterator[PendingCall[Columns]]:
        self._check_open()
        for chunk in source:
            target, deadline = resolve()
            yield self._open(target).start(partial(calls.predict, chunk), target, deadline)
