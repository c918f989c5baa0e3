"""A server for tests of applications that use this client: real gRPC, no TensorFlow, no model.

It speaks the protocol over a loopback port and answers every question by arithmetic.

    with seq2sum.testing.FakeServer() as server, seq2sum.Client(server.target) as client:
        assert client.add("53+42").value == 95

What goes wrong in production can be made to go wrong here: `fail`, `delay`, other versions and
labels, wrong answers.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Self

import grpc
from google.protobuf.message import Message

from seq2sum import model_versions
from seq2sum._errors import UNKNOWN_LABEL
from seq2sum._methods import METHODS, Method
from seq2sum._numbers import LONGEST, real, seconds, whole
from seq2sum.addition import contract, fake_replies
from seq2sum.protocol import predict_pb2

__all__ = ["FakeServer", "Seen"]

MOST_SEEN = 10_000
"""Calls that are remembered."""
THREADS = 16
"""Calls that are answered at a time; one that is delayed holds its thread."""


@dataclass(frozen=True, slots=True)
class Seen:
    """A call that the server got."""

    method: str
    """The RPC's name, like `Predict`."""
    questions: tuple[bytes, ...]
    """Its questions; empty for other methods."""
    version: int | None
    """The version that it asked for; None for none."""
    label: str | None
    """The label that it asked for; None for none."""
    metadata: tuple[tuple[str, str | bytes], ...]
    """Its headers."""
    seconds: float | None
    """What was left of its deadline; None for none."""


class FakeServer:
    """A seq2sum server in this process. Start it by `with`, or by `start` and `stop`.

    Args:
        versions: Versions that are AVAILABLE; the largest is the latest.
        labels: Version by label.
        model: The name of the model that it serves.
        digits: Most digits of an operand.
        answer: What a version answers to two operands, as text or bytes; the true sum if left out.
        confidence: The probability that it gives to every answer.
        delay: Seconds before each reply.
        host: Address to listen on.
        port: Port to listen on; 0 for a free one.
    """

    def __init__(
        self,
        *,
        versions: Iterable[int] = (1,),
        labels: Mapping[str, int] | None = None,
        model: str = contract.MODEL_NAME,
        digits: int = 3,
        answer: Callable[[int, int, int], str | bytes] | None = None,
        confidence: float = 0.99,
        delay: float = 0.0,
        host: str = "127.0.0.1",
        port: int = 0,
        credentials: grpc.ServerCredentials | None = None,
    ) -> None:
        self.versions = [_version(each) for each in versions]
        self.labels = {label: _version(each) for label, each in (labels or {}).items()}
        self.model = model
        self.digits = whole("digits", digits, least=1)
        self.delay = seconds("delay", delay, most=LONGEST)
        self.calls: deque[Seen] = deque(maxlen=MOST_SEEN)
        """Every call that came, the last ones if there were very many."""
        self.hold: Callable[[Seen], object] = lambda _: None
        """Called with each call before it is answered; what it waits for, the call waits for."""
        self._answer: Callable[[int, int, int], str | bytes]
        self._answer = answer or (lambda _, a, b: str(a + b))
        self._confidence = real("confidence", confidence, most=1, expected="a number from 0 to 1")
        self._failures: deque[tuple[grpc.StatusCode, str]] = deque()
        self._address = host, whole("port", port, least=0, most=65535)
        self._credentials = credentials
        self._server: grpc.Server | None = None
        self._stopped = threading.Event()

    @property
    def target(self) -> str:
        """Where a client finds it."""
        return "{}:{}".format(*self._address)

    def fail(self, code: grpc.StatusCode, details: str = "made to fail", *, times: int = 1) -> None:
        """Makes the next calls fail with this status."""
        self._failures.extend([(code, details)] * whole("times", times, least=0))

    def start(self) -> Self:
        """Listens. A server that was stopped can be started again, on the same port."""
        self._stopped.clear()
        server = grpc.server(
            ThreadPoolExecutor(THREADS),
            options=(
                ("grpc.max_receive_message_length", -1),
                ("grpc.max_send_message_length", -1),
                ("grpc.so_reuseport", 0),
            ),
        )
        server.add_generic_rpc_handlers((_Handlers(self),))
        address = "{}:{}".format(*self._address)
        port = (
            server.add_insecure_port(address)
            if self._credentials is None
            else server.add_secure_port(address, self._credentials)
        )
        self._address = (self._address[0], port)
        server.start()
        self._server = server
        return self

    def stop(self) -> None:
        """Ends at once: calls under way fail with UNAVAILABLE or CANCELLED."""
        self._stopped.set()
        if self._server is not None:
            self._server.stop(None).wait()
            self._server = None

    def __enter__(self) -> Self:
        """The server, listening."""
        return self.start()

    def __exit__(self, *_: object) -> None:
        """Stops it."""
        self.stop()

    def respond(self, method: str, request: Any, context: grpc.ServicerContext) -> Message:
        """The reply to a call; not for users."""
        spec = request.model_spec
        questions = _questions(method, request)
        seen = _seen(method, questions, spec, context)
        self.calls.append(seen)
        if self.delay:
            self._stopped.wait(seconds("delay", self.delay, most=LONGEST))
        self.hold(seen)
        if self._failures:
            context.abort(*self._failures.popleft())
        if method == "GetModelStatus":
            return fake_replies.states(self._known(seen, spec.name, context))
        version = self._version(seen, spec.name, context)
        if method == "GetModelMetadata":
            return fake_replies.metadata(spec.name, version, self.digits)
        texts, statuses = self._answers(version, questions)
        if spec.signature_name in ("", contract.DEFAULT.name):
            return fake_replies.answers(spec.name, version, texts, statuses, self._confidence)
        if spec.signature_name == contract.DETAILED.name:
            return fake_replies.probabilities(
                spec.name, version, texts, statuses, self._confidence, self.digits
            )
        details = f'Serving signature key "{spec.signature_name}" not found.'
        context.abort(grpc.StatusCode.FAILED_PRECONDITION, details)
        raise AssertionError("abort does not return")

    def _known(self, seen: Seen, model: str, context: grpc.ServicerContext) -> list[int]:
        """The versions that a GetModelStatus is for; labels are ignored, as on a real server."""
        known = self.versions if model == self.model else []
        if not known:
            details = f"Could not find any versions of model {model}"
            context.abort(grpc.StatusCode.NOT_FOUND, details)
        if seen.version is None:
            return known
        if seen.version not in known:
            details = f"Could not find version {seen.version} of model {model}"
            context.abort(grpc.StatusCode.NOT_FOUND, details)
        return [seen.version]

    def _version(self, seen: Seen, model: str, context: grpc.ServicerContext) -> int:
        """The version that a call is for, in the order of a real server's checks."""
        if seen.label is not None and seen.label not in self.labels:
            details = f"{UNKNOWN_LABEL}: {seen.label}"
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, details)
        wanted = seen.version if seen.label is None else self.labels[seen.label]
        version = max(self.versions, default=None) if wanted is None else wanted
        if model != self.model or version not in self.versions:
            which = f"Latest({model})" if wanted is None else f"Specific({model}, {wanted})"
            context.abort(grpc.StatusCode.NOT_FOUND, f"Servable not found for request: {which}")
        assert version is not None  # it is one of the versions
        return version

    def _answers(
        self, version: int, questions: Iterable[bytes]
    ) -> tuple[list[str | bytes], list[int]]:
        """A text and a status for each question."""
        texts: list[str | bytes] = []
        statuses = []
        for question in questions:
            pair = contract.operands(question)
            status = contract.status_of_operands(pair, digits=self.digits)
            statuses.append(int(status))
            texts.append(self._answer(version, *map(int, pair)) if pair and not status else "")
        return texts, statuses


def _version(number: int) -> int:
    return whole("version", number, least=0, most=model_versions.LARGEST_VERSION)


def _questions(method: str, request: Any) -> tuple[bytes, ...]:
    if method != "Predict":
        return ()
    return tuple(request.inputs[contract.QUESTIONS.name].string_val)


def _seen(
    method: str,
    questions: tuple[bytes, ...],
    spec: predict_pb2.ModelSpec,
    context: grpc.ServicerContext,
) -> Seen:
    choice = spec.WhichOneof("version_choice")
    return Seen(
        method,
        questions,
        spec.version.value if choice == "version" else None,
        spec.version_label if choice == "version_label" else None,
        tuple((key, value) for key, value in context.invocation_metadata()),
        context.time_remaining(),
    )


class _Handlers(grpc.GenericRpcHandler):
    """The methods of the wire, on a fake server."""

    def __init__(self, server: FakeServer) -> None:
        self._handlers = {method.path: self._handler(server, method) for method in METHODS}

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> Any:
        """The handler of a method, or None: gRPC answers UNIMPLEMENTED itself."""
        return self._handlers.get(handler_call_details.method)

    @staticmethod
    def _handler(server: FakeServer, method: Method[Any, Any]) -> Any:
        name = method.path.rpartition("/")[2]
        return grpc.unary_unary_rpc_method_handler(
            lambda request, context: server.respond(name, request, context),
            request_deserializer=method.request.FromString,
            response_serializer=method.response.SerializeToString,
        )
