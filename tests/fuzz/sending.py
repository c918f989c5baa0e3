"""Sends HTTP over plain sockets, so that every byte is as the input says."""

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
"""Of silence, after which nothing more is expected where the number of replies is unknown."""
CLOSING_SECONDS = 0.1
"""For a connection to be closed, or for a reply too many, after the last reply that was due."""
GARBAGE = b"\x00more"


def rest(port: int, question: Rest, seconds: float) -> Reply:
    """One request on a fresh connection."""
    body = question.body or b""
    head = [f"{question.verb} {question.path} HTTP/1.1".encode("latin-1"), b"Host: localhost"]
    head += [b"Connection: close"]
    if question.body is not None:
        head += [b"Content-Length: %d" % len(body)]
    data = b"\r\n".join([*head, b"", body])
    received, end = exchange(port, [data], due=1, seconds=seconds)
    found, left = replies.split(received)
    if len(found) != 1 or left:
        return NoReply(f"{len(found)} replies, then {left[:200]!r}; the connection was {end}")
    return found[0]


def converse(port: int, question: Conversation, due: int | None, seconds: float) -> Reply:
    """Everything that comes back on one connection."""
    data = wire(question)
    size = question.piece or len(data) or 1
    pieces = [data[start : start + size] for start in range(0, len(data), size)]
    received, end = exchange(port, pieces, due=due, seconds=seconds, half_close=question.half_close)
    found, left = replies.split(received)
    return Replies(found, left, end)


def exchange(
    port: int, pieces: list[bytes], *, due: int | None, seconds: float, half_close: bool = False
) -> tuple[bytes, str]:
    """What was received, and how the server left the connection."""
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
            for chunk in arriving(raw, due, seconds):
                received += chunk
    except ConnectionResetError:
        return received, "reset"
    except TimeoutError:
        return received, "open"
    return received, "closed"


def arriving(raw: socket.socket, due: int | None, seconds: float) -> Iterator[bytes]:
    """What comes until the connection is closed; TimeoutError if it stays open."""
    received = b""
    deadline = time.monotonic() + seconds
    while True:
        if due is None:
            pause = QUIET_SECONDS
        elif len(replies.split(received)[0]) < due:
            pause = deadline - time.monotonic()
        else:
            pause = CLOSING_SECONDS
        raw.settimeout(max(pause, 0.001))
        chunk = raw.recv(1 << 20)
        if not chunk:
            return
        received += chunk
        yield chunk


def wire(question: Conversation) -> bytes:
    """The bytes of a conversation."""
    data = b"".join(map(message_bytes, question.messages))
    return data[: question.cut] + question.noise


def message_bytes(message: Message) -> bytes:
    """One request as it is sent."""
    end = message.line_end
    body, fields = framed(message)
    lines = [b" ".join((message.verb, message.path, message.version))]
    lines += [b"".join(header) for header in (*message.headers, *fields)]
    return end.join([*lines, b"", body])


def framed(message: Message) -> tuple[bytes, list[tuple[bytes, bytes]]]:
    """The body as it is sent, and the headers that say so."""
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
