"""The errors that the client raises, by cause.

Seq2SumError
 +- InvalidQuestion (ValueError)      the question: not a+b, or too long for the version
 +- CallError                         the RPC failed
 |   +- ModelNotFound                 the server does not serve this model
 |   +- VersionNotFound               the server does not serve this version or label of it
 |   +- InvalidRequest                the server does not accept the request
 |   |   +- InvalidInput (ValueError)  the inputs do not fit the model's signature: nothing was sent
 |   +- DeadlineExceeded (TimeoutError)    no reply within the timeout
 |   +- Unavailable (ConnectionError)      the server cannot be reached, or the connection broke
 |   +- Overloaded                    too many calls at once
 +- UnexpectedResponse                the reply breaks the serving contract
"""

from __future__ import annotations

import copy
from collections.abc import Callable

import grpc

from seq2sum._connection_hints import ANONYMOUS, ClientIdentity, with_hint
from seq2sum._servable import Servable


class Seq2SumError(Exception):
    """The base class of all errors that this package raises on purpose."""


class CallError(Seq2SumError):
    """An RPC failed; the subclass says why."""

    def __init__(
        self, details: str, *, code: grpc.StatusCode, target: str, servable: Servable
    ) -> None:
        self.details = details
        self.code = code
        self.target = target
        self.model = servable.model
        self.version = servable.version
        self.label = servable.label
        super().__init__(f"{details} [{code.name} from {target}, {servable}]")

    def __reduce__(self) -> tuple[Callable[..., CallError], tuple[object, ...]]:
        """Makes errors picklable, for multiprocessing."""
        servable = Servable(self.model, self.version, self.label)
        return _rebuilt, (type(self), self.details, self.code, self.target, servable)


class ModelNotFound(CallError):
    """The server does not serve this model, or no version of it is available."""


class VersionNotFound(CallError):
    """The server does not serve this version of the model, or no version has this label."""


class InvalidRequest(CallError):
    """The server does not accept the request: it may serve another kind of model."""


class InvalidInput(InvalidRequest, ValueError):
    """The inputs do not fit the signature of the model version. Nothing was sent."""


class DeadlineExceeded(CallError, TimeoutError):
    """No reply came within the timeout."""


class Unavailable(CallError, ConnectionError):
    """No server could be reached, or the connection broke during the call."""


class Overloaded(CallError):
    """Too many calls or questions at once, at the client or at the server."""


class UnexpectedResponse(Seq2SumError):
    """The reply breaks the serving contract: the server's model is not of the expected kind."""

    def at(self, target: str, servable: Servable) -> UnexpectedResponse:
        """Returns a copy that names the server and the model."""
        return UnexpectedResponse(f"{self} [from {target}, {servable}]")


UNKNOWN_LABEL = "Unrecognized servable version label"
"""Start of the INVALID_ARGUMENT for a label that no version has (tensorflow/serving's
model_servers/server_core.cc)."""

_BY_CODE: dict[grpc.StatusCode, type[CallError]] = {
    grpc.StatusCode.INVALID_ARGUMENT: InvalidRequest,
    grpc.StatusCode.FAILED_PRECONDITION: InvalidRequest,
    grpc.StatusCode.OUT_OF_RANGE: InvalidRequest,
    grpc.StatusCode.UNIMPLEMENTED: InvalidRequest,
    grpc.StatusCode.DEADLINE_EXCEEDED: DeadlineExceeded,
    grpc.StatusCode.UNAVAILABLE: Unavailable,
    grpc.StatusCode.RESOURCE_EXHAUSTED: Overloaded,
}


def error_of(
    code: grpc.StatusCode,
    details: str | None,
    *,
    target: str,
    servable: Servable,
    identity: ClientIdentity = ANONYMOUS,
) -> CallError:
    """Returns the error for a gRPC status."""
    details = details or "no details given"
    # Behind a proxy that never replies, calls run into their deadlines.
    late = code is grpc.StatusCode.DEADLINE_EXCEEDED and identity.proxy is not None
    if code is grpc.StatusCode.UNAVAILABLE or late:
        details = with_hint(details, identity)
    pinned = servable.version is not None or servable.label is not None
    if code is grpc.StatusCode.NOT_FOUND:
        kind: type[CallError] = VersionNotFound if pinned else ModelNotFound
    elif code is grpc.StatusCode.INVALID_ARGUMENT and details.startswith(UNKNOWN_LABEL):
        kind = VersionNotFound
    else:
        kind = _BY_CODE.get(code, CallError)
    return kind(details, code=code, target=target, servable=servable)


INPUT_INDEPENDENT = (DeadlineExceeded, ModelNotFound, Overloaded, Unavailable, VersionNotFound)
INPUT_INDEPENDENT_CODES = ("CANCELLED", "PERMISSION_DENIED", "UNAUTHENTICATED", "UNIMPLEMENTED")


def is_input_independent(error: Exception) -> bool:
    """Returns whether a call with other inputs would fail with the same error."""
    code = error.code.name if isinstance(error, CallError) else None
    return isinstance(error, INPUT_INDEPENDENT) or code in INPUT_INDEPENDENT_CODES


def copy_error(error: BaseException) -> BaseException:
    """Returns a copy to raise in one more caller: each caller needs its own traceback."""
    fresh = copy.copy(error)
    fresh.__cause__ = error.__cause__ or error
    return fresh


def invalid_input(problem: str, target: str, servable: Servable) -> InvalidInput:
    """Returns the error of a request that the client refuses to send."""
    code = grpc.StatusCode.INVALID_ARGUMENT
    return InvalidInput(problem, code=code, target=target, servable=servable)


def client_closed(target: str, servable: Servable) -> CallError:
    """Returns the error of a call that was cancelled because its client was closed."""
    code = grpc.StatusCode.CANCELLED
    return CallError("the client was closed", code=code, target=target, servable=servable)


def deadline_exceeded(target: str, servable: Servable) -> DeadlineExceeded:
    """Returns the error of a call that the client did not send, or stopped waiting for, in time."""
    code = grpc.StatusCode.DEADLINE_EXCEEDED
    return DeadlineExceeded("no answer in time", code=code, target=target, servable=servable)


def overloaded(pending: int, target: str, servable: Servable) -> Overloaded:
    """Returns the error of a request that the client refuses to queue."""
    details = f"{pending} requests are waiting for a call already: send fewer at once"
    code = grpc.StatusCode.RESOURCE_EXHAUSTED
    return Overloaded(details, code=code, target=target, servable=servable)


def _rebuilt(
    kind: type[CallError], details: str, code: grpc.StatusCode, target: str, servable: Servable
) -> CallError:
    return kind(details, code=code, target=target, servable=servable)
