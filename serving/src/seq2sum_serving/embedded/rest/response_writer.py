"""Replies as bytes on a connection, with the headers and words of evhttp (libevent's http.c)."""

from __future__ import annotations

import functools
import time
from email.utils import formatdate

from seq2sum_serving.embedded.rest.replies import Reply, reason
from seq2sum_serving.embedded.rest.request_parser import Request

CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"

_HTTP_1_1 = (1, 1)


def keeps_connection(request: Request) -> bool:
    """Whether the client wants the connection to stay after the reply."""
    if request.via_proxy:
        return request.headers.get(b"proxy-connection", b"").lower() == b"keep-alive"
    if request.version < _HTTP_1_1:
        return _asks_to_keep(request)
    # A list that has `close` in it does not count (recorded case http/close-in-a-list).
    return _connection(request) != b"close"


def reply_bytes(reply: Reply, request: Request, *, stays: bool) -> list[bytes]:
    """Returns a reply as the bytes to send.

    Args:
        reply: What to answer.
        request: What is answered.
        stays: Whether the connection stays.
    """
    major, minor = request.version
    if reply.is_error_page and minor == 0:
        major, minor = _HTTP_1_1
    headers = [*reply.headers, ("Content-Type", reply.content_type)]
    if major == 1 and minor:
        headers.append(("Date", _date(int(time.time()))))
    kept = _asks_to_keep(request) and not reply.is_error_page
    if major == 1 and (minor or kept):
        headers.append(("Content-Length", str(len(reply.body))))
    if connection := _connection_header(reply, request, minor, stays=stays):
        headers.append(("Connection", connection))
    lines = [f"HTTP/{major}.{minor} {reply.status} {reason(reply.status)}"]
    lines += (f"{name}: {value}" for name, value in headers)
    head = "\r\n".join((*lines, "", "")).encode("latin-1")
    return [head] if request.verb == "HEAD" else [head, reply.body]


def _connection_header(reply: Reply, request: Request, minor: int, *, stays: bool) -> str | None:
    if reply.is_error_page:
        return "close"
    if request.via_proxy:
        return None
    if not stays and (minor or _connection(request) == b"close"):
        return "close"
    return "keep-alive" if stays and minor == 0 else None


def _connection(request: Request) -> bytes:
    return request.headers.get(b"connection", b"").lower()


def _asks_to_keep(request: Request) -> bool:
    return _connection(request).startswith(b"keep-alive")


@functools.lru_cache(maxsize=1)
def _date(seconds: int) -> str:
    return formatdate(seconds, usegmt=True)
