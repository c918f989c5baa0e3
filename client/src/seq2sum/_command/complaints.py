"""What is told when something goes wrong: one line that says what, where, and what to do."""

from __future__ import annotations

import contextlib
import socket
import sys

from seq2sum._connection_hints import is_connection_hint
from seq2sum._errors import (
    CallError,
    DeadlineExceeded,
    InvalidRequest,
    ModelNotFound,
    Overloaded,
    Unavailable,
    UnexpectedResponse,
    VersionNotFound,
)
from seq2sum.addition.answers import Question

LOOK_SECONDS = 0.5
"""For a connection to this machine itself, which comes about at once or not at all."""


class Mistake(Exception):
    """The command line is wrong, or names what cannot be used."""


class Failure(Exception):
    """Something that the command line says nothing about went wrong."""


def tell(text: str) -> None:
    """Writes a line to standard error; if nobody can be told, nobody is."""
    if sys.stderr is not None:
        with contextlib.suppress(OSError):
            print(f"seq2sum: {text}", file=sys.stderr, flush=True)


def complaint(error: Exception) -> str:
    """What went wrong and what to do about it, in one line."""
    return one_line(f"{error}{advice(error)}")


def advice(error: Exception) -> str:
    """What to do about it, where that is known."""
    if isinstance(error, Unavailable | DeadlineExceeded) and is_connection_hint(error.details):
        return ""  # it says itself what to look at
    if isinstance(error, Unavailable):
        if (there := open_half(error.target)) is not None:
            return f"; {there} is open, though: name that as --target to see what is wrong there"
        return f"; is a server running at {error.target}? Start one, or name another with --target"
    if isinstance(error, VersionNotFound):
        return f"; see which versions it has: seq2sum status --target {error.target}"
    if isinstance(error, ModelNotFound):
        return "; name the model that it serves with --model"
    if isinstance(error, DeadlineExceeded):
        return "; give it longer with --timeout"
    if isinstance(error, Overloaded):
        return "; ask fewer at once with --in-flight, or later"
    if isinstance(error, InvalidRequest | UnexpectedResponse):
        return "; what the model there can do is told by: seq2sum describe"
    if isinstance(error, CallError) and error.code.name in ("UNAUTHENTICATED", "PERMISSION_DENIED"):
        return "; the server wants another token: --token-file"
    return ""


def open_half(target: str) -> str | None:
    """The address of localhost, of its two, that takes connections.

    GRPC tells of the address that it tried last. Where a server listens at the other one, and does
    not talk with this client, that would be "Connection refused" and nothing else.
    """
    host, _, port = target.rpartition(":")
    if host != "localhost" or not port.isdecimal():
        return None
    for address in ("127.0.0.1", "::1"):
        with contextlib.suppress(OSError, OverflowError):
            socket.create_connection((address, int(port)), LOOK_SECONDS).close()
            return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"
    return None


def one_line(text: str) -> str:
    """The text as something that moves no cursor: others wrote parts of it."""
    if text.isprintable():
        return text
    return "".join(
        each if each.isprintable() else " " if each.isspace() else _escaped(each) for each in text
    )


def shown(question: Question) -> str:
    """A question as text: bytes that are no UTF-8 are written as escapes."""
    return question if isinstance(question, str) else question.decode(errors="backslashreplace")


def _escaped(character: str) -> str:
    return character.encode("unicode_escape").decode()
