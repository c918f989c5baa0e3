"""What is counted over rounds, by replica and label: golden questions, calls, seconds.

Values, not counters that live somewhere: the totals after a round are those before and what it
saw. Who is not asked any more is not counted any more.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from seq2sum_serving.probe.observation import ANSWERED, Call, Sight

LIMITS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
"""Upper ends of buckets, in seconds: an answer takes one or two milliseconds, and a prober that
waits for more than a few seconds has given up."""


@dataclass(frozen=True, slots=True)
class Tally:
    """Of one label on one replica."""

    answered: int = 0
    """Golden questions that were answered, rightly or wrongly. A call that failed is none."""
    wrong: int = 0
    """Those that were answered wrongly."""
    codes: Mapping[str, int] = field(default_factory=lambda: {ANSWERED: 0})
    """Calls by how they ended."""
    within: Sequence[int] = (0,) * (len(LIMITS) + 1)
    """Answered calls by bucket, each in one; the last is for what took longer than all limits."""
    seconds: float = 0.0
    """All answered calls together."""

    def plus(self, calls: Sequence[Call], wrong: int) -> Tally:
        """With what a round saw."""
        codes = Counter(self.codes)
        codes.update(call.code for call in calls)  # `+` would drop what is 0
        answered = [call.seconds for call in calls if call.code == ANSWERED]
        places = Counter(bisect_left(LIMITS, seconds) for seconds in answered)
        return Tally(
            self.answered + len(answered),
            self.wrong + wrong,
            dict(codes),
            tuple(count + places[place] for place, count in enumerate(self.within)),
            self.seconds + sum(answered),
        )


Totals = Mapping[tuple[str, str], Tally]
"""By replica and label."""


def added(before: Totals, sight: Sight) -> Totals:
    """The totals after a round."""
    return {
        key: before.get(key, Tally()).plus(calls, len(sight.wrong(*key)))
        for key, calls in sight.calls.items()
    }
