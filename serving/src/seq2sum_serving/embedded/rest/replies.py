"""HTTP replies as values: JSON of the API, and error pages of the HTTP layer."""

from __future__ import annotations

from dataclasses import dataclass

from seq2sum_serving.embedded.errors import Code
from seq2sum_serving.embedded.rest.json_writer import ENCODING_ERRORS

JSON = "application/json"
HTML = "text/html"
DEFAULT_CONTENT_TYPE = "text/html; charset=ISO-8859-1"
"""evhttp sends it where no type was set."""

CLIENT_CLOSED_REQUEST = 499
INTERNAL_SERVER_ERROR = 500

STATUSES: dict[Code, int] = {
    Code.OK: 200,
    Code.CANCELLED: CLIENT_CLOSED_REQUEST,
    Code.UNKNOWN: 500,
    Code.INVALID_ARGUMENT: 400,
    Code.DEADLINE_EXCEEDED: 504,
    Code.NOT_FOUND: 404,
    Code.ALREADY_EXISTS: 409,
    Code.PERMISSION_DENIED: 403,
    Code.RESOURCE_EXHAUSTED: 429,
    Code.FAILED_PRECONDITION: 400,
    Code.ABORTED: 409,
    Code.OUT_OF_RANGE: 400,
    Code.UNIMPLEMENTED: 501,
    Code.INTERNAL: 500,
    Code.UNAVAILABLE: 503,
    Code.DATA_LOSS: 500,
    Code.UNAUTHENTICATED: 401,
}
"""HTTP status by gRPC status code."""

_REASONS = {
    200: "OK",
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    409: "Conflict",
    413: "Request Entity Too Large",
    417: "Expectation Failed",
    500: "Internal Server Error",
    501: "Not Implemented",
    503: "Service Unavailable",
    504: "Gateway Time-out",
}
_OTHER_REASON = "Client Error"
"""For 429 and 499: evhttp's table ends at 417."""

Headers = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Reply:
    """One HTTP reply."""

    status: int
    """HTTP status."""
    body: bytes = b""
    """The body, unchanged by the HTTP layer."""
    content_type: str = JSON
    """The Content-Type header."""
    headers: Headers = ()
    """Further headers."""
    is_error_page: bool = False
    """Whether the HTTP layer itself replies; the connection is closed afterwards."""


def json_reply(body: str, code: Code = Code.OK) -> Reply:
    """Makes a reply of the API."""
    return Reply(STATUSES[code], body.encode("utf-8", ENCODING_ERRORS))


def reason_phrase(status: int) -> str:
    """Returns evhttp's reason phrase for an HTTP status."""
    return _REASONS.get(status, _OTHER_REASON)


def error_page(status: int) -> Reply:
    """Makes an error page of the HTTP layer."""
    reason = reason_phrase(status)
    page = (
        f"<HTML><HEAD>\n<TITLE>{status} {reason}</TITLE>\n</HEAD><BODY>\n"
        f"<H1>{reason}</H1>\n</BODY></HTML>\n"
    )
    return Reply(status, page.encode(), HTML, is_error_page=True)
