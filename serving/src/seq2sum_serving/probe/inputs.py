"""The inputs of a probe round by name, and the errors of those that cannot be read."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from seq2sum_serving.deployment.errors import RolloutError

Value = TypeVar("Value")

TARGETS = "targets"
MODEL_CONFIG = "model_config"
VERSIONS = "versions"
GOLDEN_REQUESTS = "golden_requests"
TRAFFIC = "traffic"
HISTORY = "history"
OPTIONAL = (VERSIONS, GOLDEN_REQUESTS)
"""Without these a round still works: config drift ignores the disk, and no answers are compared."""
OF_EVERY_MODEL = (TARGETS, MODEL_CONFIG)
"""The same for all models."""


class InputReader:
    """Reads the inputs of one round and collects their errors."""

    def __init__(self) -> None:
        self.errors: dict[str, str] = {}
        """By name of the input: the reason why it could not be read; empty if it was read."""

    def read(self, name: str, read: Callable[[], Value]) -> Value | None:
        """Returns the result of `read`, or None if it raises an error.

        Args:
            name: The input. If it is read several times, its first error is kept.
            read: Reads it; may raise RolloutError or OSError.
        """
        self.errors.setdefault(name, "")
        try:
            return read()
        except RolloutError as error:
            # The first line is the error; an example may follow.
            message = str(error).splitlines()[0].rstrip(":")
        except OSError as error:
            message = f"{error.filename}: {error.strerror}"
        self.errors[name] = self.errors[name] or message
        return None
