"""Everything that can go wrong, by whose fault it is.

Seq2SumError
 +- InvalidQuestion (ValueError)      the question: not a+b, or too long for the version
 +- CallError                         the call: the server said no, or nobody answered
 |   +- ModelNotFound                 the server does not serve this model
 |   +- VersionNotFound               the server does not serve this version or label of it
 |   +- InvalidRequest                the server does not accept such a request
 |   +- DeadlineExceeded (TimeoutError)    no answer within the time given
 |   +- Unavailable (ConnectionError)      no server there, or it went away
 |   +- Overloaded                    too much is asked at once
 +- UnexpectedResponse                the reply: it breaks the serving contract
"""

from __future__ import annotations

import copy
from collections.abc import Callable

import grpc

from seq2sum._refusal import NOTHING, Shown, explained
from seq2sum._servable import Servable


class Seq2SumError(Exception):
    """The root of all errors that this package raises on purpose."""


class InvalidQuestion(Seq2SumError, ValueError):
    """The question cannot be answered; asking again will not help."""


class CallError(Seq2SumError):
    """A call that brought no reply; the subclasses say why."""

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
        """Errors cross process boundaries, by multiprocessing for example."""
        servable = Servable(self.model, self.version, self.label)
        return _rebuilt, (type(self), self.details, self.code, self.target, servable)


class ModelNotFound(CallError):
    """The server does not serve this model, or no version of it is available."""


class VersionNotFound(CallError):
    """The server does not have this version of the model, or none under this label."""


class InvalidRequest(CallError):
    """The server does not accept such a request: another model than expected may be there."""


class DeadlineExceeded(CallError, TimeoutError):
    """No answer came within the time given."""


class Unavailable(CallError, ConnectionError):
    """No server could be reached, or the connection broke in mid-call."""


class Overloaded(CallError):
    """Too much is asked at once, here or at the server; ask fewer at once, or later."""


class UnexpectedResponse(Seq2SumError):
    """The reply does not keep the serving contract: it is not a seq2sum model that answers."""

    def at(self, target: str, servable: Servable) -> UnexpectedResponse:
        """The same, with the place where it happened."""
        return UnexpectedResponse(f"{self} [from {target}, {servable}]")


UNKNOWN_LABEL = "Unrecognized servable version label"
"""How servers begin an INVALID_ARGUMENT that means: no such version."""

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
    shown: Shown = NOTHING,
) -> CallError:
    """The one place where a gRPC status becomes an error of ours."""
    details = details or "no details given"
    # A proxy that never answers lets calls run into their deadlines.
    late = code is grpc.StatusCode.DEADLINE_EXCEEDED and shown.proxy is not None
    if code is grpc.StatusCode.UNAVAILABLE or late:
        details = explained(details, shown)
    pinned = servable.version is not None or servable.label is not None
    if code is grpc.StatusCode.NOT_FOUND:
        kind: type[CallError] = VersionNotFound if pinned else ModelNotFound
    elif code is grpc.StatusCode.INVALID_ARGUMENT and details.startswith(UNKNOWN_LABEL):
        kind = VersionNotFound
    else:
        kind = _BY_CODE.get(code, CallError)
    return kind(details, code=code, target=target, servable=servable)


def again(error: BaseException) -> BaseException:
    """A copy to raise for one more caller: a traceback belongs to one of them."""
    fresh = copy.copy(error)
    fresh.__cause__ = error.__cause__ or error
    return fresh


def closed(target: str, servable: Servable) -> CallError:
    """Why a call was ended by its own client."""
    return CallError(
        "the client was closed", code=grpc.StatusCode.CANCELLED, target=target, servable=servable
    )


def too_late(target: str, servable: Servable) -> DeadlineExceeded:
    """Why a call was not made, or is not waited for any longer."""
    return DeadlineExceeded(
        "no answer in time",
        code=grpc.StatusCode.DEADLINE_EXCEEDED,
        target=target,
        servable=servable,
    )


def too_many(waiting: int, target: str, servable: Servable) -> Overloaded:
    """Why a question is not even queued."""
    return Overloaded(
        f"{waiting} questions wait for a call already; ask fewer at once",
        code=grpc.StatusCode.RESOURCE_EXHAUSTED,
        target=target,
        servable=servable,
    )


def _rebuilt(
    kind: type[CallError], details: str, code: grpc.StatusCode, target: str, servable: Servable
) -> CallError:
    return kind(details, code=code, target=target, servable=servable)
