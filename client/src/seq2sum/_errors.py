"""Everything that can go wrong, by whose fault it is.

Seq2SumError
 +- InvalidQuestion (ValueError)      the question: not a+b, or too long for the version
 +- CallError                         the call: the server said no, or nobody answered
 |   +- ModelNotFound                 the server does not serve this model
 |   +- VersionNotFound               the server does not serve this version of it
 |   +- InvalidRequest                the server does not accept such a request
 |   +- DeadlineExceeded (TimeoutError)    no answer within the time given
 |   +- Unavailable (ConnectionError)      no server there, or it went away
 |   +- Overloaded                    the server refuses more work for now
 +- UnexpectedResponse                the reply: it breaks the serving contract
"""

from __future__ import annotations

from collections.abc import Callable

import grpc


class Seq2SumError(Exception):
    """The root of all errors that this package raises on purpose."""


class InvalidQuestion(Seq2SumError, ValueError):
    """The question cannot be answered; asking again will not help."""


class CallError(Seq2SumError):
    """A call that brought no reply; the subclasses say why."""

    def __init__(
        self,
        details: str,
        *,
        code: grpc.StatusCode,
        target: str,
        model: str,
        version: int | None,
    ) -> None:
        self.details = details
        self.code = code
        self.target = target
        self.model = model
        self.version = version
        which = "latest version" if version is None else f"version {version}"
        super().__init__(f"{details} [{code.name} from {target}, model {model}, {which}]")

    def __reduce__(self) -> tuple[Callable[..., CallError], tuple[object, ...]]:
        """Errors cross process boundaries, by multiprocessing for example."""
        values = (self.details, self.code, self.target, self.model, self.version)
        return _rebuilt, (type(self), *values)


class ModelNotFound(CallError):
    """The server does not serve this model, or no version of it is available."""


class VersionNotFound(CallError):
    """The server does not have this version of the model available."""


class InvalidRequest(CallError):
    """The server does not accept such a request: another model than expected may be there."""


class DeadlineExceeded(CallError, TimeoutError):
    """No answer came within the time given."""


class Unavailable(CallError, ConnectionError):
    """No server could be reached, or the connection broke in mid-call."""


class Overloaded(CallError):
    """The server refuses more work for now; ask fewer at once, or later."""


class UnexpectedResponse(Seq2SumError):
    """The reply does not keep the serving contract: it is not a seq2sum model that answers."""


def _rebuilt(
    kind: type[CallError],
    details: str,
    code: grpc.StatusCode,
    target: str,
    model: str,
    version: int | None,
) -> CallError:
    return kind(details, code=code, target=target, model=model, version=version)


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
    code: grpc.StatusCode, details: str, *, target: str, model: str, version: int | None
) -> CallError:
    """The one place where a gRPC status becomes an error of ours."""
    if code is grpc.StatusCode.NOT_FOUND:
        kind: type[CallError] = ModelNotFound if version is None else VersionNotFound
    else:
        kind = _BY_CODE.get(code, CallError)
    return kind(details, code=code, target=target, model=model, version=version)
