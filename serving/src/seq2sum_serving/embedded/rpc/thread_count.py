"""Number of threads that run calls, chosen by the time that calls need the interpreter's lock.

Threads that hold the lock for most of their time do not run side by side: they wait for each other,
and each wait costs two changes of threads. docs/design-notes.md, "Two gRPC servers", has figures.
"""

from __future__ import annotations

LOCK_SHARE = 0.7
"""Share of time in which threads together hold the lock, at most, when one is added."""
HIGHEST_LOCK_SHARE = 0.75
"""Share above which one is taken away. The gap keeps the number from changing all the time."""
KEPT = 0.98
"""Weight of the past at each measurement: about the last 50 count."""


class ThreadCount:
    """Number of threads between 1 and `most`. Threads may record without a lock."""

    def __init__(self, most: int) -> None:
        """Starts with one thread."""
        self.count = 1
        self._most = most
        self._seconds = 0.0
        self._unlocked_seconds = 0.0

    def record(self, seconds: float, unlocked_seconds: float) -> None:
        """Adds a measurement, and changes `count` if it is no longer right.

        Args:
            seconds: CPU time of a thread for one or more calls.
            unlocked_seconds: The part of it outside the interpreter's lock.
        """
        self._seconds = KEPT * self._seconds + seconds
        self._unlocked_seconds = KEPT * self._unlocked_seconds + unlocked_seconds
        locked = max(self._seconds - self._unlocked_seconds, 1e-9) / max(self._seconds, 1e-9)
        fitting = min(max(int(LOCK_SHARE / locked), 1), self._most)
        if fitting > self.count or self.count * locked > HIGHEST_LOCK_SHARE:
            self.count = fitting
