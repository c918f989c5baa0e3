"""The synchronous client: a channel, deadlines, and the pure core around them."""

from __future__ import annotations

import time
from collections.abc import Iterable
from types import TracebackType
from typing import Final, Self, cast

import grpc

from seq2sum import _calls, contract
from seq2sum._answers import Answer, VersionStatus
from seq2sum._errors import error_of
from seq2sum._methods import GET_MODEL_STATUS, PREDICT, Call, Request, Response


class Default:
    """Stands for "what the client was made with", where None already means "no deadline"."""

    def __repr__(self) -> str:
        """Short, for signatures in documentation."""
        return "DEFAULT"


DEFAULT: Final = Default()
DEFAULT_TARGET = "localhost:8500"
DEFAULT_TIMEOUT = 10.0
"""Seconds. A loaded server answers in milliseconds; what takes longer is worth an error."""

LONGEST_TIMEOUT = 1e8
"""Seconds, three years: what is longer does not fit gRPC's header, and means no limit."""

CHANNEL_OPTIONS = (
    # Replies of any size, whatever a later version answers: gRPC stops at 4 MB by default.
    ("grpc.max_receive_message_length", -1),
    ("grpc.max_send_message_length", -1),
)


class Client:
    """Asks a seq2sum model on a TensorFlow Serving or `seq2sum-serve` server.

    Safe to use from several threads. Close it, or use it in a `with` statement.

    Args:
        target: `host:port` of the server's gRPC port, or any gRPC target string.
        model: Name under which the server serves the model.
        timeout: Seconds for each method call, all of its RPCs together; None for no limit.

    Example:
        with seq2sum.Client("localhost:8500") as client:
            print(client.add("53+42").value)
    """

    def __init__(
        self,
        target: str = DEFAULT_TARGET,
        *,
        model: str = contract.MODEL_NAME,
        timeout: float | None = DEFAULT_TIMEOUT,
    ) -> None:
        self.target = target
        self.model = model
        self.timeout = timeout
        self._channel = grpc.insecure_channel(target, options=CHANNEL_OPTIONS)
        self._predict = PREDICT.bind(self._channel)
        self._get_model_status = GET_MODEL_STATUS.bind(self._channel)

    def add(
        self,
        question: str | bytes,
        *,
        version: int | None = None,
        timeout: float | Default | None = DEFAULT,
    ) -> Answer:
        """The answer to one question like `"53+42"`.

        Args:
            question: Two decimal numbers and a plus; trailing spaces are allowed.
            version: A model version to ask; None for the latest that is available.
            timeout: Seconds for this call; None for no limit.

        Raises:
            InvalidQuestion: It is no question, or too long for the version.
            CallError: The call failed; the subclass says why.
            UnexpectedResponse: The server answers, but it is no seq2sum model.
        """
        [answer] = self.add_many([question], version=version, timeout=timeout)
        if answer.error:
            raise answer.error
        return answer

    def add_many(
        self,
        questions: Iterable[str | bytes],
        *,
        version: int | None = None,
        timeout: float | Default | None = DEFAULT,
    ) -> list[Answer]:
        """The answers to many questions, in their order, by as few RPCs as make sense.

        A question that cannot be answered costs the others nothing: its `Answer` has an
        `error` and no text.

        Args:
            questions: Questions as in `add`.
            version: A model version to ask; None for the latest that is available.
            timeout: Seconds for all of them together; None for no limit.

        Raises:
            CallError: A call failed; the subclass says why.
            UnexpectedResponse: The server answers, but it is no seq2sum model.
            TypeError: `questions` is a single text.
        """
        if isinstance(questions, str | bytes):
            raise TypeError("add_many takes many questions; for a single one there is add")
        rows = list(questions)
        deadline = self._deadline(timeout)
        result: list[Answer] = []
        for start in range(0, len(rows), _calls.ROWS_PER_CALL):
            chunk = rows[start : start + _calls.ROWS_PER_CALL]
            request = _calls.predict_request(chunk, model=self.model, version=version)
            response = self._call(self._predict, request, deadline, version)
            result.extend(_calls.answers(chunk, response))
        return result

    def versions(self, *, timeout: float | Default | None = DEFAULT) -> list[VersionStatus]:
        """Every version of the model that the server knows, newest first, with its state.

        Args:
            timeout: Seconds for this call; None for no limit.

        Raises:
            CallError: The call failed; the subclass says why.
        """
        deadline = self._deadline(timeout)
        request = _calls.status_request(model=self.model)
        response = self._call(self._get_model_status, request, deadline, None)
        return _calls.version_statuses(response)

    def close(self) -> None:
        """Closes the channel; calls in flight fail, later ones are a mistake."""
        self._channel.close()

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
        self.close()

    def _deadline(self, timeout: float | Default | None) -> _Deadline:
        return _Deadline(self.timeout if isinstance(timeout, Default) else timeout)

    def _call(
        self,
        method: Call[Request, Response],
        request: Request,
        deadline: _Deadline,
        version: int | None,
    ) -> Response:
        try:
            return method(request, timeout=deadline.remaining())
        except grpc.RpcError as error:
            call = cast("grpc.Call", error)  # what a failed unary call raises is both
            raise error_of(
                call.code(),
                call.details() or "no details given",
                target=self.target,
                model=self.model,
                version=version,
            ) from error


class _Deadline:
    """A moment on the monotonic clock, so that several RPCs share one timeout."""

    def __init__(self, timeout: float | None) -> None:
        if timeout is not None and not timeout >= 0:  # NaN is neither
            raise ValueError(f"timeout is in seconds, 0 or more, and not {timeout}")
        endless = timeout is None or timeout > LONGEST_TIMEOUT
        self._moment = None if endless else time.monotonic() + (timeout or 0.0)

    def remaining(self) -> float | None:
        """Seconds left, at least 0; None for no deadline."""
        return None if self._moment is None else max(0.0, self._moment - time.monotonic())
