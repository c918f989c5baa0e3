"""Throttles the log messages of loops that run every second."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Hashable
from dataclasses import dataclass

INITIAL_INTERVAL_SECONDS = 10.0
GROWTH = 2.0
MAX_INTERVAL_SECONDS = 600.0
"""Short enough that a log kept for only an hour still shows what is wrong."""


@dataclass(slots=True)
class _Logged:
    """The last message about a subject, and when it may be logged again."""

    text: str
    interval: float
    due: float


class LogThrottle:
    """Decides which repeated messages to log. Safe to use from any thread."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._logged: dict[Hashable, _Logged] = {}

    def is_due(self, subject: Hashable, text: str) -> bool:
        """Returns whether to log a message: it is new for its subject, or its interval is over.

        The interval grows with every repetition.
        """
        now = self._clock()
        with self._lock:
            last = self._logged.get(subject)
            if last is None or last.text != text:
                due = now + INITIAL_INTERVAL_SECONDS
                self._logged[subject] = _Logged(text, INITIAL_INTERVAL_SECONDS, due)
                return True
            if now < last.due:
                return False
            last.interval = min(last.interval * GROWTH, MAX_INTERVAL_SECONDS)
            last.due = now + last.interval
            return True

    def forget(self, subject: Hashable) -> None:
        """Forgets a subject whose problem is over, so that its next message is logged at once."""
        with self._lock:
            self._logged.pop(subject, None)
