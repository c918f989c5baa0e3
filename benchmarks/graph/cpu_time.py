"""Compares the CPU time of calls on a busy machine: in turns, by the median of ratios."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from statistics import median

TURN = 0.03
"""CPU time of one turn in seconds; a turn makes at least one call."""

Call = Callable[[], object]


def microseconds(calls: Mapping[str, Call], *, rounds: int) -> dict[str, list[float]]:
    """Returns the CPU time of each call by name, a value per round; they take turns in a round."""
    repeats = {name: _repeats(call) for name, call in calls.items()}
    times: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(rounds):
        for name, call in calls.items():
            start = time.process_time()
            for _ in range(repeats[name]):
                call()
            times[name].append(1e6 * (time.process_time() - start) / repeats[name])
    return times


def ratio(one: list[float], other: list[float]) -> float:
    """Returns the median over the rounds of `one` divided by `other`."""
    return median(a / b for a, b in zip(one, other, strict=True))


def _repeats(call: Call) -> int:
    call()  # the first call initializes
    start = time.process_time()
    call()
    return max(1, round(TURN / max(time.process_time() - start, 1e-6)))
