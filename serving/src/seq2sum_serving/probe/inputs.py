"""What a round reads: each by its name, and why it could not be."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from seq2sum_serving.deployment.errors import RolloutError

Read = TypeVar("Read")

TARGETS = "targets"
RECORD = "record"
VERSIONS = "versions"
GOLDEN = "golden"
TRAFFIC = "traffic"
HISTORY = "history"
DISPENSABLE = (VERSIONS, GOLDEN)
"""Without these a round is a round: what is on disk is not compared, and sums of one digit are
asked."""


class Sources:
    """Of one round."""

    def __init__(self) -> None:
        self.why: dict[str, str] = {}
        """By name: why it could not be read; empty if it could."""

    def read(self, name: str, read: Callable[[], Read]) -> Read | None:
        """What it gives; None if it cannot.

        Args:
            name: Of the source. One that is read several times keeps the first reason.
            read: Reads it.
        """
        self.why.setdefault(name, "")
        try:
            return read()
        except RolloutError as error:
            told = in_a_line(str(error))
        except OSError as error:
            told = f"{error.filename}: {error.strerror}"
        self.why[name] = self.why[name] or told
        return None


def in_a_line(text: str) -> str:
    """An error of a rollout without the example that it may end with."""
    first, *_ = text.splitlines()
    return first.rstrip(":")
