"""Parses the HTTP requests on a connection as evhttp does.

evhttp (libevent's http.c) is the HTTP layer of tensorflow_model_server. It is more lenient than the
standards: Host is optional, a header's name may be anything, and of several headers with one name,
the first wins. HTTP libraries reject such requests by design, hence this parser. It is strict where
leniency would allow request smuggling: a body's length is never ambiguous, and every body is read.
"""

from __future__ import annotations

import re
from collections.abc import Generator, Iterable, Mapping
from dataclasses import dataclass, field

MAX_HEAD_BYTES = 1 << 20
"""Limit for request line and headers. evhttp has none, but clients do not need more."""

_BAD_REQUEST, _TOO_LARGE, _EXPECTATION_FAILED = 400, 413, 417
_HTTP_1_1 = (1, 1)

_REQUEST_LINE = re.compile(rb"([^ ]*) ([^ ]*) HTTP/([0-9]{1,4})\.([0-9]{1,4})", re.DOTALL)
_PROXY_TARGET = re.compile(rb"https?://[^/?#]", re.IGNORECASE)
_LENGTH = re.compile(rb"[0-9]{1,18}")
_CHUNK_SIZE = re.compile(rb"([0-9a-fA-F]{1,15})(?: .*)?", re.DOTALL)
_BLANKS = b" \t"
_VERBS_WITH_BODY = (b"POST", b"PUT", b"PATCH")
_FRAMING = (b"content-length", b"transfer-encoding")


class HttpError(Exception):
    """The bytes are not a valid request, and the connection must be closed."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status
        """HTTP status of the reply."""


@dataclass(frozen=True, slots=True)
class Request:
    """One HTTP request."""

    verb: str
    """Method, as sent."""
    target: bytes
    """Path and query, or a whole URI, as sent."""
    version: tuple[int, int] = _HTTP_1_1
    """Major and minor version of HTTP."""
    headers: Mapping[bytes, bytes] = field(default_factory=dict)
    """Values by lower-case name."""
    body: bytes = b""
    """The body, with chunks joined."""

    @property
    def via_proxy(self) -> bool:
        """Whether the client uses this server as a proxy."""
        return _PROXY_TARGET.match(self.target) is not None


class RequestParser:
    """Incremental parser: takes bytes and returns complete requests."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._requests = self._parse()
        self._in_request = False
        self.wants_continue = False
        """Whether the client waits for `100 Continue`; the caller resets it after sending that."""

    @property
    def buffered(self) -> int:
        """Number of bytes not parsed yet."""
        return len(self._buffer)

    @property
    def idle(self) -> bool:
        """Whether no request has started."""
        return not self._buffer and not self._in_request

    def feed(self, data: bytes) -> None:
        """Adds received bytes."""
        self._buffer += data

    def next_request(self) -> Request | None:
        """Returns the next request, or None if it is not complete yet.

        Raises:
            HttpError: The next bytes are not a valid request.
        """
        return next(self._requests, None)

    def _parse(self) -> Generator[Request | None]:
        while True:
            self._in_request = False
            line = yield from self._line(_BAD_REQUEST)
            self._in_request = True
            match = _REQUEST_LINE.fullmatch(line)
            if match is None or int(match[3]) > 1:
                raise HttpError(_BAD_REQUEST)
            verb, target, major, minor = match.groups()
            version = int(major), int(minor)
            headers = _headers((yield from self._block(_BAD_REQUEST)))
            body = yield from self._body(verb, version, headers)
            yield Request(verb.decode("latin-1"), target, version, headers, body)

    def _line(self, status: int) -> Generator[None, None, bytes]:
        """Reads a line; `status` is the HTTP status for an invalid or overlong line."""
        scanned = 0
        while (end := self._buffer.find(b"\n", scanned)) < 0:
            scanned = len(self._buffer)
            if scanned > MAX_HEAD_BYTES:
                raise HttpError(status)
            yield None
        line = bytes(self._buffer[:end])
        del self._buffer[: end + 1]
        if b"\0" in line:
            raise HttpError(status)
        return line.removesuffix(b"\r")

    def _block(self, status: int) -> Generator[None, None, list[bytes]]:
        """Reads lines until an empty line."""
        lines, size = [], 0
        while line := (yield from self._line(status)):
            lines.append(line)
            size += len(line)
            if size > MAX_HEAD_BYTES:
                raise HttpError(status)
        return lines

    def _body(
        self, verb: bytes, version: tuple[int, int], headers: Mapping[bytes, bytes]
    ) -> Generator[None, None, bytes]:
        size = _body_size(verb, headers)
        if size == 0:
            return b""
        if version >= _HTTP_1_1 and (expected := headers.get(b"expect")):
            if expected.lower() != b"100-continue":
                raise HttpError(_EXPECTATION_FAILED)
            self.wants_continue = not self._buffer
        if size is None:
            return (yield from self._chunks())
        return (yield from self._bytes(size))

    def _chunks(self) -> Generator[None, None, bytes]:
        chunks: list[bytes] = []
        while True:
            line = yield from self._line(_TOO_LARGE)
            if not line:  # after a chunk
                continue
            match = _CHUNK_SIZE.fullmatch(line)
            if match is None:
                # evhttp's status for every malformed chunk (recorded cases http/chunked-bad-size,
                # chunked-extension).
                raise HttpError(_TOO_LARGE)
            size = int(match[1], 16)
            if size == 0:
                yield from self._block(_TOO_LARGE)
                return b"".join(chunks)
            chunks.append((yield from self._bytes(size)))

    def _bytes(self, size: int) -> Generator[None, None, bytes]:
        while len(self._buffer) < size:
            yield None
        self.wants_continue = False
        taken = bytes(self._buffer[:size])
        del self._buffer[:size]
        return taken


def _headers(lines: Iterable[bytes]) -> dict[bytes, bytes]:
    """Parses header lines to values by lower-case name; the first of several values wins."""
    fields: list[tuple[bytes, list[bytes]]] = []
    for line in lines:
        if line[:1] in (b" ", b"\t") and fields:
            fields[-1][1].append(line.strip(_BLANKS))
            continue
        name, colon, value = line.partition(b":")
        if not colon:
            raise HttpError(_BAD_REQUEST)
        fields.append((name.lower(), [value.strip(_BLANKS)]))
    headers: dict[bytes, bytes] = {}
    for name, values in fields:
        value = b" ".join(values)
        if name.strip() in _FRAMING and (name.strip() != name or headers.get(name, value) != value):
            raise HttpError(_BAD_REQUEST)
        headers.setdefault(name, value)
    return headers


def _body_size(verb: bytes, headers: Mapping[bytes, bytes]) -> int | None:
    """Returns the number of bytes in the body; None if it is chunked."""
    coding, length = headers.get(b"transfer-encoding"), headers.get(b"content-length")
    if coding is not None:
        # Recorded cases http/length-and-chunked, chunked-after-gzip.
        if length is not None or coding.rpartition(b",")[2].strip().lower() != b"chunked":
            raise HttpError(_BAD_REQUEST)
        return None
    if length is None:
        # evhttp reads the body until the connection is closed, and rejects requests to keep the
        # connection (evhttp_get_body_length in libevent's http.c).
        if verb in _VERBS_WITH_BODY and headers.get(b"connection", b"close").lower() != b"close":
            raise HttpError(_BAD_REQUEST)
        return 0
    if not _LENGTH.fullmatch(length):
        raise HttpError(_BAD_REQUEST)
    return int(length)
