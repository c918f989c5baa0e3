"""The summary and JSON of `make soak-balancing`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from deploy.balancing_load import Call
from seq2sum_serving.gates.quantile import P99, quantile

from benchmarks.support.output import examples

MIN_CALLS = 1000
"""With fewer calls, a run without failures proves little."""


@dataclass(frozen=True, slots=True)
class BalancerRun:
    """The calls that one balancer handled while replicas changed."""

    name: str
    """The balancer, and which side retries."""
    may_fail: bool
    """Whether calls may fail: without retries they do, which serves as a reference."""
    start: float
    """By `time.monotonic`."""
    calls: Sequence[Call]
    events: Sequence[tuple[float, str]]
    """Seconds since the start, and the change of the replicas."""
    retries: int | None = None
    """Retries by Envoy; None for gRPC, which does not report them."""

    @property
    def failed(self) -> list[Call]:
        """The calls that failed."""
        return [call for call in self.calls if call.error]

    @property
    def passed(self) -> bool:
        """Whether there were enough calls, and no failure that is not allowed."""
        return len(self.calls) >= MIN_CALLS and (self.may_fail or not self.failed)

    @property
    def summary(self) -> str:
        """The number of failed calls in a sentence, with the first errors."""
        count = f"{len(self.failed):,} of {len(self.calls):,} calls failed"
        return f"{self.name}: {count}{examples(call.error for call in self.failed)}"

    def seconds(self) -> list[Counter[int]]:
        """Returns the calls that ended in each whole second, by the replica that answered."""
        found: list[Counter[int]] = []
        for call in self.calls:
            second = int(call.begin + call.seconds - self.start)
            found.extend(Counter() for _ in range(len(found), second + 1))
            if call.version is not None:
                found[second][call.version] += 1
        return found[:-1]

    def to_json(self) -> dict[str, Any]:
        """Returns the run as JSON values."""
        times = [call.seconds for call in self.calls]
        return {
            "balancer": self.name,
            "calls": len(self.calls),
            "failed": len(self.failed),
            "failures": dict(Counter(call.error.partition("(")[0] for call in self.failed)),
            "retries_by_envoy": self.retries,
            "p99_milliseconds": round(1000 * quantile(times, P99), 1) if times else None,
            "longest_milliseconds": round(1000 * max(times, default=0)),
            "events": [[round(at, 1), event] for at, event in self.events],
            "seconds": [dict(sorted(one.items())) for one in self.seconds()],
        }
