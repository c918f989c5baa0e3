"""The synchronous client."""

from __future__ import annotations

import threading
import time
import warnings
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from itertools import chain, islice
from types import TracebackType
from typing import Self, Unpack

import grpc

from seq2sum import _calls, _forks, _metadata
from seq2sum._configuration import Configured
from seq2sum._connection import Connection, Pending
from seq2sum._deadline import Deadline
from seq2sum._errors import Seq2SumError
from seq2sum._how import How, Pace, Plan, Route, many
from seq2sum._numbers import whole
from seq2sum._servable import Servable
from seq2sum._versions import Description, VersionStatus
from seq2sum._waiting import Awaited, poll_pauses
from seq2sum.addition.answers import Answer, Columns, Question
from seq2sum.addition.chunks import MOST_ROWS, ROWS_PER_CALL, Chunk, chunks
from seq2sum.addition.explanation import Explanation

LONGEST_CLOSE = 1.0
"""Seconds to wait for a channel to close when the program is being interrupted."""


class Client(Configured):
    """Asks a seq2sum model on a TensorFlow Serving or `seq2sum-serve` server.

    Safe to use from several threads, and in a child process after a fork: it opens a channel
    of its own there. Close it, or use it in a `with` statement. The keywords `how` of its
    methods are those of `seq2sum.How`: version, label, key, timeout, metadata.

    Example:
        with seq2sum.Client("localhost:8500") as client:
            print(client.add("53+42").value)
    """

    _connection: Connection | None

    def add(self, question: Question, **how: Unpack[How]) -> Answer:
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
            answer = connection.coalescer.add(question, route, deadline)
        else:
            [chunk] = chunks([question])
            [answer] = connection.ask(chunk, route, deadline).answers()
        if answer.error:
            raise answer.error
        return answer

    def add_many(self, questions: Iterable[Question], **how: Unpack[How]) -> list[Answer]:
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
        parts = self._parts(questions, Plan(**how))
        return [answer for part in parts for answer in part]

    def add_columns(self, questions: Iterable[Question], **how: Unpack[How]) -> Columns:
        """The same as `add_many` by column: no object is made for each row."""
        return Columns.joined(self._parts(questions, Plan(**how)))

    def add_stream(self, questions: Iterable[Question], **pace: Unpack[Pace]) -> Iterator[Answer]:
        """The answers to any number of questions, in their order, in bounded memory.

        Args:
            questions: Questions as in `add`, from any iterable; it is read as answers are taken.
            pace: See `seq2sum.Pace`; the timeout is for each RPC.

        Yields:
            Answers; a question that cannot be answered has one with an `error`.

        Raises:
            CallError: An RPC failed; the subclass says why. What came before has been yielded.
            UnexpectedResponse: The server answers, but it is no seq2sum model.
            TypeError: `questions` is a single text.
        """
        parts = self.stream_columns(questions, **pace)
        return (answer for part in parts for answer in part)

    def stream_columns(
        self, questions: Iterable[Question], **pace: Unpack[Pace]
    ) -> Iterator[Columns]:
        """The same as `add_stream` by column: one `Columns` for each RPC."""
        in_flight, rows = pace.pop("in_flight", None), pace.pop("rows", ROWS_PER_CALL)
        plan = Plan(**pace)  # type: ignore[misc]  # what is left are the keywords of How
        self._way(plan)  # mistakes are told now
        return self._pipeline(
            chunks(many(questions), rows=whole("rows", rows, least=1, most=MOST_ROWS)),
            lambda: self._way(plan),
            whole("in_flight", self.in_flight if in_flight is None else in_flight, least=1),
        )

    def explain(self, question: Question, **how: Unpack[How]) -> Explanation:
        """What the network thinks about each place of the answer to one question.

        Raises:
            InvalidQuestion: It is no question, or too long for the version.
            CallError: The call failed; the subclass says why.
            UnexpectedResponse: The server answers, but it is no seq2sum model.
        """
        plan = Plan(**how)
        route, deadline = self._way(plan)
        return self._open().do(_calls.explain(question, route.servable), route, deadline)

    def versions(self, **how: Unpack[How]) -> list[VersionStatus]:
        """Every version of the model that the server knows, newest first, with its state.

        Args:
            how: See `seq2sum.How`; with a version, that one alone is told. Servers ignore labels.

        Raises:
            CallError: The call failed; the subclass says why.
        """
        plan = Plan(**how)
        route = Route(Servable(self.model, plan.version), _metadata.checked(plan.metadata))
        deadline = self._deadline(plan.timeout)
        return self._open().do(_calls.statuses(route.servable), route, deadline)

    def describe(self, **how: Unpack[How]) -> Description:
        """What a model version can do: its signatures, and how many digits it knows.

        Raises:
            CallError: The call failed; the subclass says why.
            UnexpectedResponse: The reply has no signatures.
        """
        plan = Plan(**how)
        route, deadline = self._way(plan)
        return self._open().do(_calls.describe(route.servable), route, deadline)

    def wait_until_available(
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
                answer = self._open().do(call, route, Deadline(seconds))
            except Seq2SumError as error:
                awaited.refused(error)
            else:
                if found := awaited.found(answer):
                    return found
            awaited.check(pause)
            time.sleep(pause)
        raise AssertionError("pauses do not end")

    def close(self) -> None:
        """Closes the channel; calls under way fail, later ones are a mistake."""
        with self._lock:
            self._closed, connection, self._connection = True, self._connection, None
        if connection is not None:
            connection.close()

    def __enter__(self) -> Self:
        """The client itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Closes the client."""
        if kind is None or issubclass(kind, Exception):
            self.close()
            return
        # Ctrl-C may have come in the middle of gRPC beginning a call. To close the channel can
        # wait for that call for ever then; so it is waited for a moment only.
        closing = threading.Thread(target=self.close, daemon=True)
        closing.start()
        closing.join(LONGEST_CLOSE)

    def __del__(self) -> None:
        if getattr(self, "_connection", None) is not None:
            warnings.warn(f"unclosed {self!r}", ResourceWarning, stacklevel=2, source=self)
            self.close()

    def _forget(self) -> None:
        _forks.keep(getattr(self, "_connection", None))
        self._lock = threading.Lock()
        self._connection = None

    def _open(self) -> Connection:
        _forks.gate.let_forks_pass()
        if self._connection is not None:
            return self._connection
        with self._lock, _forks.gate:
            self._check_open()
            if self._connection is None:
                self._connection = Connection(
                    self._channel(),
                    target=self.target,
                    shown=self._shown_now(),
                    in_flight=self.in_flight,
                    headers=self._headers,
                    coalesce=self.coalesce,
                    shadow=self.shadow,
                )
            return self._connection

    def _channel(self) -> grpc.Channel:
        options = self._options_now()
        if self._tls is None:
            channel = grpc.insecure_channel(self._address, options, self._compression)
        else:
            channel = grpc.secure_channel(
                self._address, self._tls.credentials(), options, self._compression
            )
        return (
            grpc.intercept_channel(channel, *self._interceptors) if self._interceptors else channel
        )

    def _parts(self, questions: Iterable[Question], plan: Plan) -> list[Columns]:
        """The answers of all calls that these questions need."""
        route, deadline = self._way(plan)
        source = chunks(many(questions))
        begun = list(islice(source, 2))
        if len(begun) < 2:  # a single call is made right here: a future would cost more
            return [self._open().ask_patiently(chunk, route, deadline) for chunk in begun]
        all_of_them = chain(begun, source)
        return list(self._pipeline(all_of_them, lambda: (route, deadline), self.in_flight))

    def _pipeline(
        self, source: Iterator[Chunk], way: Callable[[], tuple[Route, Deadline]], in_flight: int
    ) -> Iterator[Columns]:
        """Answers of chunks, in order, with some of the calls under way at a time."""
        connection = self._open()
        under_way: deque[tuple[Pending[Columns], Chunk, Route, Deadline]] = deque()
        try:
            for chunk in source:
                route, deadline = way()
                pending = connection.begin(_calls.predict(chunk, route.servable), route, deadline)
                under_way.append((pending, chunk, route, deadline))
                while under_way and (len(under_way) >= in_flight or under_way[0][0].done()):
                    yield connection.collect(*under_way.popleft())
            while under_way:
                yield connection.collect(*under_way.popleft())
        finally:
            for pending, *_ in under_way:
                pending.cancel()
