"""Gates `errors`, `correctness` and `latency (live)`: judged while the canary gets traffic.

Probes know which version answered, and whether its reply was as expected. Prometheus knows the
calls of every caller, but does not distinguish versions. Neither replaces the other: with both, a
failure of one is enough to fail the gate. A gate fails as soon as errors or wrong replies exceed
the limit for `live.min_calls` calls, even if fewer calls were made, so a step can end early.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from seq2sum_serving.deployment.event_log import Verdict
from seq2sum_serving.deployment.plain_text import one_line
from seq2sum_serving.deployment.state import CANARY, STABLE
from seq2sum_serving.gates.error_rate import DIGITS, allowed_errors
from seq2sum_serving.gates.formatting import milliseconds, number, percent, sentence, times
from seq2sum_serving.gates.measurement import Measurement, Value
from seq2sum_serving.gates.policy import GatePolicy
from seq2sum_serving.gates.quantile import P99, quantile, ratio

CHECK_LOGS = "keep traffic on stable, and look for the cause in the servers' logs"
NEW_VERSION = "keep traffic on stable, and publish a better version under a new number"
MORE_CALLS = "bake longer (traffic.bake), or probe more often (live.probes_per_second)"


@dataclass(slots=True)
class ProbeStats:
    """Results of the probes of one version."""

    errors: int = 0
    """Failed calls."""
    first_error: str = ""
    wrong: int = 0
    """Calls with other outputs than expected."""
    first_wrong: str = ""
    """Inputs and differences: `{"x": [1.0]}: y is 3 (expected 2)`."""
    seconds: list[float] = field(default_factory=list)
    """Durations of the answered calls."""

    @property
    def calls(self) -> int:
        """Number of all calls."""
        return self.errors + len(self.seconds)


@dataclass(frozen=True, slots=True)
class LiveMetrics:
    """Calls of all callers to the model, to all versions together, from a metric provider.

    Counts are estimates and need not be integers. None stands for unknown.
    """

    calls: float
    """During the step."""
    errors: float
    """Number of these that failed."""
    calls_before: float | None = None
    """In a period of the same length before the canary."""
    errors_before: float | None = None
    """Number of these that failed."""
    p99_milliseconds: float | None = None
    """Of answered calls during the step."""
    p99_milliseconds_before: float | None = None
    """Of answered calls in the period before the canary."""


class ProbeResults:
    """Results of the probes of both versions. Threads may record while another one reads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._stats = {CANARY: ProbeStats(), STABLE: ProbeStats()}

    def __str__(self) -> str:
        """Returns the counts of both versions in one line."""
        return "; ".join(
            f"{label}: {stats.calls:,} probes, {stats.errors:,} failed, {stats.wrong:,} wrong"
            for label, stats in ((label, self.stats(label)) for label in (CANARY, STABLE))
        )

    def record_answer(self, label: str, seconds: float, *, right: bool, text: str = "") -> None:
        """Records an answered call.

        Args:
            label: `canary` or `stable`.
            seconds: Duration of the call.
            right: Whether the outputs were as expected.
            text: Inputs and differences, for an operator.
        """
        with self._lock:
            stats = self._stats[label]
            stats.seconds.append(seconds)
            if not right:
                stats.wrong += 1
                stats.first_wrong = stats.first_wrong or one_line(text)

    def record_error(self, label: str, reason: str = "") -> None:
        """Records a failed call, with the error of the server or the client."""
        with self._lock:
            stats = self._stats[label]
            stats.errors += 1
            stats.first_error = stats.first_error or one_line(reason)

    def stats(self, label: str) -> ProbeStats:
        """Returns a copy of the results of the version with this label."""
        with self._lock:
            stats = self._stats[label]
            return replace(stats, seconds=list(stats.seconds))


@dataclass(frozen=True, slots=True)
class Evidence:
    """Result for a gate from one source: probes or the metric provider."""

    verdict: Verdict
    text: str


def judge(
    results: ProbeResults, policy: GatePolicy, metrics: LiveMetrics | None = None
) -> list[Measurement]:
    """Judges the three gates.

    Args:
        results: Probes since the canary got traffic.
        policy: The limits.
        metrics: From the metric provider; None without one.
    """
    canary, stable = results.stats(CANARY), results.stats(STABLE)
    return [
        _errors(canary, stable, policy, metrics),
        _correctness(canary, policy),
        _latency(canary, stable, policy, metrics),
    ]


def _errors(
    canary: ProbeStats, stable: ProbeStats, policy: GatePolicy, metrics: LiveMetrics | None
) -> Measurement:
    evidence = [_failed_probes(canary, stable, policy)]
    values: dict[str, Value] = {
        "probes": canary.calls,
        "probe_errors": canary.errors,
        "stable_probes": stable.calls,
        "stable_probe_errors": stable.errors,
    }
    if metrics is not None:
        evidence.append(_failed_calls(metrics, policy))
        values |= {
            "live_calls": _finite(metrics.calls),
            "live_errors": _finite(metrics.errors),
            "live_calls_before": _finite(metrics.calls_before),
            "live_errors_before": _finite(metrics.errors_before),
        }
    return _combine("errors", evidence, values, CHECK_LOGS)


def _failed_probes(canary: ProbeStats, stable: ProbeStats, policy: GatePolicy) -> Evidence:
    limit, needed = policy.live.max_error_share, policy.live.min_calls
    found = f"{canary.errors:,} of {canary.calls:,} probes of the canary failed"
    if canary.errors / max(canary.calls, needed) > limit:
        if _fails_as_often(stable, canary):
            found += f", and {stable.errors:,} of {stable.calls:,} of stable"
            return Evidence(Verdict.INCONCLUSIVE, found)
        if stable.calls:
            found += f" (stable: {stable.errors:,} of {stable.calls:,})"
        found += f"; live.max_error_share is {percent(limit)}"
        if canary.first_error:
            found += f"; the first error: {canary.first_error}"
        return Evidence(Verdict.FAILED, found)
    return _enough(canary.calls, needed, found)


def _fails_as_often(stable: ProbeStats, canary: ProbeStats) -> bool:
    """Returns whether stable fails at least as many of its probes: the version is not the cause."""
    share = stable.errors / stable.calls if stable.calls else 0.0
    return share > 0 and share >= canary.errors / canary.calls


def _failed_calls(metrics: LiveMetrics, policy: GatePolicy) -> Evidence:
    limit, needed = policy.live.max_error_share, policy.live.min_calls
    calls, errors = _finite(metrics.calls) or 0.0, _finite(metrics.errors) or 0.0
    calls_before, errors_before = _finite(metrics.calls_before), _finite(metrics.errors_before)
    allowed = allowed_errors(
        calls, limit, calls_before or 0.0, errors_before or 0.0, min_calls=needed
    )
    found = f"{number(errors)} of {number(calls)} live calls failed"
    if errors > allowed:
        found += (
            f"; at most {number(allowed)} may fail, given live.max_error_share ({percent(limit)}) "
            "and the error rate before"
        )
        return Evidence(Verdict.FAILED, found)
    return _enough(calls, needed, found)


def _correctness(canary: ProbeStats, policy: GatePolicy) -> Measurement:
    needed, answered = policy.live.min_calls, len(canary.seconds)
    limit = round(1 - policy.golden.min_accuracy + policy.live.max_wrong_share, DIGITS)
    found = f"{canary.wrong:,} of {answered:,} replies of the canary to probes were wrong"
    if canary.wrong / max(answered, needed) > limit:
        found += (
            f"; at most {percent(limit)} may be wrong, given golden.min_accuracy and "
            "live.max_wrong_share"
        )
        if canary.first_wrong:
            found += f"; the first: {canary.first_wrong}"
        evidence = Evidence(Verdict.FAILED, found)
    else:
        evidence = _enough(answered, needed, found)
    values: dict[str, Value] = {"replies": answered, "wrong": canary.wrong}
    return _combine("correctness", [evidence], values, NEW_VERSION)


def _latency(
    canary: ProbeStats, stable: ProbeStats, policy: GatePolicy, metrics: LiveMetrics | None
) -> Measurement:
    evidence = [_slow_probes(canary, stable, policy)]
    values: dict[str, Value] = {
        "p99_milliseconds": _p99(canary.seconds),
        "stable_p99_milliseconds": _p99(stable.seconds),
    }
    if metrics is not None:
        evidence.append(_slow_calls(metrics, policy))
        values |= {
            "live_p99_milliseconds": _finite(metrics.p99_milliseconds),
            "live_p99_milliseconds_before": _finite(metrics.p99_milliseconds_before),
        }
    return _combine("latency (live)", evidence, values, NEW_VERSION)


def _slow_probes(canary: ProbeStats, stable: ProbeStats, policy: GatePolicy) -> Evidence:
    needed = policy.live.min_calls
    if not stable.calls:
        return Evidence(Verdict.SKIPPED, "no probes of a stable version to compare with")
    for name, stats in ((CANARY, canary), (STABLE, stable)):
        if len(stats.seconds) < needed:
            found = f"{len(stats.seconds):,} probes of {name} answered"
            return _enough(len(stats.seconds), needed, found)
    now, before = quantile(canary.seconds, P99), quantile(stable.seconds, P99)
    found = f"p99 of probes {milliseconds(now)} ms (stable {milliseconds(before)} ms)"
    return _compare_p99(1000 * now, 1000 * before, found, policy)


def _slow_calls(metrics: LiveMetrics, policy: GatePolicy) -> Evidence:
    now = _finite(metrics.p99_milliseconds)
    before = _finite(metrics.p99_milliseconds_before)
    if now is None or before is None:
        return Evidence(Verdict.SKIPPED, "Prometheus has no p99 to compare with")
    found = (
        f"p99 of live calls {milliseconds(now / 1000)} ms (before {milliseconds(before / 1000)} ms)"
    )
    calls = min(_finite(metrics.calls) or 0.0, _finite(metrics.calls_before) or 0.0)
    if calls < policy.live.min_calls:
        return _enough(calls, policy.live.min_calls, f"{number(calls)} live calls to compare")
    return _compare_p99(now, before, found, policy)


def _compare_p99(now: float, before: float, found: str, policy: GatePolicy) -> Evidence:
    """Compares two quantiles, in milliseconds."""
    limit, actual = policy.live.max_p99_ratio, ratio(now, before)
    slack = policy.latency.slack_milliseconds
    if actual is not None and actual > limit and now - before > slack:
        found += f": {times(actual)}, and live.max_p99_ratio is {limit:g}"
        return Evidence(Verdict.FAILED, found)
    return Evidence(Verdict.SUCCESSFUL, found)


def _enough(calls: float, needed: int, found: str) -> Evidence:
    """Returns Successful if enough calls were made to say so, else Inconclusive."""
    if calls < needed:
        return Evidence(Verdict.INCONCLUSIVE, f"{found}, and live.min_calls is {needed:,}")
    return Evidence(Verdict.SUCCESSFUL, found)


def _combine(
    gate: str, evidence: Sequence[Evidence], values: dict[str, Value], advice: str
) -> Measurement:
    """Fails if a source failed; else one successful source is enough."""
    order = (Verdict.FAILED, Verdict.SUCCESSFUL, Verdict.INCONCLUSIVE, Verdict.SKIPPED)
    verdict = min((each.verdict for each in evidence), key=order.index)
    failed = verdict is Verdict.FAILED
    texts = [each.text for each in evidence if not failed or each.verdict is verdict]
    advised = {Verdict.FAILED: advice, Verdict.INCONCLUSIVE: MORE_CALLS}.get(verdict, "")
    return Measurement(gate, verdict, sentence("; ".join(texts), advised), values)


def _p99(seconds: Sequence[float]) -> float | None:
    return round(1000 * quantile(seconds, P99), 3) if seconds else None


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None
