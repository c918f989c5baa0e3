"""Deadlines of method calls, and the backoff between attempts within them."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator

from seq2sum._numbers import LONGEST, seconds


class Deadline:
    """A point in time on the monotonic clock that all RPCs of a method call share.

    Args:
        timeout: Seconds from now; None, or more than `LONGEST`, for no deadline.

    Raises:
        ValueError: The timeout is negative or not finite.
        TypeError: It is not a number.
    """

    __slots__ = ("expires_at",)

    def __init__(self, timeout: float | None) -> None:
        self.expires_at: float | None = None
        if timeout is None:
            return
        if type(timeout) not in (float, int) or not 0.0 <= timeout <= LONGEST:
            timeout = seconds("timeout", timeout)
        if timeout <= LONGEST:
            self.expires_at = time.monotonic() + timeout

    @classmethod
    def at(cls, expires_at: float | None) -> Deadline:
        """Returns the deadline at a time of `time.monotonic`; None for no deadline."""
        deadline = cls(None)
        deadline.expires_at = expires_at
        return deadline

    def remaining(self) -> float | None:
        """Returns the seconds left, at least 0; None for no deadline."""
        return None if self.expires_at is None else max(0.0, self.expires_at - time.monotonic())

    def passed(self) -> bool:
        """Returns whether no time is left."""
        return self.expires_at is not None and time.monotonic() >= self.expires_at


def backoff(*, initial: float, longest: float) -> Iterator[float]:
    """Yields the seconds between attempts, without end: doubled each time, with 25 % jitter.

    Without the jitter, callers that failed together would retry together.
    """
    pause = initial
    while True:
        yield pause * random.uniform(0.75, 1.25)
        pause = min(2 * pause, longest)


def limited_backoff(
    deadline: Deadline, *, initial: float, longest: float, retries: int
) -> Iterator[float]:
    """Yields the seconds before each of at most `retries` retries, until the deadline."""
    for _, pause in zip(range(retries), backoff(initial=initial, longest=longest), strict=False):
        remaining = deadline.remaining()
        if remaining is not None and remaining <= pause:
            return
        yield pause
