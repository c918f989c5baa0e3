"""Replies of a server, as plain values."""

from __future__ import annotations

import re
from dataclasses import dataclass

STATUS_LINE = re.compile(rb"HTTP/(\d\.\d) (\d{3})")
NO_BODY = re.compile(r"1\d\d|204|304")


@dataclass(frozen=True, slots=True)
class GrpcReply:
    """The status of a gRPC call, and its serialized response."""

    code: str
    message: str
    data: bytes = b""


@dataclass(frozen=True, slots=True)
class HttpReply:
    """One HTTP response."""

    status: int
    headers: tuple[tuple[str, str], ...]
    """Lower-case names, without the date; a correct content-length is "(right)"."""
    body: bytes
    version: str = "1.1"

    def header(self, name: str) -> str:
        return dict(self.headers).get(name, "")


@dataclass(frozen=True, slots=True)
class Replies:
    """Everything received on one connection."""

    replies: tuple[HttpReply, ...]
    rest: bytes
    """Bytes after the last complete response."""
    end: str
    """Final state of the connection: "closed", "reset" or "open"."""

    @property
    def statuses(self) -> tuple[int, ...]:
        return tuple(reply.status for reply in self.replies)


@dataclass(frozen=True, slots=True)
class NoReply:
    """A missing reply."""

    reason: str


Reply = GrpcReply | HttpReply | Replies | NoReply


def outcome(reply: Reply) -> str:
    """Returns the class of a reply in the summary."""
    match reply:
        case GrpcReply():
            return reply.code
        case HttpReply():
            return str(reply.status)
        case Replies():
            return "+".join(sorted({*map(str, reply.statuses)})) or "no reply"
        case NoReply():
            return "broken"


def is_accepted(reply: Reply) -> bool:
    """Returns whether the server carried out the request, at least in part."""
    match reply:
        case GrpcReply():
            return reply.code == "OK"
        case HttpReply():
            return reply.status == 200
        case Replies():
            return 200 in reply.statuses
    return False


def split(data: bytes) -> tuple[tuple[HttpReply, ...], bytes]:
    """Splits the bytes of a connection into complete responses and the rest."""
    replies: list[HttpReply] = []
    while True:
        head, found, rest = data.partition(b"\r\n\r\n")
        line = STATUS_LINE.match(head)
        if not found or line is None:
            return tuple(replies), data
        headers, length = _headers(head)
        status = line[2].decode()
        if NO_BODY.fullmatch(status):
            length = 0
        elif length is None:  # until the connection is closed
            length = len(rest)
        if length > len(rest):
            return tuple(replies), data
        replies.append(HttpReply(int(status), headers, rest[:length], line[1].decode()))
        data = rest[length:]


def _headers(head: bytes) -> tuple[tuple[tuple[str, str], ...], int | None]:
    """Returns the headers to compare, and the length of the body if it is known."""
    found = {}
    for line in head.decode("latin-1").split("\r\n")[1:]:
        name, _, value = line.partition(":")
        found[name.strip().lower()] = value.strip()
    found.pop("date", None)
    length = found.get("content-length", "")
    if not length.isdigit():
        return tuple(sorted(found.items())), None
    found["content-length"] = "(right)"
    return tuple(sorted(found.items())), int(length)


def shorten(text: str, limit: int) -> str:
    return text if len(text) <= limit else f"{text[:limit]}... ({len(text):,} characters)"
