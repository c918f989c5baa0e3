"""Request bodies as the API reads them."""

from __future__ import annotations

import zlib
from collections.abc import Iterable

INFLATED_LIMIT = 100 * 1024 * 1024
"""Bytes that a compressed body may grow to."""

_GZIP = 16 + zlib.MAX_WBITS


def is_compressed(headers: Iterable[tuple[bytes, bytes]]) -> bool:
    """Whether a body is to be inflated. Any encoding that has gzip in its name will do."""
    return any(name == b"content-encoding" and b"gzip" in value for name, value in headers)


def inflated(body: bytes) -> bytes:
    """The content of a gzip body; empty if it is none, or too large."""
    inflater = zlib.decompressobj(_GZIP)
    try:
        content = inflater.decompress(body, INFLATED_LIMIT)
    except zlib.error:
        return b""
    return content if inflater.eof else b""
