"""Every call that a caller made: when, answered by which version, or why not."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Call:
    """One call, as its caller saw it."""

    begin: float
    """Seconds since 1970, as the history tells time."""
    end: float
    version: int | None = None
    """What answered; None if it failed."""
    right: bool = False
    """Whether the answer was the sum."""
    error: str = ""
    """Why it failed; empty if it did not."""

    @property
    def seconds(self) -> float:
        """How long it took."""
        return self.end - self.begin


class Ledger:
    """Calls of many threads, in the order in which they ended."""

    def __init__(self) -> None:
        self._calls: list[Call] = []

    def __len__(self) -> int:
        """How many there are."""
        return len(self._calls)

    def add(self, call: Call) -> None:
        """Writes one down; appending needs no lock."""
        self._calls.append(call)

    def calls(self, first: int = 0) -> list[Call]:
        """Those from this one on."""
        return self._calls[first:]
