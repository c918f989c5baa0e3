"""CPU time that a thread spent in TensorFlow, outside the interpreter's lock."""

from __future__ import annotations

import threading


class _Clock(threading.local):
    seconds = 0.0


_clock = _Clock()


def add(seconds: float) -> None:
    """Adds the seconds of a run to those of the calling thread."""
    _clock.seconds += seconds


def total() -> float:
    """Returns the seconds of all runs of the calling thread."""
    return _clock.seconds
