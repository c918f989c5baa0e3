"""Sends HTTP over plain sockets, byte by byte as the input defines it."""

from __future__ import annotations

import contextlib
import gzip
import socket
import time
from collections.abc import Iterator

from fuzz import replies
from fuzz.inputs import Conversation, Message, Rest
from fuzz.replies import NoReply, Replies, Reply

QUIET_SECONDS = 0.4
"""Silence after which no further reply is expected, if the number of replies is unknown."""
CLOSING_SECONDS = 0.1
"""Wait for a further reply or the end of the connection, after the last expected reply."""
GARBAGE = b"\x00more"


def rest(port: int, request: Rest, seconds: float) -> Reply:
    """Sends one request on a new connection."""
    body = request.body or b""
    head = [f"{request.verb} {request.path} HTTP/1.1".encode("latin-1"), b"Host: localhost"]
    head += [b"Connection: close"]
    if request.body is not None:
        head += [b"Content-Length: %d" % len(body)]
    data = b"\r\n".join([*head, b"", body])
    received, end = exchange(port, [data], 1, seconds)
    found, left = replies.split(received)
    if len(found) != 1 or left:
        return NoReply(f"{len(found)} replies, then {left[:200]!r}; the connection was {end}")
    return found[0]


def converse(port: int, conversation: Conversation, expected: int | None, seconds: float) -> Reply:
    """Returns everything received on one connection."""
    data = wire(conversation)
    size = conversation.piece or len(data) or 1
    pieces = [data[start : start + size] for start in range(0, len(data), size)]
    received, end = exchange(port, pieces, expected, seconds, half_close=conversation.half_close)
    found, left = replies.split(received)
    return Replies(found, left, end)


def exchange(
    port: int,
    pieces: list[bytes],
    expected: int | None,
    seconds: float,
    *,
    half_close: bool = False,
) -> tuple[bytes, str]:
    """Returns the received bytes and the final state of the connection."""
    received = b""
    try:
        raw = socket.create_connection(("127.0.0.1", port), seconds)
    except OSError:
        return b"", "refused"
    try:
        with raw:
            raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            # A server may refuse a request, and close, before it has read all of it.
            with contextlib.suppress(OSError):
                for piece in pieces:
                    raw.sendall(piece)
                if half_close:
                    raw.shutdown(socket.SHUT_WR)
            for chunk in received_chunks(raw, expected, seconds):
                received += chunk
    except ConnectionResetError:
        return received, "reset"
    except TimeoutError:
        return received, "open"
    return received, "closed"


def received_chunks(raw: socket.socket, expected: int | None, seconds: float) -> Iterator[bytes]:
    """Yields received bytes until the connection is closed; TimeoutError if it stays open."""
    received = b""
    deadline = time.monotonic() + seconds
    while True:
        if expected is None:
            pause = QUIET_SECONDS
        elif len(replies.split(received)[0]) < expected:
            pause = deadline - time.monotonic()
        else:
            pause = CLOSING_SECONDS
        raw.settimeout(max(pause, 0.001))
        chunk = raw.recv(1 << 20)
        if not chunk:
            return
        received += chunk
        yield chunk


def wire(conversation: Conversation) -> bytes:
    """Returns the bytes of a conversation."""
    data = b"".join(map(message_bytes, conversation.messages))
    return data[: conversation.cut] + conversation.noise


def message_bytes(message: Message) -> bytes:
    """Returns one request as it is sent."""
    end = message.line_end
    body, fields = framed(message)
    lines = [b" ".join((message.verb, message.path, message.version))]
    lines += [b"".join(header) for header in (*message.headers, *fields)]
    return end.join([*lines, b"", body])


def framed(message: Message) -> tuple[bytes, list[tuple[bytes, bytes]]]:
    """Returns the body as it is sent, and the headers that describe it."""
    body = message.body
    match message.framing:
        case "none":
            return body, []
        case "length":
            return body, [length(body)]
        case "gzip" | "gzip and more":
            packed = gzip.compress(body, mtime=0)
            packed += GARBAGE if message.framing == "gzip and more" else b""
            return packed, [(b"Content-Encoding: ", b"gzip"), length(packed)]
    half = len(body) // 2
    chunks = [part for part in (body[:half], body[half:]) if part]
    packed = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in chunks) + b"0\r\n\r\n"
    fields = [(b"Transfer-Encoding: ", b"chunked")]
    return packed, fields if message.framing == "chunked" else [*fields, length(body)]


def length(body: bytes) -> tuple[bytes, bytes]:
    return b"Content-Length: ", b"%d" % len(body)
