"""Time: how long a method call may take, all of its RPCs together, and pauses within it."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from typing import Final

from seq2sum._numbers import LONGEST, seconds


class Default:
    """Stands for "what the client was made with", where None already means "no deadline"."""

    def __repr__(self) -> str:
        """Short, for signatures in documentation."""
        return "DEFAULT"


DEFAULT: Final = Default()

Timeout = float | Default | None
"""Seconds; None for no limit; DEFAULT for the client's own."""


class Deadline:
    """A moment on the monotonic clock.

    Args:
        timeout: Seconds from now; None for none. What is longer than `LONGEST` means none too.

    Raises:
        ValueError: A time below zero, or one that is not finite.
        TypeError: It is not a number.
    """

    __slots__ = ("moment",)

    def __init__(self, timeout: float | None) -> None:
        self.moment: float | None = None
        if timeout is None:
            return
        if type(timeout) not in (float, int) or not 0.0 <= timeout <= LONGEST:
            timeout = seconds("timeout", timeout)
        if timeout <= LONGEST:
            self.moment = time.monotonic() + timeout

    @classmethod
    def at(cls, moment: float | None) -> Deadline:
        """The deadline at a moment on `time.monotonic`; None for none."""
        deadline = cls(None)
        deadline.moment = moment
        return deadline

    def remaining(self) -> float | None:
        """Seconds left, at least 0; None for no deadline."""
        return None if self.moment is None else max(0.0, self.moment - time.monotonic())

    def passed(self) -> bool:
        """Whether no time is left."""
        return self.moment is not None and time.monotonic() >= self.moment


def pauses(*, first: float, longest: float) -> Iterator[float]:
    """Seconds to wait between attempts: twice as long each time, give or take a quarter.

    Without the jitter, callers that failed together would come again together.
    """
    pause = first
    while True:
        yield pause * random.uniform(0.75, 1.25)
        pause = min(2 * pause, longest)


def patience(
    deadline: Deadline, *, first: float, longest: float, most: int
) -> Iterator[float | None]:
    """`pauses` that end: the last one is None, before the deadline or after `most` pauses."""
    for _, pause in zip(range(most), pauses(first=first, longest=longest), strict=False):
        remaining = deadline.remaining()
        if remaining is not None and remaining <= pause:
            break
        yield pause
    yield None
