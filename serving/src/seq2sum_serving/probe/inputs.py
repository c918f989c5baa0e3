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
ROUND = "round"
"""Stands for all inputs of a model whose round ended with an unexpected error."""
OPTIONAL = (VERSIONS,)
"""Without these a round still works: config drift ignores the disk."""
OF_EVERY_MODEL = (TARGETS, MODEL_CONFIG)
"""The same for all models."""


class Missing(Exception):
    """An optional file does not exist; the text says what the probe does not observe without it."""


class InputReader:
    """Reads the inputs of one round and collects their errors."""

    def __init__(self) -> None:
        self.errors: dict[str, str] = {}
        """By name of the input: the reason why it could not be read; empty if it was read."""
        self.missing: dict[str, str] = {}
        """By name of the input: the text of `Missing`."""

    def read(self, name: str, read: Callable[[], Value]) -> Value | None:
        """Returns the result of `read`, or None if it raises an error.

        Args:
            name: The input. If it is read several times, its first error is kept.
            read: Reads it. Any error is caught: an unexpected file of one model must not end the
                round of the others.
        """
        self.errors.setdefault(name, "")

        def failed(message: str) -> None:
            self.errors[name] = self.errors[name] or message

        def expected() -> Value | None:
            try:
                return read()
            except Missing as missing:
                self.missing.setdefault(name, str(missing))
            except RolloutError as error:
                # The first line is the error; an example may follow.
                failed(str(error).splitlines()[0].rstrip(":"))
            except OSError as error:
                failed(f"{error.filename}: {error.strerror}")
            return None

        return guarded(expected, failed)


def guarded(work: Callable[[], Value], failed: Callable[[str], Value]) -> Value:
    """Returns the result of `work`; after an unexpected error, that of `failed` for its text."""
    try:
        return work()
    except Exception as error:  # noqa: BLE001  whatever it is, the rest of the round goes on
        return failed(f"unexpected {type(error).__name__}: {error}")
