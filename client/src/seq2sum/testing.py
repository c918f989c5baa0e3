"""A server for tests of applications that use this client: real gRPC, no TensorFlow, no model.

It listens on a loopback port and answers every question by arithmetic.

    with seq2sum.testing.FakeServer() as server, seq2sum.Client(server.target) as client:
        assert client.add("53+42").value == 95

With `signatures`, it serves another model than addition: a function for each signature.

It can simulate what goes wrong in production: failures (`fail`), delays, other versions and labels,
wrong answers.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, Self

import grpc
from google.protobuf.message import Message

from seq2sum import _fake_signatures, model_versions
from seq2sum._errors import UNKNOWN_LABEL, UnexpectedResponse
from seq2sum._fake_signatures import FakeSignature
from seq2sum._methods import METHODS, Method
from seq2sum._nested_lists import InvalidValue
from seq2sum._numbers import LONGEST, integer, real, seconds
from seq2sum._tensor import Tensor
from seq2sum.addition import contract, fake_replies

__all__ = ["FakeServer", "FakeSignature", "ReceivedCall"]

MAX_RECORDED_CALLS = 10_000
THREADS = 16
"""Calls that are handled at a time; a delayed call occupies its thread."""


@dataclass(frozen=True, slots=True)
class ReceivedCall:
    """A call that the server received."""

    method: str
    """The RPC's name, like `Predict`."""
    questions: tuple[bytes, ...]
    """Its questions; empty for other methods and models."""
    version: int | None
    """The requested version; None if the call has none."""
    label: str | None
    """The requested label; None if the call has none."""
    metadata: tuple[tuple[str, str | bytes], ...]
    """Its headers."""
    time_remaining: float | None
    """Seconds until its deadline; None if it has none."""
    inputs: Mapping[str, Tensor] = field(default_factory=dict)
    """The inputs of a Predict for a model other than addition."""


class FakeServer:
    """A server in this process, for a `with` statement, or with `start` and `stop`.

    Args:
        versions: Versions that are AVAILABLE; the largest is the latest.
        labels: Version by label.
        model: The name of the served model.
        digits: Most digits of an operand.
        answer: Returns the answer for a version and two operands, as text or bytes; by default
            their sum.
        confidence: The confidence of every answer.
        signatures: Signatures by name, to serve another model than addition; `digits`, `answer`
            and `confidence` do not apply then.
        delay: Seconds before each reply.
        host: Address to listen on.
        port: Port to listen on; 0 for a free one.
        credentials: TLS credentials; None for an insecure port.
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
        signatures: Mapping[str, FakeSignature] | None = None,
        delay: float = 0.0,
        host: str = "127.0.0.1",
        port: int = 0,
        credentials: grpc.ServerCredentials | None = None,
    ) -> None:
        self.versions = [_version(each) for each in versions]
        self.labels = {label: _version(each) for label, each in (labels or {}).items()}
        self.model = model
        self.signatures = signatures
        """May be changed at any time, as `versions` and `labels`."""
        self.digits = integer("digits", digits, least=1)
        self.delay = seconds("delay", delay, most=LONGEST)
        self.calls: deque[ReceivedCall] = deque(maxlen=MAX_RECORDED_CALLS)
        """The calls received, at most the last `MAX_RECORDED_CALLS`."""
        self.before_reply: Callable[[ReceivedCall], object] = lambda _: None
        """Called with each call before the reply is sent, on the call's thread: it may block."""
        self._answer: Callable[[int, int, int], str | bytes]
        self._answer = answer or (lambda _, a, b: str(a + b))
        self._confidence = real("confidence", confidence, most=1, expected="a number from 0 to 1")
        self._failures: deque[tuple[grpc.StatusCode, str]] = deque()
        self._address = host, integer("port", port, least=0, most=65535)
        self._credentials = credentials
        self._server: grpc.Server | None = None
        self._stopped = threading.Event()

    @property
    def target(self) -> str:
        """The server's `host:port`."""
        return "{}:{}".format(*self._address)

    def fail(self, code: grpc.StatusCode, details: str = "made to fail", *, times: int = 1) -> None:
        """Makes the next calls fail with this status."""
        self._failures.extend([(code, details)] * integer("times", times, least=0))

    def start(self) -> Self:
        """Starts listening. A stopped server can be restarted, on the same port."""
        self._stopped.clear()
        server = grpc.server(
            ThreadPoolExecutor(THREADS),
            options=(
                ("grpc.max_receive_message_length", -1),
                ("grpc.max_send_message_length", -1),
                ("grpc.so_reuseport", 0),
            ),
        )
        server.add_generic_rpc_handlers([_handler(self, method) for method in METHODS])
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
        """Stops at once: calls in flight fail with UNAVAILABLE or CANCELLED."""
        self._stopped.set()
        if self._server is not None:
            self._server.stop(None).wait()
            self._server = None

    def __enter__(self) -> Self:
        """Starts the server."""
        return self.start()

    def __exit__(self, *_: object) -> None:
        """Stops the server."""
        self.stop()

    def _respond(self, method: str, request: Any, context: grpc.ServicerContext) -> Message:
        spec = request.model_spec
        call = _received(method, request, context, adds=self.signatures is None)
        self.calls.append(call)
        if self.delay:
            self._stopped.wait(seconds("delay", self.delay, most=LONGEST))
        self.before_reply(call)
        if self._failures:
            context.abort(*self._failures.popleft())
        if method == "GetModelStatus":
            return fake_replies.states(self._versions_of(call, spec.name, context))
        version = self._version_of(call, spec.name, context)
        if self.signatures is not None:
            return self._respond_by_signature(method, request, version, context)
        if method == "GetModelMetadata":
            return fake_replies.metadata(spec.name, version, self.digits)
        if method != "Predict":
            context.abort(grpc.StatusCode.UNIMPLEMENTED, f"the fake server has no {method}")
        texts, statuses = self._answers(version, call.questions)
        if spec.signature_name in ("", contract.DEFAULT.name):
            return fake_replies.answers(spec.name, version, texts, statuses, self._confidence)
        if spec.signature_name == contract.DETAILED.name:
            return fake_replies.probabilities(
                spec.name, version, texts, statuses, self._confidence, self.digits
            )
        details = f'Serving signature key "{spec.signature_name}" not found.'
        context.abort(grpc.StatusCode.FAILED_PRECONDITION, details)
        raise AssertionError("abort does not return")

    def _respond_by_signature(
        self, method: str, request: Any, version: int, context: grpc.ServicerContext
    ) -> Message:
        signatures, model = self.signatures or {}, request.model_spec.name
        if method == "GetModelMetadata":
            declared = {name: (each.inputs, each.outputs) for name, each in signatures.items()}
            return _fake_signatures.metadata(model, version, declared)
        if method != "Predict":
            context.abort(grpc.StatusCode.UNIMPLEMENTED, f"the fake server has no {method}")
        name = request.model_spec.signature_name or contract.DEFAULT.name
        if name not in signatures:
            details = f'Serving signature key "{name}" not found.'
            context.abort(grpc.StatusCode.FAILED_PRECONDITION, details)
        try:
            return _fake_signatures.predict(request, version, name, signatures[name])
        except (InvalidValue, UnexpectedResponse) as error:
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, str(error))
            raise AssertionError("abort does not return") from error

    def _versions_of(
        self, call: ReceivedCall, model: str, context: grpc.ServicerContext
    ) -> list[int]:
        """Returns the versions of a GetModelStatus reply; like real servers, ignores labels."""
        known = self.versions if model == self.model else []
        if not known:
            details = f"Could not find any versions of model {model}"
            context.abort(grpc.StatusCode.NOT_FOUND, details)
        if call.version is None:
            return known
        if call.version not in known:
            details = f"Could not find version {call.version} of model {model}"
            context.abort(grpc.StatusCode.NOT_FOUND, details)
        return [call.version]

    def _version_of(self, call: ReceivedCall, model: str, context: grpc.ServicerContext) -> int:
        """Returns the version that a call goes to; checks in the same order as a real server."""
        if call.label is not None and call.label not in self.labels:
            details = f"{UNKNOWN_LABEL}: {call.label}"
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, details)
        requested = call.version if call.label is None else self.labels[call.label]
        version = max(self.versions, default=None) if requested is None else requested
        if model != self.model or version not in self.versions:
            which = f"Latest({model})" if requested is None else f"Specific({model}, {requested})"
            context.abort(grpc.StatusCode.NOT_FOUND, f"Servable not found for request: {which}")
        assert version is not None  # it is in self.versions
        return version

    def _answers(
        self, version: int, questions: Iterable[bytes]
    ) -> tuple[list[str | bytes], list[int]]:
        """Returns a text and a status for each question."""
        texts: list[str | bytes] = []
        statuses = []
        for question in questions:
            pair = contract.operands(question)
            status = contract.status_of_operands(pair, digits=self.digits)
            statuses.append(int(status))
            texts.append(self._answer(version, *map(int, pair)) if pair and not status else "")
        return texts, statuses


def _version(number: int) -> int:
    return integer("version", number, least=0, most=model_versions.LARGEST_VERSION)


def _received(
    method: str, request: Any, context: grpc.ServicerContext, *, adds: bool
) -> ReceivedCall:
    spec, questions, inputs = request.model_spec, (), {}
    choice = spec.WhichOneof("version_choice")
    if method == "Predict" and adds:
        questions = tuple(request.inputs[contract.QUESTIONS.name].string_val)
    elif method == "Predict":
        inputs = _fake_signatures.inputs(request)
    return ReceivedCall(
        method,
        questions,
        spec.version.value if choice == "version" else None,
        spec.version_label if choice == "version_label" else None,
        tuple((key, value) for key, value in context.invocation_metadata()),
        context.time_remaining(),
        inputs,
    )


def _handler(server: FakeServer, method: Method[Any, Any]) -> grpc.GenericRpcHandler:
    service, name = method.path.strip("/").split("/")
    handler = grpc.unary_unary_rpc_method_handler(
        lambda request, context: server._respond(name, request, context),
        request_deserializer=method.request.FromString,
        response_serializer=method.response.SerializeToString,
    )
    return grpc.method_handlers_generic_handler(service, {name: handler})
