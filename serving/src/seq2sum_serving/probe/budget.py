"""Time that several calls have together."""

from __future__ import annotations

import time

LEAST = 0.001
"""Seconds. A call that begins after the end is over at once; to a socket, 0 would mean: never
wait."""


class Budget:
    """So many seconds from now on."""

    def __init__(self, seconds: float) -> None:
        self._end = time.monotonic() + seconds

    def left(self) -> float:
        """What the next call may take."""
        return max(LEAST, self._end - time.monotonic())
