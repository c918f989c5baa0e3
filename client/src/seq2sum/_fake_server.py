"""A gRPC server in this process, for tests of applications: functions in place of a model."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, Generic, Self, TypeVar

import grpc
from google.protobuf.message import Message

from seq2sum import _fake_signatures, model_versions
from seq2sum._errors import UNKNOWN_LABEL, UnexpectedResponse
from seq2sum._fake_signatures import FakeSignature
from seq2sum._methods import METHODS, Method
from seq2sum._nested_lists import InvalidValue
from seq2sum._numbers import LONGEST, integer, seconds
from seq2sum._predict_calls import DEFAULT_SIGNATURE
from seq2sum._tensor import Tensor
from seq2sum.protocol import predict_pb2

MAX_RECORDED_CALLS = 10_000
THREADS = 16
"""Calls that are handled at a time; a delayed call occupies its thread."""


@dataclass(frozen=True, slots=True)
class ReceivedCall:
    """A call that the server received."""

    method: str
    """The RPC's name, like `Predict`."""
    version: int | None
    """The requested version; None if the call has none."""
    label: str | None
    """The requested label; None if the call has none."""
    metadata: tuple[tuple[str, str | bytes], ...]
    """Its headers."""
    time_remaining: float | None
    """Seconds until its deadline; None if it has none."""
    inputs: Mapping[str, Tensor] = field(default_factory=dict)
    """The inputs of a Predict."""


Received = TypeVar("Received", bound=ReceivedCall)


class UnknownSignature(Exception):
    """A request names a signature that the model does not have."""

    def __init__(self, name: str) -> None:
        super().__init__(f'Serving signature key "{name}" not found.')


class ModelServer(Generic[Received]):
    """A server of a model with these signatures, as `seq2sum.testing.FakeServer` describes it.

    Args:
        received: The type of the recorded calls.
    """

    def __init__(
        self,
        received: type[Received],
        *,
        model: str,
        signatures: Mapping[str, FakeSignature] | None,
        versions: Iterable[int],
        labels: Mapping[str, int] | None,
        delay: float,
        host: str,
        port: int,
        credentials: grpc.ServerCredentials | None,
    ) -> None:
        self.versions = [_version(each) for each in versions]
        self.labels = {label: _version(each) for label, each in (labels or {}).items()}
        self.model = model
        self._received_type = received
        self.signatures = signatures
        self.delay = seconds("delay", delay, most=LONGEST)
        self.calls: deque[Received] = deque(maxlen=MAX_RECORDED_CALLS)
        """The calls received, at most the last `MAX_RECORDED_CALLS`."""
        self.before_reply: Callable[[Received], object] = lambda _: None
        """Called with each call before the reply is sent, on the call's thread: it may block."""
        self._failures: deque[tuple[grpc.StatusCode, str]] = deque()
        self._address = host, integer("port", port, least=0, most=65535)
        self._credentials = credentials
        self._server: grpc.Server | None = None
        self._stopped = threading.Event()

    @property
    def signatures(self) -> Mapping[str, FakeSignature] | None:
        """The signatures by name; they may be changed at any time, as `versions` and `labels`.

        Raises:
            TypeError: A value is not a `FakeSignature` with a `TensorSpec` for each tensor.
            ValueError: A dtype is not one of TensorFlow's names.
        """
        return self._signatures

    @signatures.setter
    def signatures(self, signatures: Mapping[str, FakeSignature] | None) -> None:
        for name, signature in (signatures or {}).items():
            _fake_signatures.check(name, signature)
        self._signatures = signatures

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
        try:
            return self._reply(method, request, context)
        except UnknownSignature as error:
            context.abort(grpc.StatusCode.FAILED_PRECONDITION, str(error))
        except _fake_signatures.InvalidOutput as error:
            context.abort(grpc.StatusCode.INTERNAL, str(error))
        except (InvalidValue, UnexpectedResponse) as error:
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, str(error))
        raise AssertionError("abort does not return")

    def _reply(self, method: str, request: Any, context: grpc.ServicerContext) -> Message:
        spec = request.model_spec
        call = self._received(method, request, context)
        self.calls.append(call)
        if self.delay:
            self._stopped.wait(seconds("delay", self.delay, most=LONGEST))
        self.before_reply(call)
        if self._failures:
            context.abort(*self._failures.popleft())
        if method == "GetModelStatus":
            return _fake_signatures.states(self._versions_of(call, spec.name, context))
        version = self._version_of(call, spec.name, context)
        if method not in ("GetModelMetadata", "Predict"):
            context.abort(grpc.StatusCode.UNIMPLEMENTED, f"the fake server has no {method}")
        if method == "GetModelMetadata":
            return self._metadata(spec.name, version)
        return self._predict(request, version)

    def _received(self, method: str, request: Any, context: grpc.ServicerContext) -> Received:
        spec = request.model_spec
        choice = spec.WhichOneof("version_choice")
        return self._received_type(
            method,
            spec.version.value if choice == "version" else None,
            spec.version_label if choice == "version_label" else None,
            tuple((key, value) for key, value in context.invocation_metadata()),
            context.time_remaining(),
            _fake_signatures.inputs(request) if method == "Predict" else {},
        )

    def _metadata(self, model: str, version: int) -> Message:
        declared = {
            name: (each.inputs, each.outputs) for name, each in (self.signatures or {}).items()
        }
        return _fake_signatures.metadata(model, version, declared)

    def _predict(self, request: predict_pb2.PredictRequest, version: int) -> Message:
        """Returns the reply to a Predict; raises for a request that does not fit the model."""
        name = request.model_spec.signature_name or DEFAULT_SIGNATURE
        signature = (self.signatures or {}).get(name)
        if signature is None:
            raise UnknownSignature(name)
        return _fake_signatures.predict(request, version, name, signature)

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


def _version(number: int) -> int:
    return integer("version", number, least=0, most=model_versions.LARGEST_VERSION)


def _handler(server: ModelServer[Any], method: Method[Any, Any]) -> grpc.GenericRpcHandler:
    service, name = method.path.strip("/").split("/")
    handler = grpc.unary_unary_rpc_method_handler(
        lambda request, context: server._respond(name, request, context),
        request_deserializer=method.request.FromString,
        response_serializer=method.response.SerializeToString,
    )
    return grpc.method_handlers_generic_handler(service, {name: handler})
