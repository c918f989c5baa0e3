"""The synchronous client."""

from __future__ import annotations

import threading
import time
import warnings
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from itertools import chain, islice
from typing import Self, Unpack

import grpc

from seq2sum import _calls, _forks
from seq2sum._base_client import BaseClient
from seq2sum._calls import ROWS_PER_CALL, PendingCall
from seq2sum._connection import Connection
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
from seq2sum.addition.chunks import MAX_BATCH_SIZE, Chunk, checked_collection, chunks
from seq2sum.addition.description import Description
from seq2sum.addition.explanation import Explanation

CLOSE_TIMEOUT = 1.0
"""Seconds to wait for a channel to close when the program is interrupted."""


class Client(BaseClient):
    """A client of a seq2sum model on a TensorFlow Serving or `seq2sum-serve` server.

    Safe to use from several threads, and in a child process after a fork, where it opens a new
    channel. Close it, or use it in a `with` statement.

    Example:
        with seq2sum.Client("localhost:8500") as client:
            print(client.add("53+42").value)
    """

    _connection: Connection | None

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
        (target, deadline), connection = self._resolve(**options), self._open()
        if connection.coalescer is not None:
            answer = connection.coalescer.add(question, target, deadline)
        else:
            [chunk] = chunks([question])
            [answer] = connection.predict(chunk, target, deadline).answers()
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
            max_in_flight: Most RPCs in flight; None for the client's limit.
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
        limit = self.max_in_flight if max_in_flight is None else max_in_flight
        return self._pipeline(
            chunks(checked_collection(questions), rows=rows),
            lambda: self._resolve(**options),
            integer("max_in_flight", limit, least=1),
        )

    def explain(self, question: Question, **options: Unpack[CallOptions]) -> Explanation:
        """Returns the network's probabilities for each position of the answer to one question.

        Raises:
            InvalidQuestion: The question is malformed, or too long for the version.
            CallError: The call failed; the subclass says why.
            UnexpectedResponse: The server's model is not a seq2sum model.
        """
        target, deadline = self._resolve(**options)
        return self._open().call(calls.explain(question, target.servable), target, deadline)

    def versions(self, **options: Unpack[CallOptions]) -> list[VersionStatus]:
        """Returns the status of every version of the model that the server knows, newest first.

        Args:
            options: See `seq2sum.CallOptions`; with a version, of that version alone. Labels are
                ignored.

        Raises:
            CallError: The call failed; the subclass says why.
        """
        target, deadline = self._resolve(GET_MODEL_STATUS, **options)
        return self._open().call(_calls.statuses(target.servable), target, deadline)

    def describe(self, **options: Unpack[CallOptions]) -> Description:
        """Returns the signatures of a model version, and how many digits it accepts.

        Raises:
            CallError: The call failed; the subclass says why.
            UnexpectedResponse: The reply has no signatures.
        """
        target, deadline = self._resolve(**options)
        return self._open().call(calls.describe(target.servable), target, deadline)

    def wait_until_available(
        self, *, version: int | None = None, label: str | None = None, timeout: float | None = 30.0
    ) -> VersionStatus:
        """Waits until the model, a given version of it, or a version with this label is AVAILABLE.

        A server that cannot be reached yet is waited for too.

        Args:
            version: A model version; None for any.
            label: A label; cannot be combined with a version.
            timeout: Seconds; None for no limit.

        Returns:
            The version that is AVAILABLE.

        Raises:
            DeadlineExceeded: No such version is AVAILABLE in time; the message has the last status.
            CallError: The server cannot become ready by waiting.
        """
        target = CallTarget(Servable(self.model, version, label))
        wait = AvailabilityWait(target.servable, Deadline(timeout), target=self.target)
        while True:
            call, deadline = wait.poll()
            try:
                statuses = self._open().call(call, target, deadline)
            except Seq2SumError as error:
                wait.failed(error)
            else:
                if available := wait.available(statuses):
                    return available
            time.sleep(wait.next_pause())

    def close(self) -> None:
        """Closes the channel. Calls in flight fail; later ones raise RuntimeError."""
        with self._lock:
            self._closed, connection, self._connection = True, self._connection, None
        if connection is not None:
            connection.close()

    def __enter__(self) -> Self:
        """Returns the client itself."""
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """Closes the client."""
        if kind is None or issubclass(kind, Exception):
            self.close()
            return
        # Ctrl-C may interrupt gRPC while it starts a call, and then closing the channel can hang.
        closing = threading.Thread(target=self.close, daemon=True)
        closing.start()
        closing.join(CLOSE_TIMEOUT)

    def __del__(self) -> None:
        if getattr(self, "_connection", None) is not None:
            warnings.warn(f"unclosed {self!r}", ResourceWarning, stacklevel=2, source=self)
            self.close()

    def _reset_after_fork(self) -> None:
        _forks.keep(getattr(self, "_connection", None))
        self._lock = threading.Lock()
        self._connection = None

    def _open(self) -> Connection:
        _forks.gate.wait_for_forks()
        if self._connection is not None:
            return self._connection
        with self._lock, _forks.gate:
            self._check_open()
            if self._connection is None:
                self._connection = Connection(
                    self._channel(),
                    address=self.target,
                    identity=self._identity(),
                    max_in_flight=self.max_in_flight,
                    headers=self._headers,
                    coalescing=self.coalescing,
                    shadow=self.shadow,
                )
            return self._connection

    def _channel(self) -> grpc.Channel:
        common = (self._current_channel_options(), self._compression)
        if self._tls is None:
            channel = grpc.insecure_channel(self._address, *common)
        else:
            channel = grpc.secure_channel(self._address, self._tls.credentials(), *common)
        return grpc.intercept_channel(channel, *self._interceptors)

    def _columns(
        self, questions: Iterable[Question], **options: Unpack[CallOptions]
    ) -> list[Columns]:
        """Returns the answers of all RPCs that these questions need."""
        target, deadline = self._resolve(**options)
        source = chunks(checked_collection(questions))
        first = list(islice(source, 2))
        if len(first) < 2:  # a single call needs no future, which would cost more
            return [self._open().predict_with_retries(chunk, target, deadline) for chunk in first]
        source = chain(first, source)
        return list(self._pipeline(source, lambda: (target, deadline), self.max_in_flight))

    def _pipeline(
        self,
        source: Iterator[Chunk],
        resolve: Callable[[], tuple[CallTarget, Deadline]],
        max_in_flight: int,
    ) -> Iterator[Columns]:
        """Yields the answers to chunks, in order, with several calls in flight."""
        connection = self._open()
        in_flight: deque[tuple[PendingCall[Columns], Chunk, CallTarget, Deadline]] = deque()
        try:
            for chunk in source:
                target, deadline = resolve()
                pending = connection.start_predict(chunk, target, deadline)
                in_flight.append((pending, chunk, target, deadline))
                while in_flight and (len(in_flight) >= max_in_flight or in_flight[0][0].done()):
                    yield connection.result_with_retries(*in_flight.popleft())
            while in_flight:
                yield connection.result_with_retries(*in_flight.popleft())
        finally:
            for pending, *_ in in_flight:
                pending.cancel()
