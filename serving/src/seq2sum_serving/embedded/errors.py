"""Errors of the server: a status code and a message, as clients receive them."""

from __future__ import annotations

import logging
from enum import IntEnum

log = logging.getLogger(__name__)


class Code(IntEnum):
    """Status codes; the numbers are gRPC's and TensorFlow's."""

    OK = 0
    CANCELLED = 1
    UNKNOWN = 2
    INVALID_ARGUMENT = 3
    DEADLINE_EXCEEDED = 4
    NOT_FOUND = 5
    ALREADY_EXISTS = 6
    PERMISSION_DENIED = 7
    RESOURCE_EXHAUSTED = 8
    FAILED_PRECONDITION = 9
    ABORTED = 10
    OUT_OF_RANGE = 11
    UNIMPLEMENTED = 12
    INTERNAL = 13
    UNAVAILABLE = 14
    DATA_LOSS = 15
    UNAUTHENTICATED = 16


class ServingError(Exception):
    """A request or a load that failed."""

    def __init__(self, code: Code, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message

    def __str__(self) -> str:
        """In TensorFlow's form: `NOT_FOUND: Servable not found …`."""
        return f"{self.code.name}: {self.message}"


class StartupError(ServingError):
    """The server cannot start; the message says what to do where that is known."""


def invalid_argument(message: str) -> ServingError:
    """Returns an error with the code INVALID_ARGUMENT."""
    return ServingError(Code.INVALID_ARGUMENT, message)


def internal_error(error: Exception) -> ServingError:
    """Logs an unexpected exception; returns the error of its call."""
    log.error("a call failed", exc_info=error)
    return ServingError(Code.INTERNAL, f"{type(error).__name__}: {error}")
