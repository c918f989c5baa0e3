"""Counts the outcomes of calls and changes, with examples of failures."""

from __future__ import annotations

import threading
from collections import Counter
from dataclasses import dataclass

MAX_EXAMPLES = 20


@dataclass(frozen=True, slots=True)
class Count:
    """The outcomes of one kind of call."""

    kind: str
    ok: int
    """Answered correctly, or refused where it must be."""
    failed: int
    """Failed, or answered wrongly."""


class CallCounter:
    """Counts outcomes. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._ok: Counter[str] = Counter()
        self._failed: Counter[str] = Counter()
        self._examples: list[str] = []

    def ok(self, kind: str) -> None:
        """Counts a success."""
        with self._lock:
            self._ok[kind] += 1

    def failed(self, kind: str, reason: object) -> None:
        """Counts a failure."""
        with self._lock:
            self._failed[kind] += 1
            if len(self._examples) < MAX_EXAMPLES:
                self._examples.append(f"{kind}: {str(reason)[:500]}")

    def counts(self) -> list[Count]:
        """Returns the counts of all kinds."""
        with self._lock:
            kinds = sorted({*self._ok, *self._failed})
            return [Count(kind, self._ok[kind], self._failed[kind]) for kind in kinds]

    def examples(self) -> list[str]:
        """Returns the first failures."""
        with self._lock:
            return list(self._examples)
