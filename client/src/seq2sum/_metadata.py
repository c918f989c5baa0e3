"""Metadata: the headers of a call, validated before they reach gRPC.

For headers that HTTP/2 cannot send, gRPC itself fails calls with a bare INTERNAL "Invalid metadata"
(sync) or with an error of a private class (asyncio), and it drops some keys silently.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any

Header = tuple[str, str | bytes]
"""A lower-case key and its value."""
Headers = Sequence[Header] | Callable[[], Sequence[Header]]
"""Headers, or a function that returns those of each call."""
Token = str | Callable[[], str]
"""A bearer token, or a function that returns the current one."""

KEY = re.compile(r"[0-9a-z_.-]+")
"""gRPC's specification of metadata keys (doc/PROTOCOL-HTTP2.md, "Custom-Metadata")."""
SET_BY_GRPC = frozenset(("te", "content-type", "content-length", "user-agent"))
"""Keys whose values gRPC drops, because it sends its own."""
NOT_IN_HTTP2 = frozenset(
    ("connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade")
)
"""RFC 9113, 8.2.2: a message with one of these is malformed, and proxies refuse it."""
PAIRS = 'pairs of a key and a value, like [("x-team", "sums")]'


def checked(metadata: Iterable[Header] | None) -> tuple[Header, ...]:
    """Returns the headers as a tuple.

    Raises:
        ValueError: gRPC would not send a key or a value.
        TypeError: They are not pairs of strings, or of a `-bin` key and bytes.
    """
    if not metadata:
        return ()
    if isinstance(metadata, str | bytes | Mapping) or not isinstance(metadata, Iterable):
        raise TypeError(f"invalid metadata of type {type(metadata).__name__}: expected {PAIRS}")
    return tuple(map(_header, metadata))


def with_token(headers: tuple[Header, ...], token: Token | None) -> tuple[Header, ...]:
    """Returns the headers, followed by that of the bearer token, if any."""
    if token is None:
        return headers
    return (*headers, ("authorization", f"Bearer {checked_token(token)}"))


def checked_token(token: Token) -> str:
    """Returns the current token. Error messages do not contain it.

    Raises:
        ValueError: The token is not valid in a header.
        TypeError: It is not text.
    """
    text: Any = token() if callable(token) else token
    if not isinstance(text, str):
        raise TypeError(f"invalid token of type {type(text).__name__}: expected str")
    if not _is_plain(text):
        raise ValueError("invalid token: expected printable ASCII characters without line breaks")
    return text


def _header(pair: Any) -> Header:
    if not isinstance(pair, tuple | list) or len(pair) != 2:
        raise TypeError(f"invalid metadata entry of type {type(pair).__name__}: expected {PAIRS}")
    key, value = pair
    if not isinstance(key, str):
        raise TypeError(f"invalid metadata key {key!r}: expected str, not {type(key).__name__}")
    _check_key(key)
    expected = "bytes" if key.endswith("-bin") else "str"
    if not isinstance(value, bytes if expected == "bytes" else str | bytes):
        raise TypeError(
            f"invalid value of metadata key {key!r}: expected {expected}, "
            f"not {type(value).__name__}"
        )
    if expected == "str" and not _is_plain(value):
        raise ValueError(
            f"invalid value of metadata key {key!r}: expected printable ASCII characters; "
            'other bytes can be sent under a key that ends in "-bin"'
        )
    return key, value


@lru_cache(maxsize=256)  # programs send the same few keys with every call
def _check_key(key: str) -> None:
    if KEY.fullmatch(key) is None:
        better = key.lower()
        hint = f"; write {better!r}" if KEY.fullmatch(better) else ""
        raise ValueError(
            f"invalid metadata key {key!r}: expected lower-case letters, digits, "
            f'"-", "_" and "."{hint}'
        )
    if key.startswith("grpc-"):
        raise ValueError(
            f'invalid metadata key {key!r}: keys that start with "grpc-" are reserved for gRPC'
        )
    if key in SET_BY_GRPC or key in NOT_IN_HTTP2:
        raise ValueError(f"invalid metadata key {key!r}: gRPC sets it itself, or HTTP/2 forbids it")


def _is_plain(value: str | bytes) -> bool:
    """Returns whether all characters are printable ASCII."""
    if isinstance(value, str):
        return value.isascii() and value.isprintable()
    return value.isascii() and value.decode("ascii").isprintable()
