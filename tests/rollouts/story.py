"""The story: from the first version to the last, with callers who ask all the while.

The first version is often wrong, one that is always right follows, and a faster one follows that.
Then one comes whose weights are shuffled: the golden gate takes it back before a caller meets it.
One more is on trial with a part of the traffic when too little was seen to judge it: it is taken
back by hand. Then versions take turns until there were enough calls, and the last step is undone.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path

from rollouts.allowed import swaps
from rollouts.callers import Callers
from rollouts.ledger import Call
from rollouts.world import Ended, World
from seq2sum_serving.rollout.errors import Exit
from seq2sum_serving.rollout.history import Event

SEED, DEFAULT, FAST, SHUFFLED = "seed", "default", "fast", "shuffled"
"""Who appears: recipes, and one whose weights are shuffled."""
MOST_SWAPS = 100
POLICY = """\
[latency]
# Callers, servers and the judge share the same few cores here: what is measured is the load.
warm_up = 5
samples = 30
p50_ratio = 20.0
p99_ratio = 50.0
p99_milliseconds = 5000.0
[live]
fewest = {fewest}
p99_ratio = 200.0
[traffic]
steps = [10, 50]
bake = {bake}
settle = {settle}
"""
FEW, NEVER_ENOUGH = 1, 1_000_000
"""Probes that have to be seen."""

Tell = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Tempo:
    """How long it all takes."""

    calls: int
    """At least so many."""
    swaps: int = 0
    """At least so many, too."""
    calm: float = 20.0
    """Seconds of calls before the first rollout."""
    bake: float = 3.0
    """Seconds at each step."""
    settle: float = 1.0
    """Seconds that callers get to see new labels."""


@dataclass(frozen=True, slots=True)
class Chapter:
    """A verb, how it should end, and how it did."""

    verb: str
    """With its version."""
    expected: Exit
    ended: Ended
    said: str = ""
    """What its message has to say."""

    @property
    def as_expected(self) -> bool:
        """Whether it ended as it should."""
        return self.ended.code == self.expected and self.said in self.ended.message


@dataclass(frozen=True, slots=True)
class Story:
    """All that came of it."""

    tempo: Tempo
    names: Mapping[int, str]
    """By version, who it is."""
    began: float
    """When callers began, in seconds since 1970."""
    calls: Sequence[Call]
    events: Sequence[Event]
    """The history."""
    chapters: Sequence[Chapter]


def told(
    world: World,
    cast: Mapping[str, Path],
    tempo: Tempo,
    *,
    tell: Tell = lambda _: None,
    watched: Callable[[Callers], None] = lambda _: None,
) -> Story:
    """Plays it.

    Args:
        world: Servers with the first version.
        cast: The folder of each version that appears, by name.
        tempo: How long it takes.
        tell: Told what is done, a line at a time.
        watched: Shown the callers when they have begun.
    """
    names: dict[int, str] = {1: SEED}
    chapters: list[Chapter] = []

    def chapter(
        verb: str, *arguments: str, expected: Exit = Exit.DONE, said: str = "", policy: str = ""
    ) -> Chapter:
        tell(f"$ seq2sum-rollout {' '.join([verb, *arguments])}")
        ended = world.rollout(verb, *arguments, policy=policy)
        version = ended.answer.get("version", arguments[0] if arguments else "")
        chapters.append(Chapter(f"{verb} {version}".strip(), expected, ended, said))
        told = f": {ended.message}" if ended.message else ""
        tell(f"exit code {ended.code} after {ended.seconds:.1f} s{told}")
        return chapters[-1]

    def run(name: str, policy: str, expected: Exit = Exit.DONE, said: str = "") -> Chapter:
        found = chapter("run", str(cast[name]), expected=expected, said=said, policy=policy)
        if "version" in found.ended.answer:
            names[found.ended.answer["version"]] = name
        return found

    pace = {"bake": tempo.bake, "settle": tempo.settle}
    usual = POLICY.format(fewest=FEW, **pace)
    in_doubt = POLICY.format(fewest=NEVER_ENOUGH, **pace)
    chapter("promote", "1")
    with Callers(world, cast[SEED]) as callers:
        watched(callers)
        time.sleep(tempo.calm)
        run(DEFAULT, usual)
        run(FAST, usual)
        run(SHUFFLED, usual, Exit.FAILED, "golden: ")
        doubted = run(DEFAULT, in_doubt, Exit.INCONCLUSIVE, "live.fewest is 1,000,000")
        chapter("rollback")
        chapter("retire", str(doubted.ended.answer["version"]))
        for name in cycle([DEFAULT, FAST]):
            swapped = len(swaps(world.events()))
            enough = len(callers.ledger) >= tempo.calls and swapped >= tempo.swaps
            if enough or swapped >= MOST_SWAPS or not chapters[-1].as_expected:
                break
            run(name, usual)
        chapter("rollback")
        chapter("status")
    return Story(
        tempo, names, callers.began, callers.ledger.calls(), world.events(), tuple(chapters)
    )
