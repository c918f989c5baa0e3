"""Compressed request bodies."""

from __future__ import annotations

import zlib
from collections.abc import Mapping

MAX_DECOMPRESSED_BYTES = 100 * 1024 * 1024

_GZIP = 16 + zlib.MAX_WBITS
_FLAGS_OFFSET = 3
_RESERVED_FLAGS = 0xE0
"""zlib rejects them, tensorflow_model_server ignores them (recorded case
gzip/with-reserved-flags)."""


def is_compressed(headers: Mapping[bytes, bytes]) -> bool:
    """Returns whether Content-Encoding contains the letters `gzip`, even inside a word."""
    return b"gzip" in headers.get(b"content-encoding", b"")


def decompress(body: bytes) -> bytes:
    """Returns the content of a gzip body; empty if it is not exactly one member, or too large."""
    flags = body[_FLAGS_OFFSET : _FLAGS_OFFSET + 1]
    if flags and flags[0] & _RESERVED_FLAGS:
        cleared = bytes([flags[0] & ~_RESERVED_FLAGS])
        body = body[:_FLAGS_OFFSET] + cleared + body[_FLAGS_OFFSET + 1 :]
    decompressor = zlib.decompressobj(_GZIP)
    try:
        content = decompressor.decompress(body, MAX_DECOMPRESSED_BYTES)
    except zlib.error:
        return b""
    # ZLib::Uncompress in TensorFlow Serving's gzip_zlib.cc rejects bytes after the footer.
    return content if decompressor.eof and not decompressor.unused_data else b""
