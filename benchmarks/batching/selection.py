"""Selects batching parameters from measurements, and decides whether batching pays.

Pure functions. The score of a candidate is the geometric mean, over all loads, of its ratio to
batching off in the same round. The ratio of a load is that of its throughput or, if single
questions arrive in addition, the geometric mean of the ratios of throughput and of their latency. A
candidate whose p99 under any load is much longer than without batching is excluded. Of the
candidates that are not clearly worse than the best, the simplest is chosen.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median, stdev
from typing import NamedTuple

from benchmarks.batching.candidates import CONTROL, KEPT, OFF, Candidate
from benchmarks.load.generator import Load, Sample

MIN_DIFFERENCE = 0.02
"""A smaller difference justifies no setting, however precisely it is measured."""
STANDARD_ERRORS = 2.0
"""Number of standard errors that a difference must exceed to count."""
MEDIAN_ERROR = 1.2533
"""Standard error of a median relative to that of a mean, for normal noise."""
MAX_TAIL_RATIO = 2.0
"""Largest allowed ratio of a load's p99 to that without batching; see `max_tail`."""
DROP_BELOW = 0.9
"""A candidate that is clearly below this share of the best score is no longer measured."""


class Measurement(NamedTuple):
    """One candidate under one load in one round."""

    candidate: str
    load: Load
    round: int
    sample: Sample


LogRatios = dict[int, float]
"""Logarithms of a ratio to batching off, by round."""


class Comparison:
    """The measurements as ratios to batching off."""

    def __init__(self, measurements: Iterable[Measurement]) -> None:
        self._samples = {(m.candidate, m.load, m.round): m.sample for m in measurements}
        self.loads: Sequence[Load] = list(dict.fromkeys(load for _, load, _ in self._samples))
        self.names: Sequence[str] = list(dict.fromkeys(name for name, _, _ in self._samples))

    def rounds(self, name: str) -> list[int]:
        """Returns the rounds in which a candidate was measured under all loads."""
        numbers = dict.fromkeys(number for each, _, number in self._samples if each == name)
        return [
            number
            for number in numbers
            if all((name, load, number) in self._samples for load in self.loads)
        ]

    def ratio(self, name: str, load: Load) -> float:
        """Returns the ratio for one load, the median over the rounds."""
        return math.exp(median(self._log_ratio(name, load, number) for number in self.rounds(name)))

    def tail_ratio(self, name: str, load: Load) -> float:
        """Returns the ratio of p99 for one load, the median over the rounds; less is better."""
        return median(
            self._samples[name, load, number].p99 / self._samples[OFF, load, number].p99
            for number in self.rounds(name)
        )

    def longest_tail(self, name: str) -> float:
        """Returns the largest ratio of p99 over all loads."""
        return max(self.tail_ratio(name, load) for load in self.loads)

    def log_scores(self, name: str) -> LogRatios:
        """Returns the logarithm of the score of each round: the mean log ratio over all loads."""
        return {
            number: sum(self._log_ratio(name, load, number) for load in self.loads)
            / len(self.loads)
            for number in self.rounds(name)
        }

    def score(self, name: str) -> float:
        """Returns the median over the rounds of the geometric mean of all loads' ratios."""
        return math.exp(median(self.log_scores(name).values()))

    def median(self, name: str, load: Load) -> Sample:
        """Returns the median of each figure over the rounds."""
        own = [self._samples[name, load, number] for number in self.rounds(name)]
        return Sample(*map(median, zip(*own, strict=True)))

    def _log_ratio(self, name: str, load: Load, number: int) -> float:
        own, off = (self._samples[each, load, number] for each in (name, OFF))
        rate = math.log(own.questions_per_second / off.questions_per_second)
        return (rate + math.log(off.p50 / own.p50)) / 2 if load.arrivals else rate


@dataclass(frozen=True, slots=True)
class Choice:
    """The chosen parameters, compared with no batching."""

    batched: str
    """Name of the candidate whose batching file to use."""
    unbatched: str
    """The best candidate without batching."""
    ratio: float
    """Score of the first relative to the second."""
    pays: bool | None
    """Whether batching is better on this server; None: no significant difference."""
    resolution: float
    """Smallest difference that counts: that of the control to batching off, or MIN_DIFFERENCE."""
    tails_kept: bool
    """Whether any candidate with batching keeps the p99 of every load within the limit."""


def choose(measurements: Iterable[Measurement], candidates: Sequence[Candidate]) -> Choice:
    """Chooses the simplest of the best parameters, and compares them with no batching."""
    comparison = Comparison(measurements)
    least = resolution(comparison)
    known = [candidate for candidate in candidates if candidate.name in comparison.names]
    on = [candidate for candidate in known if candidate.parameters]
    off = [c for c in known if not c.parameters and c.name != CONTROL]
    limit = max_tail(comparison)
    kept = [candidate for candidate in on if comparison.longest_tail(candidate.name) <= limit]
    batched = simplest(comparison, kept or on, least)
    unbatched = simplest(comparison, off, least)
    batched_scores, unbatched_scores = (
        comparison.log_scores(name) for name in (batched, unbatched)
    )
    better = is_worse(unbatched_scores, batched_scores, least)
    worse = is_worse(batched_scores, unbatched_scores, least)
    return Choice(
        batched=batched,
        unbatched=unbatched,
        ratio=comparison.score(batched) / comparison.score(unbatched),
        pays=better if better or worse else None,
        resolution=least,
        tails_kept=bool(kept),
    )


def resolution(comparison: Comparison) -> float:
    """Returns the smallest difference that counts."""
    if CONTROL not in comparison.names:
        return MIN_DIFFERENCE
    return max(MIN_DIFFERENCE, math.expm1(abs(math.log(comparison.score(CONTROL)))))


def max_tail(comparison: Comparison) -> float:
    """Returns the largest allowed ratio of p99.

    The control differs from batching off by noise alone. If its ratio is above 1, the limit grows.
    """
    control = comparison.longest_tail(CONTROL) if CONTROL in comparison.names else 1
    return MAX_TAIL_RATIO * max(1, control)


def simplest(comparison: Comparison, candidates: Sequence[Candidate], least: float) -> str:
    """Returns the candidate with the fewest settings that is not clearly worse than the best."""
    scores = {candidate.name: comparison.log_scores(candidate.name) for candidate in candidates}
    best = max(scores, key=comparison.score)
    level = [c for c in candidates if not is_worse(scores[c.name], scores[best], least)]
    return min(level, key=lambda candidate: candidate.settings).name  # the first of equals


def is_worse(own: Mapping[int, float], best: Mapping[int, float], least: float) -> bool:
    """Returns whether a candidate is clearly worse than another, over the rounds of both.

    Other load on the machine affects both in the same round, so the differences by round are
    tested. One round proves nothing: the next could differ by any amount.
    """
    gaps = [best[number] - own[number] for number in own.keys() & best.keys()]
    if len(gaps) < 2:
        return False
    error = MEDIAN_ERROR * stdev(gaps) / math.sqrt(len(gaps))
    return median(gaps) > max(math.log1p(least), STANDARD_ERRORS * error)


def still_running(
    measurements: Iterable[Measurement], candidates: Sequence[Candidate]
) -> list[Candidate]:
    """Returns the candidates to measure further: those of `KEPT`, and those that may be best."""
    comparison = Comparison(measurements)
    scores = {each.name: comparison.log_scores(each.name) for each in candidates if each.parameters}
    best = scores[max(scores, key=comparison.score)]
    return [
        each
        for each in candidates
        if each.name in KEPT or not is_worse(scores[each.name], best, 1 / DROP_BELOW - 1)
    ]
