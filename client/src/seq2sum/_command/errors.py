"""Error messages: one line with what is wrong, where, and what to do."""

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

CONNECT_TIMEOUT = 0.5
"""Seconds for a connection to the loopback interface, which succeeds or fails at once."""


class UsageError(Exception):
    """The command line is invalid, or names something that cannot be used."""


class CommandError(Exception):
    """The command failed for a reason other than its command line."""


def print_error(text: str) -> None:
    """Prints a line to standard error, if it is open."""
    if sys.stderr is not None:
        with contextlib.suppress(OSError):
            print(f"seq2sum: {text}", file=sys.stderr, flush=True)


def error_message(error: Exception) -> str:
    """Returns the error and advice for it, in one line, with options in place of keywords."""
    return one_line(f"{error}{advice(error)}".replace("give signature=", "give --signature"))


def advice(error: Exception) -> str:
    """Returns what to do about an error, with a leading separator; empty if unknown."""
    if isinstance(error, Unavailable | DeadlineExceeded) and is_connection_hint(error.details):
        return ""  # the error has its own advice
    if isinstance(error, Unavailable):
        if (address := reachable_loopback(error.target)) is not None:
            return f"; but {address} accepts connections: try --target {address} to see its error"
        return f"; is a server running at {error.target}? Start one, or set another with --target"
    if isinstance(error, VersionNotFound):
        return f"; list the available versions: seq2sum status --target {error.target}"
    if isinstance(error, ModelNotFound):
        return "; set the name of a served model with --model"
    if isinstance(error, DeadlineExceeded):
        return "; set a longer --timeout"
    if isinstance(error, Overloaded):
        return "; set a smaller --max-in-flight, or try again later"
    if isinstance(error, InvalidRequest | UnexpectedResponse):
        return "; show the model's signatures: seq2sum describe"
    if isinstance(error, CallError) and error.code.name in ("UNAUTHENTICATED", "PERMISSION_DENIED"):
        return "; the server needs another token: --token-file"
    return ""


def reachable_loopback(target: str) -> str | None:
    """Returns the first of localhost's two addresses that accepts connections, if any.

    gRPC reports only the error of the address that it tried last, for example "Connection refused"
    for ::1 when the handshake with a server at 127.0.0.1 failed.
    """
    host, _, port = target.rpartition(":")
    if host != "localhost" or not port.isdecimal():
        return None
    for address in ("127.0.0.1", "::1"):
        with contextlib.suppress(OSError, OverflowError):
            socket.create_connection((address, int(port)), CONNECT_TIMEOUT).close()
            return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"
    return None


def one_line(text: str) -> str:
    """Returns text, which a server may have sent in part, without any control characters."""
    if text.isprintable():
        return text
    return "".join(
        each if each.isprintable() else " " if each.isspace() else _escaped(each) for each in text
    )


def question_text(question: str | bytes) -> str:
    """Returns a question as text; bytes that are not UTF-8 are escaped."""
    return question if isinstance(question, str) else question.decode(errors="backslashreplace")


def _escaped(character: str) -> str:
    return character.encode("unicode_escape").decode()
