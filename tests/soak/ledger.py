"""What came of every call and every change: counted, and the wrong ones told."""

from __future__ import annotations

import threading
from collections import Counter
from dataclasses import dataclass

MOST_EXAMPLES = 20


@dataclass(frozen=True, slots=True)
class Entry:
    """All outcomes of one kind of call."""

    kind: str
    fine: int
    """As it should be: answered rightly, or refused where a refusal is right."""
    wrong: int
    """Failed and should not have, or answered wrongly."""


class Ledger:
    """Counts for many threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._fine: Counter[str] = Counter()
        self._wrong: Counter[str] = Counter()
        self._examples: list[str] = []

    def fine(self, kind: str) -> None:
        with self._lock:
            self._fine[kind] += 1

    def wrong(self, kind: str, why: object) -> None:
        with self._lock:
            self._wrong[kind] += 1
            if len(self._examples) < MOST_EXAMPLES:
                self._examples.append(f"{kind}: {str(why)[:500]}")

    def entries(self) -> list[Entry]:
        with self._lock:
            kinds = sorted({*self._fine, *self._wrong})
            return [Entry(kind, self._fine[kind], self._wrong[kind]) for kind in kinds]

    def examples(self) -> list[str]:
        """The first wrong ones."""
        with self._lock:
            return list(self._examples)
