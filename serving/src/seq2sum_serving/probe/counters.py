"""Counters over all rounds, by replica and label: golden answers, calls, durations.

They are immutable: each round maps the previous counters to new ones. The counters of a replica or
label that is no longer probed are dropped.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from seq2sum_serving.probe.observation import OK, Call, Observation

BUCKET_BOUNDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
"""Upper bounds of the duration buckets, in seconds. A call takes one or two milliseconds, and the
default timeout of a round is 3 s."""


@dataclass(frozen=True, slots=True)
class CallCounters:
    """The counters of one label on one replica."""

    answers: int = 0
    """Golden requests that were answered, as expected or not."""
    wrong_answers: int = 0
    codes: Mapping[str, int] = field(default_factory=lambda: {OK: 0})
    """Calls by gRPC status code."""
    buckets: Sequence[int] = (0,) * (len(BUCKET_BOUNDS) + 1)
    """Successful calls by duration, not cumulative; the last bucket has no upper bound."""
    seconds: float = 0.0
    """The sum of the durations of successful calls."""

    def plus(self, calls: Sequence[Call]) -> CallCounters:
        """Returns the counters after further calls."""
        compared = [call for call in calls if call.compared]
        codes = Counter(self.codes)
        codes.update(call.code for call in calls)  # `+` would drop codes whose count is 0
        durations = [call.seconds for call in calls if call.code == OK]
        new = Counter(bisect_left(BUCKET_BOUNDS, seconds) for seconds in durations)
        return CallCounters(
            self.answers + len(compared),
            self.wrong_answers + sum(bool(call.difference) for call in compared),
            dict(codes),
            tuple(count + new[index] for index, count in enumerate(self.buckets)),
            self.seconds + sum(durations),
        )


Counters = Mapping[tuple[str, str], CallCounters]
"""By target and label."""


def accumulate(previous: Counters, observation: Observation) -> Counters:
    """Returns the counters after a round."""
    return {
        key: previous.get(key, CallCounters()).plus(calls)
        for key, calls in observation.calls.items()
    }
