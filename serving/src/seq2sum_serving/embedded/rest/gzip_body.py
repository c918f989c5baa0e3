"""Request bodies as the API reads them."""

from __future__ import annotations

import zlib
from collections.abc import Mapping

INFLATED_LIMIT = 100 * 1024 * 1024
"""Bytes that a compressed body may grow to."""

_GZIP = 16 + zlib.MAX_WBITS
_FLAGS_AT = 3
_RESERVED_FLAGS = 0xE0
"""zlib refuses them, the real server ignores them (recorded case gzip/with-reserved-flags)."""


def is_compressed(headers: Mapping[bytes, bytes]) -> bool:
    """Whether a body is to be inflated: any encoding that has gzip in its name will do."""
    return b"gzip" in headers.get(b"content-encoding", b"")


def inflated(body: bytes) -> bytes:
    """Returns the content of a gzip body; nothing if it is not exactly one member, or too large."""
    flags = body[_FLAGS_AT : _FLAGS_AT + 1]
    if flags and flags[0] & _RESERVED_FLAGS:
        known = bytes([flags[0] & ~_RESERVED_FLAGS])
        body = body[:_FLAGS_AT] + known + body[_FLAGS_AT + 1 :]
    inflater = zlib.decompressobj(_GZIP)
    try:
        content = inflater.decompress(body, INFLATED_LIMIT)
    except zlib.error:
        return b""
    # ZLib::Uncompress in TensorFlow Serving's gzip_zlib.cc takes nothing after the footer.
    return content if inflater.eof and not inflater.unused_data else b""
