"""HTTP requests out of a connection's bytes, as evhttp reads them.

evhttp (libevent's http.c) is the HTTP layer of tensorflow_model_server. It asks for less than the
standards do: a request needs no Host, a header's name may be anything, and of headers with one
name the first counts. HTTP libraries refuse such requests by design, hence this reader. It is
strict where leniency would let one request smuggle another past a proxy: the length of a body is
never in doubt, and every body is read, even if nothing looks at it.
"""

from __future__ import annotations

import re
from collections.abc import Generator, Iterable, Mapping
from dataclasses import dataclass, field

LARGEST_HEAD_BYTES = 1 << 20
"""Of request line and headers; evhttp has no limit, but no client means more."""

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
    """The bytes are not a request, and the connection cannot go on."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status
        """HTTP status of the answer."""


@dataclass(frozen=True, slots=True)
class Request:
    """One HTTP request."""

    verb: str
    """Method, as sent."""
    target: bytes
    """Path and query, as sent; perhaps a whole URI."""
    version: tuple[int, int] = _HTTP_1_1
    """Of HTTP."""
    headers: Mapping[bytes, bytes] = field(default_factory=dict)
    """Values by name in small letters."""
    body: bytes = b""
    """What came after the headers, without chunks."""

    @property
    def via_proxy(self) -> bool:
        """Whether the client takes this server for a proxy."""
        return _PROXY_TARGET.match(self.target) is not None


class RequestParser:
    """Takes bytes as they come and returns requests once they are complete."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._requests = self._read()
        self._within = False
        self.wants_continue = False
        """Whether the client waits for `100 Continue`; to be reset once that is sent."""

    @property
    def buffered(self) -> int:
        """Bytes that are not a part of any request yet."""
        return len(self._buffer)

    @property
    def idle(self) -> bool:
        """Whether no request has begun."""
        return not self._buffer and not self._within

    def feed(self, data: bytes) -> None:
        """Takes further bytes."""
        self._buffer += data

    def next_request(self) -> Request | None:
        """Returns the next request, or None if it is not complete yet.

        Raises:
            HttpError: The next bytes are not a request.
        """
        return next(self._requests, None)

    def _read(self) -> Generator[Request | None]:
        while True:
            self._within = False
            line = yield from self._line(_BAD_REQUEST)
            self._within = True
            found = _REQUEST_LINE.fullmatch(line)
            if found is None or int(found[3]) > 1:
                raise HttpError(_BAD_REQUEST)
            verb, target, major, minor = found.groups()
            version = int(major), int(minor)
            headers = _headers((yield from self._block(_BAD_REQUEST)))
            body = yield from self._body(verb, version, headers)
            yield Request(verb.decode("latin-1"), target, version, headers, body)

    def _line(self, status: int) -> Generator[None, None, bytes]:
        """Reads a line; one that is too long is an error of this status."""
        scanned = 0
        while (end := self._buffer.find(b"\n", scanned)) < 0:
            scanned = len(self._buffer)
            if scanned > LARGEST_HEAD_BYTES:
                raise HttpError(status)
            yield None
        line = bytes(self._buffer[:end])
        del self._buffer[: end + 1]
        if b"\0" in line:
            raise HttpError(status)
        return line.removesuffix(b"\r")

    def _block(self, status: int) -> Generator[None, None, list[bytes]]:
        """Reads lines up to an empty one."""
        lines, size = [], 0
        while line := (yield from self._line(status)):
            lines.append(line)
            size += len(line)
            if size > LARGEST_HEAD_BYTES:
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
            if not line:  # between a chunk and the next size
                continue
            found = _CHUNK_SIZE.fullmatch(line)
            if found is None:
                # evhttp's status for every broken chunk (recorded cases http/chunked-bad-size,
                # chunked-extension).
                raise HttpError(_TOO_LARGE)
            size = int(found[1], 16)
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
    """Values by name in small letters; of headers with one name the first."""
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
    """Bytes of the body; None for chunks."""
    coding, length = headers.get(b"transfer-encoding"), headers.get(b"content-length")
    if coding is not None:
        # Recorded cases http/length-and-chunked, chunked-after-gzip.
        if length is not None or coding.rpartition(b",")[2].strip().lower() != b"chunked":
            raise HttpError(_BAD_REQUEST)
        return None
    if length is None:
        # evhttp expects a body that lasts until the connection is closed, and refuses to keep
        # the connection then (evhttp_get_body_length in libevent's http.c).
        if verb in _VERBS_WITH_BODY and headers.get(b"connection", b"close").lower() != b"close":
            raise HttpError(_BAD_REQUEST)
        return 0
    if not _LENGTH.fullmatch(length):
        raise HttpError(_BAD_REQUEST)
    return int(length)
