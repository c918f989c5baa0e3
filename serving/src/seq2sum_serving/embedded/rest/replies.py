"""HTTP replies as values: the API's JSON, and the pages of the HTTP layer below it."""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus

from seq2sum_serving.embedded.errors import Code
from seq2sum_serving.embedded.rest.json_writing import ENCODING_ERRORS

JSON = "application/json"
HTML = "text/html"
NOTHING = "text/html; charset=ISO-8859-1"
"""What the real HTTP layer says where nobody chose a type."""

CLIENT_CLOSED_REQUEST = 499

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
"""HTTP status by code of an error."""

Headers = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Reply:
    """One HTTP reply."""

    status: int
    """HTTP status."""
    body: bytes = b""
    """Sent as it is."""
    content_type: str = JSON
    """The Content-Type header."""
    headers: Headers = ()
    """Further headers."""


def text(body: str, code: Code = Code.OK) -> Reply:
    """A reply of the API."""
    return Reply(STATUSES[code], body.encode("utf-8", ENCODING_ERRORS))


def error_page(status: HTTPStatus) -> Reply:
    """What the HTTP layer answers by itself; the connection ends with it."""
    page = (
        f"<HTML><HEAD>\n<TITLE>{status.value} {status.phrase}</TITLE>\n</HEAD><BODY>\n"
        f"<H1>{status.phrase}</H1>\n</BODY></HTML>\n"
    )
    return Reply(status.value, page.encode(), HTML, (("Connection", "close"),))
