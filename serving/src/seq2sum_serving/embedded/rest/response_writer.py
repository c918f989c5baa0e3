"""Serializes HTTP replies with the headers and reason phrases of evhttp (libevent's http.c)."""

from __future__ import annotations

import functools
import time
from email.utils import formatdate

from seq2sum_serving.embedded.rest.replies import Reply, reason_phrase
from seq2sum_serving.embedded.rest.request_parser import Request

CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"

_HTTP_1_1 = (1, 1)


def keeps_connection(request: Request) -> bool:
    """Returns whether the request allows the connection to stay open after the reply."""
    if request.via_proxy:
        return request.headers.get(b"proxy-connection", b"").lower() == b"keep-alive"
    if request.version < _HTTP_1_1:
        return _has_keep_alive(request)
    # `close` in a list has no effect (recorded case http/close-in-a-list).
    return _connection(request) != b"close"


def reply_bytes(reply: Reply, request: Request, *, keep_open: bool) -> list[bytes]:
    """Returns the bytes of a reply to a request.

    Args:
        reply: The reply.
        request: The request.
        keep_open: Whether the server keeps the connection open.
    """
    major, minor = request.version
    if reply.is_error_page and minor == 0:
        major, minor = _HTTP_1_1
    headers = [*reply.headers, ("Content-Type", reply.content_type)]
    if major == 1 and minor:
        headers.append(("Date", _date(int(time.time()))))
    has_keep_alive = _has_keep_alive(request) and not reply.is_error_page
    if major == 1 and (minor or has_keep_alive):
        headers.append(("Content-Length", str(len(reply.body))))
    if connection := _connection_header(reply, request, minor, keep_open=keep_open):
        headers.append(("Connection", connection))
    lines = [f"HTTP/{major}.{minor} {reply.status} {reason_phrase(reply.status)}"]
    lines += (f"{name}: {value}" for name, value in headers)
    head = "\r\n".join((*lines, "", "")).encode("latin-1")
    return [head] if request.verb == "HEAD" else [head, reply.body]


def _connection_header(
    reply: Reply, request: Request, minor: int, *, keep_open: bool
) -> str | None:
    if reply.is_error_page:
        return "close"
    if request.via_proxy:
        return None
    if not keep_open and (minor or _connection(request) == b"close"):
        return "close"
    return "keep-alive" if keep_open and minor == 0 else None


def _connection(request: Request) -> bytes:
    return request.headers.get(b"connection", b"").lower()


def _has_keep_alive(request: Request) -> bool:
    return _connection(request).startswith(b"keep-alive")


@functools.lru_cache(maxsize=1)
def _date(seconds: int) -> str:
    return formatdate(seconds, usegmt=True)
