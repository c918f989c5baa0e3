"""Metrics of one group of servers during a period, from a metric provider."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class GroupMetrics:
    """Calls to a model, by its servers' own metrics. Counts are estimates; None is unknown."""

    servers: int = 0
    """Number of servers that Prometheus knows."""
    unscraped: int = 0
    """Number of these that it never reached during the period."""
    answered: float = 0.0
    """Calls for predictions, classifications and regressions that succeeded."""
    errors: Mapping[str, float] = field(default_factory=dict)
    """Calls that failed, by status: `INTERNAL`."""
    p50_milliseconds: float | None = None
    """Of answered calls."""
    p99_milliseconds: float | None = None
    """Of answered calls."""
    queued: float = 0.0
    """Calls that waited in the batch queue, of all models of these servers."""
    queue_p99_milliseconds: float | None = None
    """99th percentile of the time that these waited."""
    load_seconds: float | None = None
    """Mean time of a load of the group's version, without its warm-up."""
    probes: int = 0
    """Number of the calls that were probes of gates."""
    probe_errors: int = 0
    """Number of these that failed."""

    @property
    def failed(self) -> float:
        """Number of failed calls."""
        return sum(self.errors.values())

    @property
    def calls(self) -> float:
        """Number of all calls."""
        return self.answered + self.failed

    @property
    def caller_calls(self) -> float:
        """Number of calls that were not probes."""
        return max(self.calls - self.probes, 0.0)

    @property
    def caller_errors(self) -> float:
        """Number of these that failed."""
        return max(self.failed - self.probe_errors, 0.0)

    @property
    def is_mostly_probes(self) -> bool:
        """Whether callers made less than half of the calls."""
        return 2 * self.probes > self.calls
