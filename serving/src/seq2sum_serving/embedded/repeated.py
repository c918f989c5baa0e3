"""Messages of loops that run every second: logged when they are new, then ever less often."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Hashable
from dataclasses import dataclass

FIRST_PAUSE_SECONDS = 10.0
GROWTH = 2.0
LONGEST_PAUSE_SECONDS = 600.0
"""A log that is only kept for an hour still shows what is wrong."""


@dataclass(slots=True)
class _Said:
    text: str
    pause: float
    next: float


class Repeated:
    """Decides whether a message is worth a line of the log. Safe to use from any thread."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._said: dict[Hashable, _Said] = {}

    def is_due(self, subject: Hashable, text: str) -> bool:
        """Whether to log a message: it is new for its subject, or was last logged long ago."""
        now = self._clock()
        with self._lock:
            said = self._said.get(subject)
            if said is None or said.text != text:
                self._said[subject] = _Said(text, FIRST_PAUSE_SECONDS, now + FIRST_PAUSE_SECONDS)
                return True
            if now < said.next:
                return False
            said.pause = min(said.pause * GROWTH, LONGEST_PAUSE_SECONDS)
            said.next = now + said.pause
            return True

    def forget(self, subject: Hashable) -> None:
        """Notes that a subject has no message any more, so that the next one is new."""
        with self._lock:
            self._said.pop(subject, None)
