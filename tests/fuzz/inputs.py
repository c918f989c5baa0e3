"""Inputs of the fuzzer: plain values that can be compared, printed and minimized."""

from __future__ import annotations

from dataclasses import dataclass

Headers = tuple[tuple[bytes, bytes], ...]


@dataclass(frozen=True, slots=True)
class Call:
    """A unary gRPC call."""

    method: str
    """Short name, such as Predict."""
    data: bytes
    """The serialized request."""


@dataclass(frozen=True, slots=True)
class Rest:
    """One HTTP request to the REST port, well formed as HTTP."""

    verb: str
    path: str
    body: bytes | None = None


@dataclass(frozen=True, slots=True)
class Message:
    """One HTTP request of a conversation, with the details of how it is written."""

    verb: bytes
    path: bytes
    body: bytes = b""
    framing: str = "length"
    """One of `generators.http.FRAMINGS`."""
    version: bytes = b"HTTP/1.1"
    headers: Headers = ((b"Host: ", b"x"),)
    """Names with their separators, and values."""
    line_end: bytes = b"\r\n"


@dataclass(frozen=True, slots=True)
class Conversation:
    """The bytes sent on one connection."""

    messages: tuple[Message, ...]
    cut: int | None = None
    """Number of bytes sent; None for all."""
    noise: bytes = b""
    """Bytes sent after the messages."""
    piece: int = 0
    """Bytes sent at a time; 0 for all at once."""
    half_close: bool = False
    """Whether the sending side is closed after the last byte."""
    port: str = "rest"
    """Either "rest" or "grpc"; on "grpc" no reply is expected, but other calls must not fail."""


Input = Call | Rest | Conversation


@dataclass(frozen=True, slots=True)
class Case:
    """One input, identified by the random seed and its number."""

    seed: int
    number: int
    kind: str
    """The generator that made it."""
    input: Input
