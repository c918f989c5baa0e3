"""What follows from the measurements: which parameters are good, and whether batching pays.

All pure. The objective: over all loads the geometric mean of what a candidate is worth, as a
ratio to batching off in the same round. A load is worth its questions a second; one with single
questions beside it is worth as much for their latency. Whoever makes the slowest callers of any
load wait much longer than they do without batching is out. Of those that cannot be told from the
best one the simplest is taken.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median, stdev
from typing import NamedTuple

from batching_candidates import CONTROL, KEPT, OFF, Candidate
from batching_loads import Load, Sample

LEAST_DIFFERENCE = 0.02
"""A smaller one is no reason to set anything, however well it is measured."""
ERRORS = 2.0
"""Standard errors by which a difference has to stand out."""
OF_MEDIAN = 1.2533
"""The standard error of a median against that of a mean, for normal noise."""
TAIL = 2.0
"""How many times the p99 without batching a load's p99 may be, where the same server twice has
the same one."""
LOST = 0.9
"""A candidate that is clearly below this part of the best is not measured any longer."""


class Measurement(NamedTuple):
    """One candidate with one load in one round."""

    candidate: str
    load: Load
    round: int
    sample: Sample


Logarithms = dict[int, float]
"""By round, of a ratio to batching off."""


class Found:
    """The measurements, as ratios to batching off."""

    def __init__(self, measurements: Iterable[Measurement]) -> None:
        self._samples = {(m.candidate, m.load, m.round): m.sample for m in measurements}
        self.loads: Sequence[Load] = list(dict.fromkeys(load for _, load, _ in self._samples))
        self.names: Sequence[str] = list(dict.fromkeys(name for name, _, _ in self._samples))

    def rounds(self, name: str) -> list[int]:
        """Those in which the candidate was asked all loads."""
        numbers = dict.fromkeys(number for each, _, number in self._samples if each == name)
        return [
            number
            for number in numbers
            if all((name, load, number) in self._samples for load in self.loads)
        ]

    def worth(self, name: str, load: Load) -> float:
        """Of one load: the median over the rounds of the ratio to batching off."""
        return math.exp(median(self._worth(name, load, number) for number in self.rounds(name)))

    def tail(self, name: str, load: Load) -> float:
        """The same for its p99; less is better."""
        return median(
            self._samples[name, load, number].p99 / self._samples[OFF, load, number].p99
            for number in self.rounds(name)
        )

    def longest_tail(self, name: str) -> float:
        """That of the load where it is the longest."""
        return max(self.tail(name, load) for load in self.loads)

    def scores(self, name: str) -> Logarithms:
        """Of all loads together, round by round."""
        return {
            number: sum(self._worth(name, load, number) for load in self.loads) / len(self.loads)
            for number in self.rounds(name)
        }

    def score(self, name: str) -> float:
        """How many times as good as batching off, all loads together."""
        return math.exp(median(self.scores(name).values()))

    def median(self, name: str, load: Load) -> Sample:
        """Each figure's median over the rounds."""
        own = [self._samples[name, load, number] for number in self.rounds(name)]
        return Sample(*map(median, zip(*own, strict=True)))

    def _worth(self, name: str, load: Load, number: int) -> float:
        ours, off = (self._samples[each, load, number] for each in (name, OFF))
        rate = math.log(ours.questions_a_second / off.questions_a_second)
        return (rate + math.log(off.p50 / ours.p50)) / 2 if load.beside else rate


@dataclass(frozen=True, slots=True)
class Choice:
    """What to start a server with, and what speaks for it."""

    parameters: str
    """Name of the candidate whose batching file is the one to use."""
    without: str
    """The best candidate without batching."""
    ratio: float
    """What the parameters are worth against that, all loads together."""
    pays: bool | None
    """Whether batching is better than none on this server; None: they cannot be told apart."""
    resolution: float
    """The ratio that the same server twice differs by, less 1; at least LEAST_DIFFERENCE."""
    tails_kept: bool
    """Whether any batching at all keeps the p99 of every load."""


def choose(measurements: Iterable[Measurement], candidates: Sequence[Candidate]) -> Choice:
    """The simplest parameters that are as good as any, and how they compare with none."""
    found = Found(measurements)
    least = resolution(found)
    known = [candidate for candidate in candidates if candidate.name in found.names]
    on = [candidate for candidate in known if candidate.parameters]
    off = [c for c in known if not c.parameters and c.name != CONTROL]
    kept = [candidate for candidate in on if found.longest_tail(candidate.name) <= tail(found)]
    with_batching = simplest(found, kept or on, least)
    without = simplest(found, off, least)
    scores = {name: found.scores(name) for name in (with_batching, without)}
    better = behind(scores[without], scores[with_batching], least)
    worse = behind(scores[with_batching], scores[without], least)
    return Choice(
        parameters=with_batching,
        without=without,
        ratio=found.score(with_batching) / found.score(without),
        pays=better if better or worse else None,
        resolution=least,
        tails_kept=bool(kept),
    )


def resolution(found: Found) -> float:
    """The smallest difference that counts: that of the same server twice, or the least of all."""
    if CONTROL not in found.names:
        return LEAST_DIFFERENCE
    return max(LEAST_DIFFERENCE, math.expm1(abs(math.log(found.score(CONTROL)))))


def tail(found: Found) -> float:
    """The longest tail that a candidate may have: noise makes longer ones of single calls."""
    return TAIL * max(1, found.longest_tail(CONTROL) if CONTROL in found.names else 1)


def simplest(found: Found, candidates: Sequence[Candidate], least: float) -> str:
    """Of all that are not clearly behind the best, the one that sets the fewest things."""
    scores = {candidate.name: found.scores(candidate.name) for candidate in candidates}
    best = max(scores, key=found.score)
    level = [c for c in candidates if not behind(scores[c.name], scores[best], least)]
    return min(level, key=lambda candidate: candidate.settings).name  # the first of several


def behind(ours: Mapping[int, float], best: Mapping[int, float], least: float) -> bool:
    """Whether one is clearly worse than another, over the rounds that both were in.

    Both met the same disturbances in a round, so it is their differences that are looked at. One
    round tells nothing: nobody knows how much the next one would differ.
    """
    gaps = [best[number] - ours[number] for number in ours.keys() & best.keys()]
    if len(gaps) < 2:
        return False
    error = OF_MEDIAN * stdev(gaps) / math.sqrt(len(gaps))
    return median(gaps) > max(math.log1p(least), ERRORS * error)


def still_running(
    measurements: Iterable[Measurement], candidates: Sequence[Candidate]
) -> list[Candidate]:
    """Those that others are compared with, and those that may yet be the best way to batch."""
    found = Found(measurements)
    scores = {each.name: found.scores(each.name) for each in candidates if each.parameters}
    best = scores[max(scores, key=found.score)]
    return [
        each
        for each in candidates
        if each.name in KEPT or not behind(scores[each.name], best, 1 / LOST - 1)
    ]
